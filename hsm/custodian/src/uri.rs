//! PKCS#11 URIs (RFC 7512): which token, in which module, with whose PIN.

use std::path::PathBuf;

use crate::{CustodianSettings, PinSource};

/// What a URI may say here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenUri {
    /// The token's label.
    pub token: Option<String>,
    /// Its serial number.
    pub serial: Option<String>,
    /// One key in it, by its label: for people's own keys.
    pub object: Option<String>,
    /// The module.
    pub module: Option<PathBuf>,
    /// Where its PIN is.
    pub pin: Option<PinSource>,
}

/// Why a URI was not taken. Never repeats a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("token.uri: {0}")]
pub struct UriError(String);

impl TokenUri {
    /// Reads `pkcs11:token=…;serial=…?module-path=…&pin-source=…`.
    ///
    /// # Errors
    /// [`UriError`] for another scheme, an attribute twice or of no use here, a
    /// broken escape, and `pin-value`: a PIN never stands in the settings.
    pub fn parse(text: &str) -> Result<Self, UriError> {
        let rest = text
            .strip_prefix("pkcs11:")
            .ok_or_else(|| wrong("it does not begin with `pkcs11:`"))?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut uri = Self::default();
        for part in path.split(';').filter(|part| !part.is_empty()) {
            let (name, value) = attribute(part)?;
            match name {
                "token" => once(&mut uri.token, name, value)?,
                "serial" => once(&mut uri.serial, name, value)?,
                "object" => once(&mut uri.object, name, value)?,
                "slot-id" => {
                    return Err(wrong(
                        "slot numbers move: name the token by `token` and `serial`",
                    ));
                }
                _ => return Err(unused(name)),
            }
        }
        for part in query.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = attribute(part)?;
            match name {
                "module-path" => once(&mut uri.module, name, PathBuf::from(value))?,
                "pin-source" => once(&mut uri.pin, name, pin_source(&value)?)?,
                "pin-value" => {
                    return Err(wrong(
                        "`pin-value` is refused: put the PIN into a file of mode 0400 or a credential, and change it, since it stood here",
                    ));
                }
                _ => return Err(unused(name)),
            }
        }
        Ok(uri)
    }
}

impl CustodianSettings {
    /// Fills in what the token's URI says.
    ///
    /// # Errors
    /// [`UriError`] when the URI is none, or says otherwise than the settings
    /// beside it.
    pub fn resolve_uri(&mut self) -> Result<(), UriError> {
        let Some(text) = &self.token.uri else {
            return Ok(());
        };
        let uri = TokenUri::parse(text)?;
        if uri.object.is_some() {
            return Err(unused("object"));
        }
        let token = &mut self.token;
        if let Some(label) = uri.token {
            if !token.label.is_empty() && token.label != label {
                return Err(wrong("it names another token than `token.label`"));
            }
            token.label = label;
        }
        if let Some(serial) = uri.serial {
            if token.serial.as_ref().is_some_and(|other| *other != serial) {
                return Err(wrong("it names another serial number than `token.serial`"));
            }
            token.serial = Some(serial);
        }
        if let Some(module) = uri.module {
            if !token.module.as_os_str().is_empty() && token.module != module {
                return Err(wrong("it names another module than `token.module`"));
            }
            token.module = module;
        }
        if let Some(pin) = uri.pin {
            if !self.pin.is_nowhere() && self.pin != pin {
                return Err(wrong("it names another place of the PIN than `pin`"));
            }
            self.pin = pin;
        }
        Ok(())
    }
}

fn attribute(part: &str) -> Result<(&str, String), UriError> {
    let (name, value) = part
        .split_once('=')
        .ok_or_else(|| wrong("an attribute has no value"))?;
    let value = decoded(value).ok_or_else(|| wrong("an escape is broken"))?;
    if value.is_empty() {
        return Err(wrong("an attribute is empty"));
    }
    Ok((name, value))
}

fn once<T>(place: &mut Option<T>, name: &str, value: T) -> Result<(), UriError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(wrong(&format!("`{name}` stands there twice"))),
    }
}

fn pin_source(value: &str) -> Result<PinSource, UriError> {
    if let Some(name) = value.strip_prefix("credential:") {
        return Ok(PinSource::Credential(name.to_owned()));
    }
    let path = value.strip_prefix("file:").unwrap_or(value);
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.starts_with('/') {
        Ok(PinSource::File(path.into()))
    } else {
        Err(wrong(
            "`pin-source` is `file:/PATH` or `credential:NAME`; no command is run for a PIN",
        ))
    }
}

/// Percent-encoding (RFC 3986 section 2.1).
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let pair = [rest.next()?, rest.next()?];
                let mut one = [0];
                hex::decode_to_slice(pair, &mut one).ok()?;
                bytes.extend(one);
            }
            byte if byte.is_ascii_graphic() => bytes.push(byte),
            _ => return None,
        }
    }
    String::from_utf8(bytes).ok()
}

fn unused(name: &str) -> UriError {
    let known = name.len() < 40 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let name = if known { name } else { "an attribute" };
    wrong(&format!(
        "`{name}` is not used here: token, serial, module-path and pin-source are"
    ))
}

fn wrong(why: &str) -> UriError {
    UriError(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_says_is_read() {
        let uri = TokenUri::parse(
            "pkcs11:token=my%20token;serial=00ff?module-path=/usr/lib/x.so&pin-source=file:/run/pin",
        )
        .unwrap();
        assert_eq!(uri.token.as_deref(), Some("my token"));
        assert_eq!(uri.serial.as_deref(), Some("00ff"));
        assert_eq!(uri.module, Some("/usr/lib/x.so".into()));
        assert_eq!(uri.pin, Some(PinSource::File("/run/pin".into())));
        for (text, pin) in [
            (
                "pkcs11:?pin-source=/run/pin",
                PinSource::File("/run/pin".into()),
            ),
            (
                "pkcs11:?pin-source=file:///run/pin",
                PinSource::File("/run/pin".into()),
            ),
            (
                "pkcs11:?pin-source=credential:pin",
                PinSource::Credential("pin".into()),
            ),
        ] {
            assert_eq!(TokenUri::parse(text).unwrap().pin, Some(pin));
        }
        assert_eq!(TokenUri::parse("pkcs11:").unwrap(), TokenUri::default());
    }

    #[test]
    fn everything_else_is_refused_and_no_value_repeated() {
        for (text, told) in [
            ("token=x", "pkcs11:"),
            ("pkcs11:token", "no value"),
            ("pkcs11:token=", "empty"),
            ("pkcs11:token=a;token=b", "twice"),
            ("pkcs11:token=%4", "escape"),
            ("pkcs11:token=%zz", "escape"),
            ("pkcs11:token=%ff", "escape"),
            ("pkcs11:token=a b", "escape"),
            ("pkcs11:slot-id=1", "slot numbers move"),
            ("pkcs11:id=%01", "`id` is not used"),
            ("pkcs11:token=a?pin-value=hunter2-hunter2", "pin-value"),
            ("pkcs11:?pin-source=|cat%20/run/pin", "no command"),
            ("pkcs11:?pin-source=file:pin", "pin-source"),
            ("pkcs11:?module-name=x", "module-name"),
        ] {
            let error = TokenUri::parse(text).unwrap_err().to_string();
            assert!(error.contains(told), "{text}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn it_fills_the_settings_and_contradicts_nothing() {
        let text = |uri: &str, more: &str| {
            format!(
                "state_dir = \"s\"\nlog_origin = \"o\"\n{more}\n[token]\nkind = \"other\"\nuri = \"{uri}\"\n"
            )
        };
        let read = |uri: &str, more: &str, table: &str| -> Result<CustodianSettings, UriError> {
            let text = format!("{}{table}", text(uri, more));
            let mut settings: CustodianSettings = toml::from_str(&text).unwrap();
            settings.resolve_uri().map(|()| settings)
        };
        let whole = "pkcs11:token=n;serial=7?module-path=/m.so&pin-source=file:/p";
        let settings = read(whole, "", "").unwrap();
        assert_eq!(settings.token.label, "n");
        // One key alone is a person's, never the node's token.
        assert!(read("pkcs11:token=n;object=k", "", "").is_err());
        assert_eq!(settings.token.serial.as_deref(), Some("7"));
        assert_eq!(settings.token.module, PathBuf::from("/m.so"));
        assert_eq!(settings.pin, PinSource::File("/p".into()));
        assert!(read(whole, "", "label = \"n\"\nserial = \"7\"\n").is_ok());
        for (more, table, told) in [
            ("", "label = \"x\"", "token.label"),
            ("", "serial = \"8\"", "token.serial"),
            ("", "module = \"/x.so\"", "token.module"),
            ("pin = { file = \"/x\" }", "", "`pin`"),
        ] {
            let error = read(whole, more, table).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
