//! Writing a signed binding.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p256::ecdsa::Signature;

use crate::binding::{
    BindingSigner, C14N, CURVE, Content, DS, DSIG11, ECDSA, MAX_BINDING, MAX_OBJECTS, NAMESPACE,
    RULE, SHA384, XMIME, digest, read,
};
use crate::codec::stanag4774::{self, ConfidentialityLabel};
use crate::codec::xml::{self, escape};
use crate::codec::{MAX_LABEL, c14n};
use crate::error::{Fault, LabelError, Place, rule};

/// `Id` of the binding element.
pub(super) const BINDING_ID: &str = "b1";
/// `Id` of the key information.
pub(super) const KEY_ID: &str = "key";

/// Binds labels to content and signs.
///
/// # Errors
/// [`LabelError`] for no label, no content, too much of either, or a signer
/// that fails.
pub fn bind(
    labels: &[ConfidentialityLabel],
    contents: &[Content<'_>],
    signer: &dyn BindingSigner,
) -> Result<String, LabelError> {
    if labels.is_empty() || contents.is_empty() {
        return Err(error(
            Fault::Missing,
            "a binding has at least one label and one object",
        ));
    }
    if contents.len() > MAX_OBJECTS || labels.len() > MAX_OBJECTS {
        return Err(error(Fault::TooLarge, "more than 64 labels or objects"));
    }
    let binding = metadata_binding(labels, contents)?;
    let key = key_info(signer);
    let mut references = String::new();
    for (id, fragment) in [(BINDING_ID, &binding), (KEY_ID, &key)] {
        let tree = xml::read(fragment, read::LIMITS)?;
        let sum = digest(c14n::exclusive(&tree).as_bytes());
        let transforms = format!(
            "<ds:Transforms><ds:Transform Algorithm=\"{C14N}\"></ds:Transform></ds:Transforms>"
        );
        references.push_str(&reference(&format!("#{id}"), &transforms, &sum));
    }
    for content in contents {
        if let Content::Detached { uri, digest, .. } = content {
            references.push_str(&reference(uri, "", digest));
        }
    }
    let signed_info = format!(
        "<ds:SignedInfo xmlns:ds=\"{DS}\"><ds:CanonicalizationMethod Algorithm=\"{C14N}\"></ds:CanonicalizationMethod>\
         <ds:SignatureMethod Algorithm=\"{ECDSA}\"></ds:SignatureMethod>{references}</ds:SignedInfo>"
    );
    let canonical = c14n::exclusive(&xml::read(&signed_info, read::LIMITS)?);
    let signature = signer.sign(canonical.as_bytes())?;
    // One signature has two writings; the one with low s is ours.
    let signature = Signature::from_slice(&signature)
        .map_err(|_| error(Fault::Binding, "the signer gave no signature"))?;
    let signature = signature.normalize_s().unwrap_or(signature);
    // Inside of the document the outer declarations hold: said twice, a change
    // to one of them would not show.
    let signed_info = inherit(&signed_info, "ds", DS);
    let key = inherit(&key, "ds", DS);
    let binding = inherit(&binding, "mb", NAMESPACE);
    let out = format!(
        "<mb:BindingInformation xmlns:mb=\"{NAMESPACE}\"><ds:Signature xmlns:ds=\"{DS}\">{signed_info}\
         <ds:SignatureValue>{}</ds:SignatureValue>{key}</ds:Signature>\
         <mb:MetadataBindingContainer>{binding}</mb:MetadataBindingContainer></mb:BindingInformation>",
        STANDARD.encode(signature.to_bytes())
    );
    if out.len() > MAX_BINDING {
        return Err(error(
            Fault::TooLarge,
            "a binding larger than 2 MiB: bind large content detached",
        ));
    }
    Ok(out)
}

/// Drops the declaration that the surrounding element has made already.
fn inherit(fragment: &str, prefix: &str, namespace: &str) -> String {
    fragment.replacen(&format!(" xmlns:{prefix}=\"{namespace}\""), "", 1)
}

fn error(fault: Fault, what: &str) -> LabelError {
    LabelError::new(fault, what, Place::Field("binding".to_owned()), RULE)
}

fn metadata_binding(
    labels: &[ConfidentialityLabel],
    contents: &[Content<'_>],
) -> Result<String, LabelError> {
    let mut out = format!("<mb:MetadataBinding xmlns:mb=\"{NAMESPACE}\" Id=\"{BINDING_ID}\">");
    for label in labels {
        let text = stanag4774::write(label)?;
        if text.len() > MAX_LABEL {
            return Err(LabelError::new(
                Fault::TooLarge,
                "a label larger than 64 KiB",
                Place::Field("Metadata".to_owned()),
                rule::BUDGET,
            ));
        }
        out.push_str(&format!("<mb:Metadata>{text}</mb:Metadata>"));
    }
    let mut uris: Vec<&str> = Vec::new();
    for content in contents {
        match *content {
            Content::Embedded {
                content_type,
                bytes,
            } => out.push_str(&format!(
                "<mb:Data xmlns:xmime=\"{XMIME}\" xmime:contentType=\"{}\">{}</mb:Data>",
                escape(media_type(content_type)?),
                STANDARD.encode(bytes)
            )),
            Content::Detached {
                uri, content_type, ..
            } => {
                if !read::is_uri(uri) || uris.contains(&uri) {
                    return Err(error(
                        Fault::Malformed,
                        "a name that is empty, too long, local or there twice",
                    ));
                }
                uris.push(uri);
                out.push_str(&format!(
                    "<mb:DataReference xmlns:xmime=\"{XMIME}\" URI=\"{}\" xmime:contentType=\"{}\"></mb:DataReference>",
                    escape(uri),
                    escape(media_type(content_type)?)
                ));
            }
        }
    }
    out.push_str("</mb:MetadataBinding>");
    Ok(out)
}

fn media_type(text: &str) -> Result<&str, LabelError> {
    if read::is_media_type(text) {
        Ok(text)
    } else {
        Err(error(
            Fault::Malformed,
            "not a media type such as application/pdf",
        ))
    }
}

fn key_info(signer: &dyn BindingSigner) -> String {
    format!(
        "<ds:KeyInfo xmlns:ds=\"{DS}\" Id=\"{KEY_ID}\"><ds:KeyName>{}</ds:KeyName><ds:KeyValue>\
         <dsig11:ECKeyValue xmlns:dsig11=\"{DSIG11}\"><dsig11:NamedCurve URI=\"{CURVE}\"></dsig11:NamedCurve>\
         <dsig11:PublicKey>{}</dsig11:PublicKey></dsig11:ECKeyValue></ds:KeyValue></ds:KeyInfo>",
        escape(signer.key_name()),
        STANDARD.encode(signer.public_key())
    )
}

fn reference(uri: &str, transforms: &str, sum: &[u8; 48]) -> String {
    format!(
        "<ds:Reference URI=\"{}\">{transforms}<ds:DigestMethod Algorithm=\"{SHA384}\"></ds:DigestMethod>\
         <ds:DigestValue>{}</ds:DigestValue></ds:Reference>",
        escape(uri),
        STANDARD.encode(sum)
    )
}
