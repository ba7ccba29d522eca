//! Outgoing mail: one message to one recipient in one transaction, over
//! required TLS, to the one configured relay.
//!
//! The answer says what the relay holds. Before the final dot nothing was
//! taken, so that any failure is temporary or permanent; after it, and before
//! the reply, nobody knows: [`MailSent::Unknown`], which is never retried
//! without a decision.

mod agreed;
mod capped;
mod outcome;

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use chancery_pipeline::protocol::{MailSent, RelaySession, SendMail};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters, TlsParametersBuilder,
    TlsVersion,
};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::{Error, response::Response};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout, timeout_at};

use self::agreed::Agreed;
use self::capped::{Budget, Capped};
use self::outcome::{Finish, check, refused, said, spoken, temporary};
use crate::address::Address;

/// The relay that takes all outgoing mail.
#[derive(Clone, Debug)]
pub struct Relay {
    /// Its host name or address; the certificate must be for it unless
    /// `tls_name` says otherwise.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The name that its certificate must carry.
    pub tls_name: Option<String>,
    /// The name that the gateway says hello with: a domain name.
    pub hello_name: String,
    /// The CA certificates that the relay's certificate may chain to, PEM.
    /// The system's are never used.
    pub ca_pem: Vec<u8>,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// Connections kept open between messages.
    pub idle: usize,
}

/// How long sending may take (RFC 5321 section 4.5.3.2).
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// Connecting, with the TLS handshake and EHLO.
    pub connect: Duration,
    /// Each command.
    pub command: Duration,
    /// The message with the reply after it.
    pub message: Duration,
    /// After which an unused connection is not used again.
    pub idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            command: Duration::from_secs(60),
            message: Duration::from_secs(600),
            idle: Duration::from_secs(20),
        }
    }
}

/// The relay's settings cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RelayError {
    /// The CA file.
    #[error(
        "the relay's CA certificates cannot be read: {0}; give a PEM file with at least one certificate"
    )]
    Ca(String),
    /// The TLS configuration.
    #[error("TLS to the relay cannot be set up: {0}")]
    Tls(String),
    /// The hello name.
    #[error("`{0}` is not a domain name to say hello with")]
    Hello(String),
}

/// Sends to the relay. Cheap to share; connections are kept between messages.
pub struct Sender {
    relay: Relay,
    hello: ClientId,
    idle: Mutex<Vec<Kept>>,
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("relay", &self.relay.host)
            .finish_non_exhaustive()
    }
}

struct Kept {
    connection: AsyncSmtpConnection,
    budget: Budget,
    since: Instant,
    agreed: Option<Agreed>,
}

impl Sender {
    /// For this relay.
    ///
    /// # Errors
    /// [`RelayError`]: nothing was connected to yet.
    pub fn new(relay: Relay) -> Result<Self, RelayError> {
        let hello = format!("x@{}", relay.hello_name);
        if Address::parse(&hello, false).is_err() {
            return Err(RelayError::Hello(relay.hello_name));
        }
        agreed::install();
        let _checked = parameters(&relay)?;
        Ok(Self {
            hello: ClientId::Domain(relay.hello_name.clone()),
            relay,
            idle: Mutex::new(Vec::new()),
        })
    }

    /// Sends one rendered mail. `head.deadline_ms` counts from this call: after
    /// it the message's octets are not begun.
    pub async fn send(&self, head: &SendMail, mail: Bytes) -> MailSent {
        let deadline = Instant::now() + Duration::from_millis(u64::from(head.deadline_ms));
        if let Err(reason) = check(&mail) {
            return MailSent::Permanent {
                reason: reason.to_owned(),
            };
        }
        let (Ok(from), Ok(to)) = (
            Address::parse(&head.from, false),
            Address::parse(&head.to, false),
        ) else {
            return MailSent::Permanent {
                reason: "the envelope's address is not one that this gateway sends to".to_owned(),
            };
        };
        let (Ok(from), Ok(to)) = (from.as_str().parse(), to.as_str().parse()) else {
            return MailSent::Permanent {
                reason: "the envelope's address cannot be written".to_owned(),
            };
        };
        let begun = timeout_at(deadline, self.begin(from, to, &mail, &head.session)).await;
        let mut kept = match begun {
            Ok(Err(sent)) => return sent,
            Ok(Ok(kept)) if Instant::now() < deadline => kept,
            Ok(Ok(_)) | Err(_) => {
                return temporary("the deadline passed before the relay was ready".to_owned());
            }
        };
        let finished = Finish::new(&mail);
        let data = kept.connection.message_iter(finished.pieces());
        let sent = match timeout(self.relay.timeouts.message, data).await {
            Ok(Ok(response)) => {
                let reply = spoken(&response);
                self.keep(kept).await;
                return MailSent::Accepted { reply };
            }
            Ok(Err(error)) if error.status().is_some() => refused(&error),
            Ok(Err(error)) => finished.broken(&said(&error)),
            Err(_) => finished.broken("the relay did not answer in time"),
        };
        // A connection that failed is not used again.
        drop(kept);
        sent
    }

    /// All that comes before the message's octets.
    async fn begin(
        &self,
        from: lettre::Address,
        to: lettre::Address,
        mail: &[u8],
        wanted: &RelaySession,
    ) -> Result<Kept, MailSent> {
        if let Some(mut kept) = self.reuse().await
            && fits(kept.agreed, wanted).is_ok()
        {
            match self
                .envelope(&mut kept.connection, from.clone(), to.clone(), mail)
                .await
            {
                Ok(()) => return Ok(kept),
                // A relay may have closed it meanwhile: a new connection decides.
                Err(Trouble::Smtp(error)) if error.status().is_some() => {
                    return Err(refused(&error));
                }
                Err(_) => {}
            }
        }
        let mut kept = self.connect().await?;
        fits(kept.agreed, wanted).map_err(|reason| MailSent::Permanent { reason })?;
        match self.envelope(&mut kept.connection, from, to, mail).await {
            Ok(()) => Ok(kept),
            Err(Trouble::Smtp(error)) if error.status().is_some() => Err(refused(&error)),
            Err(Trouble::Smtp(error)) => Err(temporary(said(&error))),
            Err(Trouble::Silent) => Err(temporary("the relay did not answer in time".to_owned())),
        }
    }

    async fn reuse(&self) -> Option<Kept> {
        let mut idle = self.idle.lock().await;
        let now = Instant::now();
        idle.retain(|kept| now.duration_since(kept.since) < self.relay.timeouts.idle);
        let kept = idle.pop()?;
        kept.budget.renew();
        Some(kept)
    }

    async fn keep(&self, mut kept: Kept) {
        if kept.connection.has_broken() {
            return;
        }
        kept.since = Instant::now();
        let mut idle = self.idle.lock().await;
        if idle.len() < self.relay.idle {
            idle.push(kept);
            return;
        }
        drop(idle);
        // Polite, no more: the message was taken.
        let _goodbye = timeout(Duration::from_secs(2), kept.connection.quit()).await;
    }

    async fn connect(&self) -> Result<Kept, MailSent> {
        let budget = Budget::new();
        let work = async {
            let stream = TcpStream::connect((self.relay.host.as_str(), self.relay.port))
                .await
                .map_err(|error| format!("the relay cannot be reached: {error}"))?;
            // A command and its end are small records: held back until the
            // relay confirms the one before, each costs 40 ms.
            stream
                .set_nodelay(true)
                .map_err(|error| format!("the connection to the relay: {error}"))?;
            let stream = Capped::new(stream, budget.clone());
            let mut connection =
                AsyncSmtpConnection::connect_with_transport(Box::new(stream), &self.hello)
                    .await
                    .map_err(|error| said(&error))?;
            if !connection.can_starttls() {
                return Err(
                    "the relay offers no STARTTLS, and mail does not go without it".to_owned(),
                );
            }
            let tls = parameters(&self.relay).map_err(|error| error.to_string())?;
            let (done, agreed) = agreed::watch(connection.starttls(tls, &self.hello)).await;
            done.map_err(|error| format!("no TLS with the relay: {}", said(&error)))?;
            if !connection.is_encrypted() {
                return Err("the connection to the relay is not encrypted".to_owned());
            }
            Ok((connection, agreed))
        };
        match timeout(self.relay.timeouts.connect, work).await {
            Ok(Ok((connection, agreed))) => {
                budget.renew();
                Ok(Kept {
                    connection,
                    budget,
                    since: Instant::now(),
                    agreed,
                })
            }
            Ok(Err(reason)) => Err(temporary(reason)),
            Err(_) => Err(temporary("the relay did not greet in time".to_owned())),
        }
    }

    /// MAIL, RCPT, DATA.
    async fn envelope(
        &self,
        connection: &mut AsyncSmtpConnection,
        from: lettre::Address,
        to: lettre::Address,
        mail: &[u8],
    ) -> Result<(), Trouble> {
        let mut options = Vec::new();
        if !mail.is_ascii()
            && connection
                .server_info()
                .supports_feature(Extension::EightBitMime)
        {
            options.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        let within = self.relay.timeouts.command;
        let work = connection.command(Mail::new(Some(from), options));
        settle(timeout(within, work).await)?;
        let work = connection.command(Rcpt::new(to, Vec::new()));
        settle(timeout(within, work).await)?;
        let work = connection.command(Data);
        settle(timeout(within, work).await)
    }
}

/// How TLS is begun: anew for each connection, so that none is resumed. In a
/// resumed session of TLS 1.2 nothing is agreed on that could be judged.
fn parameters(relay: &Relay) -> Result<TlsParameters, RelayError> {
    let begin = b"-----BEGIN CERTIFICATE-----";
    if !relay
        .ca_pem
        .windows(begin.len())
        .any(|window| window == begin)
    {
        return Err(RelayError::Ca("no certificate in it".to_owned()));
    }
    let roots =
        Certificate::from_pem(&relay.ca_pem).map_err(|error| RelayError::Ca(error.to_string()))?;
    let name = relay.tls_name.clone().unwrap_or_else(|| relay.host.clone());
    TlsParametersBuilder::new(name)
        .certificate_store(CertificateStore::None)
        .add_root_certificate(roots)
        .set_min_tls_version(TlsVersion::Tlsv12)
        .build_rustls()
        .map_err(|error| RelayError::Tls(error.to_string()))
}

/// Whether a session with the relay may carry the mail.
fn fits(agreed: Option<Agreed>, wanted: &RelaySession) -> Result<(), String> {
    let Some(agreed) = agreed else {
        return Err("it is not known what was agreed on with the relay".to_owned());
    };
    if wanted.tls13 && !agreed.tls13 {
        return Err("the relay speaks TLS 1.2, and the message's level wants TLS 1.3".to_owned());
    }
    let group = agreed.group();
    if wanted.groups.contains(&group) {
        return Ok(());
    }
    Err(format!(
        "the key exchange with the relay (`{group}`) is not allowed for the message's level: it wants {}",
        wanted.groups.join(" or ")
    ))
}

enum Trouble {
    Smtp(Error),
    Silent,
}

fn settle(
    answer: Result<Result<Response, Error>, tokio::time::error::Elapsed>,
) -> Result<(), Trouble> {
    match answer {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(Trouble::Smtp(error)),
        Err(_) => Err(Trouble::Silent),
    }
}
