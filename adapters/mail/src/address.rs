//! Mail addresses, in envelopes and headers: a small part of RFC 5321 section 4.1.2, since what is
//! rare is what two servers read differently. No source routes, no `%` and `!`
//! routing, no quoted local parts, no address literals, no characters that
//! look like others.

use std::fmt;

/// A mailbox: `local@domain`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    text: String,
    at: usize,
}

/// Why text is not a mailbox here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressFault {
    /// A route through other servers (`@a:b@c`, `a%b@c`, `a!b@c`) or an address
    /// literal (`a@[127.0.0.1]`).
    #[error("source routes and address literals are not accepted")]
    Route,
    /// Characters outside the ones accepted, or mixed scripts.
    #[error("the address has characters that are not accepted")]
    Characters,
    /// Not `local@domain`, or too long.
    #[error("not a mailbox address")]
    Syntax,
}

/// Longest local part, octets (RFC 5321 section 4.5.3.1.1).
const MAX_LOCAL: usize = 64;
/// Longest domain, octets (RFC 5321 section 4.5.3.1.2).
const MAX_DOMAIN: usize = 255;

impl Address {
    /// Reads a mailbox. Letters beyond ASCII (Latin, Greek, Cyrillic, one
    /// script in each label) only where `utf8` allows them (RFC 6531).
    ///
    /// # Errors
    /// [`AddressFault`].
    pub fn parse(text: &str, utf8: bool) -> Result<Self, AddressFault> {
        if text.starts_with('@') || text.contains(['%', '!', '[', ']', ':', ',']) {
            return Err(AddressFault::Route);
        }
        let (local, domain) = text.split_once('@').ok_or(AddressFault::Syntax)?;
        if local.is_empty() || local.len() > MAX_LOCAL || domain.len() > MAX_DOMAIN {
            return Err(AddressFault::Syntax);
        }
        for atom in local.split('.') {
            if atom.is_empty() {
                return Err(AddressFault::Syntax);
            }
            let good = |c: char| c.is_ascii_alphanumeric() || "+-_=&'#~/".contains(c);
            check(atom, good, utf8)?;
        }
        let mut labels = 0;
        for label in domain.split('.') {
            let edge = label.starts_with('-') || label.ends_with('-');
            if label.is_empty() || label.len() > 63 || edge {
                return Err(AddressFault::Syntax);
            }
            check(label, |c| c.is_ascii_alphanumeric() || c == '-', utf8)?;
            labels += 1;
        }
        let numeric = domain.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        if labels < 2 || numeric {
            return Err(AddressFault::Syntax);
        }
        Ok(Self {
            text: text.to_owned(),
            at: local.len(),
        })
    }

    /// `local@domain` as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What is after the `@`.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.text.get(self.at + 1..).unwrap_or_default()
    }

    /// What is before the `@`.
    #[must_use]
    pub fn local(&self) -> &str {
        self.text.get(..self.at).unwrap_or_default()
    }

    /// The same in lower case: how addresses are compared.
    #[must_use]
    pub fn to_lowercase(&self) -> String {
        self.text.to_lowercase()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Every character good, and the letters of one script.
fn check(part: &str, good: impl Fn(char) -> bool, utf8: bool) -> Result<(), AddressFault> {
    let mut scripts = [false; 3];
    for c in part.chars() {
        let script = match c {
            _ if c.is_ascii_alphabetic() => Some(0),
            _ if c.is_ascii() => None,
            // Latin-1 letters, Latin Extended A and B.
            '\u{c0}'..='\u{24f}' if c.is_alphabetic() => Some(0),
            '\u{370}'..='\u{3ff}' if c.is_alphabetic() => Some(1),
            '\u{400}'..='\u{4ff}' if c.is_alphabetic() => Some(2),
            _ => return Err(AddressFault::Characters),
        };
        if (c.is_ascii() && !good(c)) || (!c.is_ascii() && !utf8) {
            return Err(AddressFault::Characters);
        }
        if let Some(seen) = script.and_then(|script: usize| scripts.get_mut(script)) {
            *seen = true;
        }
    }
    if scripts.iter().filter(|&&seen| seen).count() > 1 {
        return Err(AddressFault::Characters);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_mailboxes_are_read() {
        for text in [
            "liaison@gateway.example",
            "First.Last+tag@a-b.example",
            "SRS0=abc=xy=a.example=u@b.example",
        ] {
            let address = Address::parse(text, false).expect(text);
            assert_eq!(address.as_str(), text);
        }
        let address = Address::parse("a.b@c.example", false).unwrap();
        assert_eq!((address.local(), address.domain()), ("a.b", "c.example"));
        Address::parse("връзка@пример.example", true).unwrap();
        Address::parse("σύνδεσμος@gateway.example", true).unwrap();
    }

    #[test]
    fn routes_and_oddities_are_refused() {
        use AddressFault::{Characters, Route, Syntax};
        for (text, fault) in [
            ("@a,@b:user@c.example", Route),
            ("user%other@c.example", Route),
            ("host!user@c.example", Route),
            ("user@[127.0.0.1]", Route),
            ("user@127.0.0.1", Syntax),
            (";sleep 66;", Syntax),
            (";sleep 66;@x.example", Characters),
            ("`id`@x.example", Characters),
            ("|id@x.example", Characters),
            ("\"-oQ/tmp -X/tmp/x\"@host.example", Characters),
            ("a b@x.example", Characters),
            ("a@b@x.example", Characters),
            ("a\u{202e}b@x.example", Characters),
            ("\u{560a}x@x.example", Characters),
            ("liаison@gateway.example", Characters),
            ("a@\u{435}uropol.europa.eu", Characters),
            ("a@x", Syntax),
            ("a..b@x.example", Syntax),
            (".a@x.example", Syntax),
            ("a@-x.example", Syntax),
            ("a@x..example", Syntax),
            ("a", Syntax),
            ("", Syntax),
            ("postmaster", Syntax),
        ] {
            assert_eq!(Address::parse(text, true), Err(fault), "{text}");
        }
        assert_eq!(
            Address::parse("връзка@gateway.example", false),
            Err(Characters)
        );
        let long = format!("{}@x.example", "a".repeat(65));
        assert_eq!(Address::parse(&long, false), Err(Syntax));
    }
}
