//! From the label to its one XML form: no prolog, no white space between
//! elements, prefix `slab`.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::codec::information::Information;
use crate::codec::stanag4774::{ConfidentialityLabel, NAMESPACE};
use crate::codec::xml::escape;
use crate::error::{Fault, LabelError, Place};
use crate::schemes::CategoryKind;

/// Writes a label.
///
/// # Errors
/// [`Fault::Malformed`] for a year that RFC 3339 cannot write, and for text
/// with control characters or of white space alone.
pub fn write(label: &ConfidentialityLabel) -> Result<String, LabelError> {
    let mut out = Writer(String::with_capacity(1024));
    let root = label.kind.element();
    out.raw(&format!("<slab:{root} xmlns:slab=\"{NAMESPACE}\""));
    if let Some(id) = &label.id {
        out.attribute("Id", id)?;
    }
    if let Some(review) = label.review {
        out.attribute("ReviewDateTime", &moment(review)?)?;
    }
    out.raw(">");
    out.information(&label.information)?;
    if let Some(originator) = &label.originator {
        let id_type = originator
            .id_type
            .map(|id_type| ("IDType", id_type.code().to_owned()));
        out.leaf("OriginatorID", id_type.as_slice(), &originator.value)?;
    }
    out.leaf("CreationDateTime", &[], &moment(label.created)?)?;
    if let Some(succession) = &label.succession {
        out.raw("<slab:SuccessionHandling>");
        out.leaf("SuccessionDateTime", &[], &moment(succession.at)?)?;
        out.raw("<slab:SuccessorConfidentialityLabel>");
        out.information(&succession.successor)?;
        out.raw("</slab:SuccessorConfidentialityLabel></slab:SuccessionHandling>");
    }
    out.raw(&format!("</slab:{root}>"));
    Ok(out.0)
}

fn moment(at: OffsetDateTime) -> Result<String, LabelError> {
    at.format(&Rfc3339)
        .map_err(|_| unwritable("a date outside of the years 0 to 9999"))
}

fn unwritable(what: &str) -> LabelError {
    LabelError::new(Fault::Malformed, what, Place::Whole, super::RULE)
}

struct Writer(String);

impl Writer {
    fn raw(&mut self, text: &str) {
        self.0.push_str(text);
    }

    fn attribute(&mut self, name: &str, value: &str) -> Result<(), LabelError> {
        if value.is_empty() || value.chars().any(char::is_control) {
            return Err(unwritable(
                "an attribute that is empty or has control characters",
            ));
        }
        self.raw(&format!(" {name}=\"{}\"", escape(value)));
        Ok(())
    }

    fn leaf(
        &mut self,
        name: &str,
        attributes: &[(&str, String)],
        text: &str,
    ) -> Result<(), LabelError> {
        if text.is_empty() || text.trim_matches([' ']) != text || text.chars().any(char::is_control)
        {
            return Err(unwritable(
                "a text that is empty, padded or has control characters",
            ));
        }
        self.raw(&format!("<slab:{name}"));
        for (key, value) in attributes {
            self.attribute(key, value)?;
        }
        self.raw(&format!(">{}</slab:{name}>", escape(text)));
        Ok(())
    }

    fn information(&mut self, it: &Information) -> Result<(), LabelError> {
        self.raw("<slab:ConfidentialityInformation>");
        let uri = |oid: &Option<String>| oid.as_ref().map(|oid| ("URI", format!("urn:oid:{oid}")));
        self.leaf(
            "PolicyIdentifier",
            uri(&it.policy_oid).as_slice(),
            &it.policy,
        )?;
        self.leaf("Classification", &[], &it.classification)?;
        if let Some(mark) = &it.privacy_mark {
            self.leaf("PrivacyMark", &[], mark)?;
        }
        for tag in &it.categories {
            let kind = match tag.kind {
                CategoryKind::Restrictive => "RESTRICTIVE",
                CategoryKind::Permissive => "PERMISSIVE",
                CategoryKind::Informative => "INFORMATIVE",
            };
            self.raw(&format!("<slab:Category Type=\"{kind}\""));
            self.attribute("TagName", &tag.name)?;
            if let Some((name, value)) = uri(&tag.oid) {
                self.attribute(name, &value)?;
            }
            self.raw(">");
            for value in &tag.values {
                self.leaf("GenericValue", &[], value)?;
            }
            self.raw("</slab:Category>");
        }
        self.raw("</slab:ConfidentialityInformation>");
        Ok(())
    }
}
