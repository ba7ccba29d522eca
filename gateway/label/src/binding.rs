//! STANAG 4778 (ADatP-4778) binding of labels to content, embedded or
//! detached, with an XML signature: SHA-384 digests over canonical parts,
//! ECDSA on P-256 with SHA-256.
//!
//! What is signed: the binding element with its labels, the key information,
//! and the octets of every object. A label moved to other content, content
//! changed under a label, or another key in the file is thereby detected.
//!
//! The reader takes one binding in the shape that [`bind`] writes or one
//! without signature; everything else is refused, so that nothing can be
//! wrapped around what was signed.

mod read;
mod signer;
mod verify;
mod write;

use sha2::{Digest as _, Sha384};

use crate::codec::stanag4774::ConfidentialityLabel;

pub use read::read;
pub use signer::{BindingSigner, SoftSigner, trusted_key};
pub use verify::{Trust, Verified, verify};
pub use write::bind;

/// Namespace of bindings.
pub const NAMESPACE: &str = "urn:nato:stanag:4778:bindinginformation:1:0";
/// Largest binding read, in bytes; embedded content is part of it.
pub const MAX_BINDING: usize = 2 * 1024 * 1024;
/// Most objects of one binding.
pub const MAX_OBJECTS: usize = 64;

pub(crate) const RULE: &str = "ADatP-4778, binding schema 1.4; XML Signature 1.1";

const XMIME: &str = "http://www.w3.org/2005/05/xmlmime";
const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
const DSIG11: &str = "http://www.w3.org/2009/xmldsig11#";
const C14N: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const ECDSA: &str = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256";
const SHA384: &str = "http://www.w3.org/2001/04/xmldsig-more#sha384";
const CURVE: &str = "urn:oid:1.2.840.10045.3.1.7";

/// A binding as it stands in its file, not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The labels: the originator's first, alternatives beside it.
    pub labels: Vec<ConfidentialityLabel>,
    /// What they are bound to.
    pub objects: Vec<Object>,
    /// True if it has a signature.
    pub signed: bool,
}

/// What a label is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    /// Content inside the binding.
    Embedded {
        /// Its media type.
        content_type: Option<String>,
        /// Its octets.
        bytes: Vec<u8>,
    },
    /// Content elsewhere.
    Reference {
        /// A file name, `cid:` or `mid:` URI.
        uri: String,
        /// Its media type.
        content_type: Option<String>,
    },
}

/// Content to bind.
#[derive(Clone, Copy, Debug)]
pub enum Content<'a> {
    /// Put into the binding.
    Embedded {
        /// Its media type.
        content_type: &'a str,
        /// Its octets.
        bytes: &'a [u8],
    },
    /// Left where it is.
    Detached {
        /// A file name, `cid:` or `mid:` URI.
        uri: &'a str,
        /// Its media type.
        content_type: &'a str,
        /// SHA-384 of its octets.
        digest: [u8; 48],
    },
}

/// SHA-384 of content.
#[must_use]
pub fn digest(bytes: &[u8]) -> [u8; 48] {
    Sha384::digest(bytes).into()
}

/// Exclusive canonical form of an XML document, as it is digested.
///
/// # Errors
/// [`crate::LabelError`] for a document that the strict reader refuses.
pub fn canonical(text: &str) -> Result<String, crate::LabelError> {
    Ok(crate::codec::c14n::exclusive(&crate::codec::xml::read(
        text,
        read::LIMITS,
    )?))
}
