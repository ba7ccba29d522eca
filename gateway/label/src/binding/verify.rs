//! Verifying a binding.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, VerifyingKey};

use crate::binding::read::{LIMITS, error, only, parts, shape};
use crate::binding::write::{BINDING_ID, KEY_ID};
use crate::binding::{C14N, CURVE, DS, DSIG11, ECDSA, Object, SHA384, digest};
use crate::codec::c14n;
use crate::codec::stanag4774::ConfidentialityLabel;
use crate::codec::xml::{self, Node};
use crate::error::{Fault, LabelError};

/// Whose signature counts.
#[derive(Clone, Copy, Debug)]
pub enum Trust<'a> {
    /// This public key's (65 octets, uncompressed SEC 1).
    Key(&'a [u8]),
    /// The key's that the binding itself names: this shows that nothing was
    /// changed since, and nothing about who signed.
    Embedded,
}

/// A binding that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The labels.
    pub labels: Vec<ConfidentialityLabel>,
    /// What they are bound to.
    pub objects: Vec<Object>,
    /// Name of the key, as the signer wrote it.
    pub key_name: String,
    /// The public key that verified, uncompressed.
    pub key: Vec<u8>,
    /// True if it is the key that the caller trusts.
    pub trusted: bool,
}

/// Verifies a binding. `content` gives SHA-384 of the octets that a URI
/// names, or `None` if there are none.
///
/// # Errors
/// [`Fault::Binding`] for a label, content or signature that does not belong
/// here, [`Fault::Missing`] for a binding without signature, and what
/// [`super::read`] finds.
pub fn verify(
    text: &str,
    content: &dyn Fn(&str) -> Option<[u8; 48]>,
    trust: Trust<'_>,
) -> Result<Verified, LabelError> {
    let root = xml::read(text, LIMITS)?;
    let found = shape(&root)?;
    let binding = parts(found.binding)?;
    let signature = found.signature.ok_or_else(|| {
        error(
            &root,
            "Signature",
            Fault::Missing,
            "no signature: this binding proves nothing",
        )
    })?;
    if found.binding.attribute("Id") != Some(BINDING_ID) {
        return Err(error(
            found.binding,
            "MetadataBinding",
            Fault::Binding,
            "not the element that is signed",
        ));
    }
    only(signature, "Signature", &[])?;
    let [info, value, key] = signature.children.as_slice() else {
        return Err(broken(
            signature,
            "not SignedInfo, SignatureValue and KeyInfo",
        ));
    };
    let key_info = read_key(key)?;
    if let Trust::Key(trusted) = trust
        && trusted != key_info.point.as_slice()
    {
        return Err(error(
            key,
            "KeyInfo",
            Fault::Binding,
            "signed by another key than the trusted one",
        ));
    }
    let mut wanted = vec![
        (
            format!("#{BINDING_ID}"),
            true,
            digest(c14n::exclusive(found.binding).as_bytes()),
        ),
        (
            format!("#{KEY_ID}"),
            true,
            digest(c14n::exclusive(key).as_bytes()),
        ),
    ];
    for object in &binding.objects {
        if let Object::Reference { uri, .. } = object {
            let sum = content(uri).ok_or_else(|| {
                error(
                    found.binding,
                    "DataReference",
                    Fault::Missing,
                    "the bound content is not here",
                )
            })?;
            wanted.push((uri.clone(), false, sum));
        }
    }
    references(info, &wanted)?;
    signed_by(info, value, &key_info.point)?;
    Ok(Verified {
        labels: binding.labels,
        objects: binding.objects,
        key_name: key_info.name,
        key: key_info.point,
        trusted: matches!(trust, Trust::Key(_)),
    })
}

fn broken(node: &Node, what: &str) -> LabelError {
    error(node, "Signature", Fault::Binding, what)
}

/// An element without attributes and children; its text as it stands.
fn leaf<'a>(node: &'a Node, namespace: &str, name: &str) -> Result<&'a str, LabelError> {
    if node.is(namespace, name) && node.attributes.is_empty() && node.children.is_empty() {
        Ok(&node.text)
    } else {
        Err(broken(node, "an element that does not belong here"))
    }
}

/// An empty element whose one attribute has this value.
fn says(
    node: &Node,
    namespace: &str,
    name: &str,
    attribute: &str,
    value: &str,
) -> Result<(), LabelError> {
    let right = node.is(namespace, name)
        && node.attribute(attribute) == Some(value)
        && node.attributes.len() == 1
        && node.children.is_empty()
        && node.text.is_empty();
    if right {
        Ok(())
    } else {
        Err(broken(
            node,
            "an algorithm or element that is not the required one",
        ))
    }
}

fn decode(node: &Node, text: &str) -> Result<Vec<u8>, LabelError> {
    STANDARD
        .decode(text)
        .map_err(|_| broken(node, "not base64 without white space"))
}

struct KeyInfo {
    name: String,
    point: Vec<u8>,
}

fn read_key(node: &Node) -> Result<KeyInfo, LabelError> {
    let wrong = || broken(node, "not a key name and a P-256 key");
    if !node.is(DS, "KeyInfo") || node.attribute("Id") != Some(KEY_ID) || node.attributes.len() != 1
    {
        return Err(wrong());
    }
    let [name, value] = node.children.as_slice() else {
        return Err(wrong());
    };
    let name = leaf(name, DS, "KeyName")?.to_owned();
    let [ec] = value.children.as_slice() else {
        return Err(wrong());
    };
    if !value.is(DS, "KeyValue") || !ec.is(DSIG11, "ECKeyValue") {
        return Err(wrong());
    }
    let [curve, point] = ec.children.as_slice() else {
        return Err(wrong());
    };
    says(curve, DSIG11, "NamedCurve", "URI", CURVE)?;
    Ok(KeyInfo {
        name,
        point: decode(point, leaf(point, DSIG11, "PublicKey")?)?,
    })
}

/// Every wanted digest is there once, in order, and nothing else is.
fn references(info: &Node, wanted: &[(String, bool, [u8; 48])]) -> Result<(), LabelError> {
    if !info.is(DS, "SignedInfo") || !info.attributes.is_empty() {
        return Err(broken(info, "not SignedInfo"));
    }
    let [c14n, method, references @ ..] = info.children.as_slice() else {
        return Err(broken(info, "no algorithms"));
    };
    says(c14n, DS, "CanonicalizationMethod", "Algorithm", C14N)?;
    says(method, DS, "SignatureMethod", "Algorithm", ECDSA)?;
    if references.len() != wanted.len() {
        return Err(broken(
            info,
            "the signature does not cover exactly this label and content",
        ));
    }
    for (reference, (uri, canonical, sum)) in references.iter().zip(wanted) {
        if !reference.is(DS, "Reference")
            || reference.attributes.len() != 1
            || reference.attribute("URI") != Some(uri)
        {
            return Err(broken(
                reference,
                "the signature does not cover exactly this label and content",
            ));
        }
        let (transforms, rest) = match reference.children.as_slice() {
            [transforms, rest @ ..] if *canonical => (Some(transforms), rest),
            rest => (None, rest),
        };
        if let Some(transforms) = transforms {
            let [one] = transforms.children.as_slice() else {
                return Err(broken(transforms, "not exactly one transform"));
            };
            if !transforms.is(DS, "Transforms") || !transforms.attributes.is_empty() {
                return Err(broken(transforms, "not exactly one transform"));
            }
            says(one, DS, "Transform", "Algorithm", C14N)?;
        }
        let [method, value] = rest else {
            return Err(broken(reference, "not one digest"));
        };
        says(method, DS, "DigestMethod", "Algorithm", SHA384)?;
        let stated = decode(value, leaf(value, DS, "DigestValue")?)?;
        if stated != sum {
            let what = match uri.as_str() {
                "#b1" => "the label or its binding was changed",
                "#key" => "the key information was changed",
                _ => "the content was changed, or the label belongs to other content",
            };
            return Err(broken(reference, what));
        }
    }
    Ok(())
}

fn signed_by(info: &Node, value: &Node, point: &[u8]) -> Result<(), LabelError> {
    let key = VerifyingKey::from_sec1_bytes(point)
        .ok()
        .filter(|_| point.len() == 65)
        .ok_or_else(|| broken(value, "the key is no point of P-256"))?;
    let bytes = decode(value, leaf(value, DS, "SignatureValue")?)?;
    let signature = Signature::from_slice(&bytes)
        .ok()
        .filter(|signature| signature.normalize_s().is_none())
        .ok_or_else(|| broken(value, "not a signature with low s"))?;
    key.verify(c14n::exclusive(info).as_bytes(), &signature)
        .map_err(|_| broken(value, "the signature is wrong"))
}
