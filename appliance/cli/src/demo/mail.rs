//! The mail participant's end: real `gpg` keys, and the server that takes its
//! mail from the gateway.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chancery_mail::wire::send::{Relay as RelaySettings, Sender, Timeouts};
use chancery_mail::wire::{
    BoxStream, Connection, Door, Limits, Protocol, Settings, Upgrade, serve_connection,
};
use chancery_message::{Inbound, PeerEvidence, TransportEvidence};
use chancery_pipeline::ports::{
    Ask, BoxFuture, Chunks, DoorRefusal, Gate, GateError, Reply, ReplyBody,
};
use chancery_pipeline::protocol::{MailSent, RelaySession, SendMail};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio_rustls::TlsAcceptor;

use crate::failure::{Failure, failed};
use crate::files;
use crate::init::Places;
use crate::init::authority::{Authority, Use, new_key};

/// A participant's gpg.
pub(super) struct Gpg {
    home: PathBuf,
    address: String,
}

impl Gpg {
    /// New keys without passphrase, in a folder of their own.
    pub(super) fn make(home: &Path, address: &str) -> Result<Self, Failure> {
        files::folder(home)?;
        let gpg = Self {
            home: home.to_owned(),
            address: address.to_owned(),
        };
        let user = format!("Partner <{address}>");
        gpg.run(
            &[
                "--passphrase",
                "",
                "--quick-generate-key",
                &user,
                "future-default",
                "default",
                "2y",
            ],
            b"",
        )?;
        Ok(gpg)
    }

    /// Its address.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Its certificate, ASCII-armored.
    pub(super) fn certificate(&self) -> Result<String, Failure> {
        let (out, _) = self.run(&["--armor", "--export", &self.address], b"")?;
        String::from_utf8(out).map_err(|_| Failure::new("gpg exported no text"))
    }

    /// Takes the gateway's certificate; its fingerprint.
    pub(super) fn import(&self, file: &Path) -> Result<String, Failure> {
        let bytes = files::read(file, 1 << 20)?;
        self.run(&["--import"], &bytes)?;
        let (shown, _) = self.run(
            &["--with-colons", "--import-options", "show-only", "--import"],
            &bytes,
        )?;
        String::from_utf8_lossy(&shown)
            .lines()
            .find_map(|line| {
                line.strip_prefix("fpr:")
                    .and_then(|rest| rest.split(':').nth(8))
                    .map(str::to_owned)
            })
            .ok_or_else(|| Failure::new("gpg cannot read the gateway's certificate"))
    }

    /// Signs and encrypts to a key.
    pub(super) fn seal(&self, to: &str, bytes: &[u8]) -> Result<Vec<u8>, Failure> {
        let arguments = [
            "--armor",
            "--trust-model",
            "always",
            "--local-user",
            &self.address,
            "--sign",
            "--encrypt",
            "--recipient",
            to,
        ];
        self.run(&arguments, bytes).map(|(out, _)| out)
    }

    /// Opens a message; its text, and whether gpg calls the signature good.
    pub(super) fn open(&self, bytes: &[u8]) -> Result<(Vec<u8>, bool), Failure> {
        let (out, status) = self.run(
            &["--trust-model", "always", "--status-fd", "2", "--decrypt"],
            bytes,
        )?;
        let status = String::from_utf8_lossy(&status).into_owned();
        Ok((
            out,
            status
                .lines()
                .any(|line| line.starts_with("[GNUPG:] GOODSIG ")),
        ))
    }

    fn run(&self, arguments: &[&str], input: &[u8]) -> Result<(Vec<u8>, Vec<u8>), Failure> {
        let mut child = Command::new("gpg")
            .args(["--batch", "--no-tty", "--pinentry-mode", "loopback", "--homedir"])
            .arg(&self.home)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| {
                Failure::new(format!("gpg cannot be started ({error}): install gnupg, or leave mail out: --zones siena,rest"))
            })?;
        let mut stdin = child
            .stdin
            .take()
            .ok_or_else(|| Failure::new("gpg takes no input"))?;
        let input = input.to_vec();
        let writer = std::thread::spawn(move || stdin.write_all(&input));
        let output = child.wait_with_output().map_err(failed("gpg"))?;
        // A gpg that needs no input closes it early.
        let _written = writer.join();
        if output.status.success() {
            return Ok((output.stdout, output.stderr));
        }
        let told = String::from_utf8_lossy(&output.stderr);
        let last = told
            .lines()
            .rfind(|line| line.starts_with("gpg:"))
            .unwrap_or("gpg: it said nothing");
        Err(Failure::new(format!(
            "{last} (while doing {})",
            arguments.last().unwrap_or(&"something")
        )))
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        // gpg leaves an agent behind for its home folder.
        let _ended = Command::new("gpgconf")
            .args(["--kill", "all"])
            .env("GNUPGHOME", &self.home)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
}

/// The mail server at the participant's end.
pub(super) struct Relay {
    box_: Arc<Memory>,
    ca: Vec<u8>,
    _stop: watch::Sender<bool>,
}

#[derive(Default)]
struct Memory {
    mails: Mutex<Vec<Bytes>>,
    news: Notify,
}

impl Relay {
    /// Listens, with a certificate of the node's authority.
    pub(super) async fn start(address: SocketAddr, places: &Places) -> Result<Self, Failure> {
        let authority = Authority::open(&places.authority())?;
        let (key, key_pem) = new_key()?;
        let hosts = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let (pem, _) =
            authority.certify("the recipients' mail server", &hosts, Use::Server, &key)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let chain =
            vec![CertificateDer::from_pem_slice(pem.as_bytes()).map_err(failed("a certificate"))?];
        let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).map_err(failed("a key"))?;
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(failed("TLS"))?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(failed("TLS"))?;
        let memory = Arc::new(Memory::default());
        let gate: Arc<dyn Gate> = Arc::<Memory>::clone(&memory);
        let door = Arc::new(Door {
            settings: Settings {
                protocol: Protocol::Smtp,
                hostname: "mail.eeas.example".to_owned(),
                domains: vec!["eeas.example".to_owned(), "cert-eu.example".to_owned()],
                limits: Limits::default(),
            },
            gate,
            upgrade: Some(Arc::new(Tls(TlsAcceptor::from(Arc::new(config))))),
        });
        let listener = TcpListener::bind(address)
            .await
            .map_err(failed("the mail server's port"))?;
        let (stop, shutdown) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((stream, peer)) = listener.accept().await {
                let connection = Connection {
                    door: Arc::clone(&door),
                    address: peer.to_string(),
                    transport: None,
                    shutdown: shutdown.clone(),
                };
                tokio::spawn(serve_connection(Box::new(stream), connection));
            }
        });
        Ok(Self {
            box_: memory,
            ca: authority.pem().as_bytes().to_vec(),
            _stop: stop,
        })
    }

    /// The next mail that came.
    pub(super) async fn next(&self, within: Duration) -> Option<Bytes> {
        tokio::time::timeout(within, async {
            loop {
                let news = self.box_.news.notified();
                let mail = {
                    let mut mails = self
                        .box_
                        .mails
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner);
                    (!mails.is_empty()).then(|| mails.remove(0))
                };
                match mail {
                    Some(mail) => return mail,
                    None => news.await,
                }
            }
        })
        .await
        .ok()
    }

    /// Sends a mail to the gateway's own door, with STARTTLS.
    pub(super) async fn send(
        &self,
        door: SocketAddr,
        from: &str,
        to: &str,
        mail: Vec<u8>,
    ) -> Result<String, Failure> {
        let sender = Sender::new(RelaySettings {
            host: door.ip().to_string(),
            port: door.port(),
            tls_name: Some("localhost".to_owned()),
            hello_name: "mail.eeas.example".to_owned(),
            ca_pem: self.ca.clone(),
            timeouts: Timeouts::default(),
            idle: 0,
        })
        .map_err(failed("the sender"))?;
        let head = SendMail {
            from: from.to_owned(),
            to: to.to_owned(),
            deadline_ms: 60_000,
            session: RelaySession {
                groups: vec!["X25519MLKEM768".to_owned()],
                tls13: true,
            },
        };
        match sender.send(&head, mail.into()).await {
            MailSent::Accepted { reply } => Ok(reply),
            MailSent::Temporary { reason }
            | MailSent::Permanent { reason }
            | MailSent::Unknown { reason } => Err(Failure::new(format!(
                "the mail door did not take the mail: {reason}"
            ))),
        }
    }
}

struct Tls(TlsAcceptor);

impl Upgrade for Tls {
    fn upgrade(
        &self,
        stream: BoxStream,
    ) -> BoxFuture<'_, std::io::Result<(BoxStream, TransportEvidence)>> {
        Box::pin(async move {
            let stream: BoxStream = Box::new(self.0.accept(stream).await?);
            Ok((
                stream,
                TransportEvidence::ServerTls {
                    group: String::new(),
                },
            ))
        })
    }
}

impl Gate for Memory {
    fn submit(&self, _: Inbound, raw: Bytes) -> BoxFuture<'_, Result<Reply, GateError>> {
        self.mails
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(raw);
        self.news.notify_one();
        Box::pin(async {
            Ok(Reply {
                status: 250,
                content_type: String::new(),
                headers: Vec::new(),
                body: ReplyBody::Whole(Bytes::from_static(b"2.0.0 taken")),
                per_recipient: Vec::new(),
            })
        })
    }

    fn upload<'a>(
        &'a self,
        _: PeerEvidence,
        _: String,
        _: Option<u64>,
        _: &'a mut dyn Chunks,
    ) -> BoxFuture<'a, Result<Reply, GateError>> {
        Box::pin(async { Err(GateError::Busy) })
    }

    fn ask(&self, _: PeerEvidence, _: Ask) -> BoxFuture<'_, Result<Reply, GateError>> {
        Box::pin(async { Err(GateError::Busy) })
    }

    fn refused(&self, _: DoorRefusal) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

/// The inner part that is signed and encrypted: the label stands in its first line.
pub(super) fn inner(marking: Option<&str>, subject: &str, text: &str) -> Vec<u8> {
    let marking = marking
        .map(|marking| format!("{marking}\r\n\r\n"))
        .unwrap_or_default();
    format!(
        "Content-Type: text/plain; charset=utf-8; protected-headers=\"v1\"\r\nSubject: {subject}\r\n\r\n{marking}{text}\r\n"
    )
    .into_bytes()
}

/// The PGP/MIME message around it (RFC 3156).
pub(super) fn outer(from: &str, to: &str, id: &str, date: &str, armored: &[u8]) -> Vec<u8> {
    let mut mail = format!(
        "From: {from}\r\nTo: {to}\r\nDate: {date}\r\nMessage-ID: <{id}@eeas.example>\r\nSubject: ...\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=\"{id}\"\r\n\r\n\
         --{id}\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n\r\n\
         --{id}\r\nContent-Type: application/octet-stream; name=\"encrypted.asc\"\r\n\r\n"
    );
    for line in String::from_utf8_lossy(armored).lines() {
        mail.push_str(line);
        mail.push_str("\r\n");
    }
    mail.push_str(&format!("\r\n--{id}--\r\n"));
    mail.into_bytes()
}

/// The armored message in a PGP/MIME mail.
pub(super) fn armored(mail: &[u8]) -> Option<Vec<u8>> {
    let text = String::from_utf8_lossy(mail);
    let (_, rest) = text.split_once("-----BEGIN PGP MESSAGE-----")?;
    let (body, _) = rest.split_once("-----END PGP MESSAGE-----")?;
    Some(format!("-----BEGIN PGP MESSAGE-----{body}-----END PGP MESSAGE-----\n").into_bytes())
}
