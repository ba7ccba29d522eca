//! An officer's own key: an encrypted file, or a key in the officer's own token
//! (RFC 7512 URI), which never leaves it.

use std::io::{BufRead as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use chancery_hsm_custodian::{PinSource, TokenUri};
use chancery_hsm_pkcs11::{PersonalKey, Pin};
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use p256::pkcs8::DecodePrivateKey as _;
use zeroize::Zeroizing;

use crate::failure::{Failure, failed};
use crate::files;

/// A key that signs for an officer.
#[derive(Clone)]
pub(crate) enum OfficerKey {
    /// Read from a file.
    File(SigningKey),
    /// In the officer's token.
    Token(Arc<PersonalKey>),
}

impl OfficerKey {
    /// Opens the key in a file, or the one that a `pkcs11:` URI names.
    pub(crate) fn open(key: &Path, passphrase: Option<&Path>) -> Result<Self, Failure> {
        match key.to_str().filter(|text| text.starts_with("pkcs11:")) {
            Some(uri) => Self::in_token(uri),
            None => Self::in_file(key, passphrase),
        }
    }

    fn in_file(file: &Path, passphrase: Option<&Path>) -> Result<Self, Failure> {
        let pem = Zeroizing::new(files::text(file, 1 << 16)?);
        let key = if pem.contains("ENCRYPTED PRIVATE KEY") {
            let passphrase = passphrase
                .ok_or_else(|| Failure::usage("--passphrase-file FILE: the key is encrypted"))?;
            let passphrase = Zeroizing::new(files::text(passphrase, 1 << 12)?);
            SigningKey::from_pkcs8_encrypted_pem(&pem, passphrase.trim_end_matches(['\r', '\n']))
                .map_err(|_| Failure::new("the key cannot be opened: is the passphrase right?"))?
        } else {
            SigningKey::from_pkcs8_pem(&pem)
                .map_err(|_| Failure::new("the key is no P-256 private key in PKCS#8 PEM"))?
        };
        Ok(Self::File(key))
    }

    fn in_token(uri: &str) -> Result<Self, Failure> {
        let uri = TokenUri::parse(uri)
            .map_err(|error| Failure::usage(error.to_string().replace("token.uri", "--key")))?;
        let said = |part: Option<String>, what: &str| {
            part.ok_or_else(|| Failure::usage(format!("--key pkcs11:…: say {what}")))
        };
        let token = said(uri.token, "token=LABEL")?;
        let object = said(uri.object, "object=NAME, the key's label")?;
        let module = uri
            .module
            .ok_or_else(|| Failure::usage("--key pkcs11:…: say ?module-path=/PATH"))?;
        let pin = match uri.pin {
            Some(PinSource::File(file)) => Pin::of_a_person_from_file(&file),
            Some(_) => {
                return Err(Failure::usage(
                    "--key pkcs11:…: pin-source is file:/PATH, or nothing: then the PIN is asked for",
                ));
            }
            None => Pin::of_a_person(&asked(&token)?),
        }
        .map_err(|error| Failure::new(error.to_string()))?;
        let key = PersonalKey::open(&module, &token, uri.serial.as_deref(), &object, &pin)
            .map_err(|error| Failure::new(error.detail))?;
        Ok(Self::Token(Arc::new(key)))
    }
}

impl Signer<Signature> for OfficerKey {
    fn try_sign(&self, message: &[u8]) -> Result<Signature, p256::ecdsa::Error> {
        match self {
            Self::File(key) => key.try_sign(message),
            Self::Token(key) => {
                let signature = key.sign(message).map_err(p256::ecdsa::Error::from_source)?;
                Signature::from_slice(&signature)
            }
        }
    }
}

/// Asks for the PIN on the terminal, which shows nothing of it.
fn asked(token: &str) -> Result<Zeroizing<String>, Failure> {
    const NONE: &str = "the PIN cannot be asked for here: say pin-source=file:/PATH in the URI";
    let terminal = std::fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/tty")
        .map_err(|_| Failure::new(NONE))?;
    let echo = |on: &str| {
        let input = terminal.try_clone().map_err(failed(NONE))?;
        let done = Command::new("stty")
            .arg(on)
            .stdin(Stdio::from(input))
            .stderr(Stdio::null())
            .status();
        if done.is_ok_and(|status| status.success()) {
            Ok(())
        } else {
            Err(Failure::new(NONE))
        }
    };
    echo("-echo")?;
    let shown = write!(&terminal, "PIN of the token {token}: ");
    // As long as any PIN: it is not moved about in memory while it grows.
    let mut line = Zeroizing::new(String::with_capacity(256));
    let read = shown.and_then(|()| std::io::BufReader::new(&terminal).read_line(&mut line));
    let back = echo("echo");
    let _newline = writeln!(&terminal);
    back?;
    read.map_err(failed(NONE))?;
    Ok(Zeroizing::new(
        line.trim_end_matches(['\r', '\n']).to_owned(),
    ))
}
