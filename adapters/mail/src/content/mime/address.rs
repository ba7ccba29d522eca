//! Address fields: mailboxes with display names. Display names are dropped:
//! nothing is believed that they say.

use crate::address::Address;
use crate::content::fault::{Fault, Read, rule};

/// The one mailbox of a `From` field.
pub(crate) fn one(field: &str, value: &str) -> Read<Address> {
    let mut all = list(field, value)?;
    match (all.pop(), all.is_empty()) {
        (Some(address), true) => Ok(address),
        _ => Err(Fault::malformed(
            format!("the {field} field has not exactly one address"),
            rule::ADDRESS,
        )),
    }
}

/// The mailboxes of a `To` or `Cc` field. An empty group (`undisclosed
/// recipients:;`) has none; other groups are refused.
pub(crate) fn list(field: &str, value: &str) -> Read<Vec<Address>> {
    if let Some(name) = value.trim().strip_suffix(":;")
        && !name.contains(['@', '<', '"', ',', ':'])
    {
        return Ok(Vec::new());
    }
    let bad = |what: &str| Fault::malformed(format!("the {field} field {what}"), rule::ADDRESS);
    let mut all = Vec::new();
    for text in split(value).ok_or_else(|| bad("has quotes without end"))? {
        let text = text.trim();
        if text.is_empty() || all.len() >= 1000 {
            return Err(bad("has an empty address, or too many"));
        }
        let address = match text.strip_suffix('>') {
            None if text.contains(['<', '"', '(']) => {
                return Err(bad("has an address with more around it"));
            }
            None => text,
            Some(before) => {
                let (name, address) = before
                    .rsplit_once('<')
                    .ok_or_else(|| bad("has `>` without `<`"))?;
                if !is_display_name(name.trim()) {
                    return Err(bad("has a display name that could be read in two ways"));
                }
                address
            }
        };
        let address = Address::parse(address, true)
            .map_err(|fault| bad(&format!("is not accepted: {fault}")))?;
        all.push(address);
    }
    Ok(all)
}

/// Splits at commas outside quotes; none if quotes do not end.
fn split(value: &str) -> Option<Vec<&str>> {
    let mut parts = Vec::new();
    let (mut start, mut quoted, mut escaped) = (0, false, false);
    for (at, c) in value.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                parts.push(value.get(start..at)?);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(value.get(start..)?);
    (!quoted).then_some(parts)
}

/// One quoted string, or words without any special character.
fn is_display_name(name: &str) -> bool {
    if let Some(inner) = name.strip_prefix('"') {
        let Some(inner) = inner.strip_suffix('"') else {
            return false;
        };
        let mut escaped = false;
        for c in inner.chars() {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => return false,
                _ => {}
            }
        }
        return !escaped;
    }
    !name.contains(['"', '<', '>', '(', ')', ';', ':', '\\', '@', ','])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_is_found() {
        for value in [
            "a@b.example",
            "<a@b.example>",
            "Name <a@b.example>",
            "\"Name, First\" <a@b.example>",
            "\"trusted@c.example\" <a@b.example>",
            "=?utf-8?Q?N=C3=A4me?= <a@b.example>",
            "Νίκος <a@b.example>",
        ] {
            assert_eq!(one("From", value).expect(value).as_str(), "a@b.example");
        }
        let all = list("To", "x <a@b.example>, \"y, z\" <c@d.example>,e@f.example").unwrap();
        assert_eq!(all.len(), 3);
        assert!(list("To", "undisclosed-recipients:;").unwrap().is_empty());
    }

    #[test]
    fn what_could_be_two_senders_is_refused() {
        for value in [
            "",
            "a@b.example, c@d.example",
            "<a@b.example> <c@d.example>",
            "c@d.example <a@b.example>",
            "<c@d.example> a@b.example",
            "a@b.example (c@d.example)",
            "\"x\" c@d.example <a@b.example>",
            "\"x <a@b.example>",
            "group: a@b.example;",
            "a@b.example,",
            "<@x.example:a@b.example>",
            "a\u{202e}@b.example",
            "a@b.example>",
        ] {
            assert!(one("From", value).is_err(), "{value}");
        }
    }
}
