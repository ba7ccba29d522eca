//! STANAG 4774 (ADatP-4774) confidentiality labels as XML.
//!
//! Written from the public description of the schema; ours is
//! `config/schemas/label-4774.xsd`. The reader is stricter than the schema
//! where the standard's text is: `GenericValue` alone, `urn:oid:` alone, no
//! extension elements.

mod read;
mod write;

use time::OffsetDateTime;

use crate::codec::information::{self, Information};
use crate::codec::xml;
use crate::schemes::shipped;
use crate::{Label, LabelError};

pub(crate) use read::{RULE, read_node};
pub use write::write;

/// Namespace of the labels.
pub const NAMESPACE: &str = "urn:nato:stanag:4774:confidentialitymetadatalabel:1:0";

/// A confidentiality label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfidentialityLabel {
    /// Whose label it is.
    pub kind: LabelKind,
    /// `Id` of the element, for references.
    pub id: Option<String>,
    /// When it is to be reviewed.
    pub review: Option<OffsetDateTime>,
    /// Policy, classification, categories.
    pub information: Information,
    /// Who put it.
    pub originator: Option<Originator>,
    /// When it was put.
    pub created: OffsetDateTime,
    /// What it becomes, and when.
    pub succession: Option<Box<Succession>>,
}

/// Whose label it is: an originator's label is never overwritten, an
/// alternative stands beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LabelKind {
    /// `originatorConfidentialityLabel`
    Originator,
    /// `alternativeConfidentialityLabel`
    Alternative,
    /// `metadataConfidentialityLabel`
    Metadata,
}

impl LabelKind {
    pub(crate) const ALL: [Self; 3] = [Self::Originator, Self::Alternative, Self::Metadata];

    /// The element's local name.
    #[must_use]
    pub const fn element(self) -> &'static str {
        match self {
            Self::Originator => "originatorConfidentialityLabel",
            Self::Alternative => "alternativeConfidentialityLabel",
            Self::Metadata => "metadataConfidentialityLabel",
        }
    }
}

/// Who put a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Originator {
    /// What kind of name, if said.
    pub id_type: Option<IdType>,
    /// The name.
    pub value: String,
}

/// Kinds of originator names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IdType {
    /// `rfc822Name`
    Rfc822Name,
    /// `dNSName`
    DnsName,
    /// `directoryName`
    DirectoryName,
    /// `uniformResourceIdentifier`
    Uri,
    /// `iPAddress`
    IpAddress,
    /// `x400Address`
    X400Address,
    /// `userPrincipalName`
    UserPrincipalName,
    /// `jID`
    Jid,
}

impl IdType {
    pub(crate) const ALL: [Self; 8] = [
        Self::Rfc822Name,
        Self::DnsName,
        Self::DirectoryName,
        Self::Uri,
        Self::IpAddress,
        Self::X400Address,
        Self::UserPrincipalName,
        Self::Jid,
    ];

    /// As the attribute `IDType` writes it.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Rfc822Name => "rfc822Name",
            Self::DnsName => "dNSName",
            Self::DirectoryName => "directoryName",
            Self::Uri => "uniformResourceIdentifier",
            Self::IpAddress => "iPAddress",
            Self::X400Address => "x400Address",
            Self::UserPrincipalName => "userPrincipalName",
            Self::Jid => "jID",
        }
    }
}

/// What a label becomes at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Succession {
    /// When.
    pub at: OffsetDateTime,
    /// The information from then on.
    pub successor: Information,
}

impl ConfidentialityLabel {
    /// An originator's label for this label, in the EU policy.
    ///
    /// # Errors
    /// As [`information::from_label`].
    pub fn of(
        label: &Label,
        created: OffsetDateTime,
        review: Option<OffsetDateTime>,
        originator: Option<Originator>,
    ) -> Result<Self, LabelError> {
        Ok(Self {
            kind: LabelKind::Originator,
            id: None,
            review,
            information: information::from_label(shipped()?, label)?,
            originator,
            created,
            succession: None,
        })
    }

    /// What it means, with the schemes in force.
    ///
    /// # Errors
    /// As [`information::to_label`].
    pub fn label(&self) -> Result<Label, LabelError> {
        information::to_label(shipped()?, &self.information)
    }
}

/// Reads one label document.
///
/// # Errors
/// [`LabelError`] with the element, its byte and the rule.
pub fn read(text: &str) -> Result<ConfidentialityLabel, LabelError> {
    read_node(&xml::read(text, xml::LABEL)?)
}
