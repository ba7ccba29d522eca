//! One place for a channel's reader: which `content` module reads its bytes,
//! and with what.

use std::fs;
use std::time::Duration;

use chancery_hsm_api::DoorZone;
use chancery_hsm_custodian::CustodyClient;
use chancery_ipc::{Client, Limits, Links, Tag, blocking};
use chancery_machine::SystemClock;
use chancery_mail::content::certificate::OwnCertificate;
use chancery_message::{Clock as _, Inbound, Parsed};
use chancery_pipeline::protocol::ReplyHead;
use chancery_settings::Settings;

use crate::senders::CoreSenders;
use crate::start::{Failure, failed};

/// How long the token may take to decrypt.
const DECRYPTION: Duration = Duration::from_secs(10);

/// What a reader opens before the sandbox.
pub(crate) struct Files {
    /// The gateway's own OpenPGP certificate (mail).
    certificate: Vec<u8>,
}

impl Files {
    pub(crate) fn open(settings: &Settings, zone: DoorZone) -> Result<Self, Failure> {
        let certificate = if zone == DoorZone::Mail {
            let file = settings.node.data.join("openpgp.pgp");
            fs::read(&file).map_err(failed(&file.display().to_string()))?
        } else {
            Vec::new()
        };
        Ok(Self { certificate })
    }
}

/// What reads a channel's bytes.
pub(crate) enum Channel {
    Mail(Box<MailReader>, usize),
    Siena(usize),
    Rest(usize),
}

/// What the mail reader reads with.
pub(crate) struct MailReader {
    certificate: OwnCertificate,
    domains: Vec<String>,
    custody: CustodyClient,
    senders: CoreSenders,
}

impl Channel {
    pub(crate) fn new(
        zone: DoorZone,
        settings: &Settings,
        files: &Files,
        links: &Links,
        core: &Client,
    ) -> Result<Self, Failure> {
        let largest = usize::try_from(settings.limits.message_bytes).unwrap_or(usize::MAX);
        Ok(match zone {
            DoorZone::Mail => {
                let custodian = blocking::Channel::new(
                    links,
                    Tag::fixed("custodian.reader-mail"),
                    Limits::secret(),
                )
                .map_err(failed("the custodian's link"))?;
                let reader = MailReader {
                    certificate: OwnCertificate::parse(&files.certificate)
                        .map_err(failed("the gateway's OpenPGP certificate"))?,
                    domains: settings
                        .doors
                        .mail
                        .as_ref()
                        .map(|mail| mail.domains.clone())
                        .unwrap_or_default(),
                    custody: CustodyClient::new(move |request| {
                        custodian.roundtrip(request, DECRYPTION)
                    }),
                    senders: CoreSenders::new(core.clone(), tokio::runtime::Handle::current()),
                };
                Self::Mail(Box::new(reader), largest)
            }
            DoorZone::Siena => Self::Siena(largest),
            DoorZone::Rest => Self::Rest(largest),
        })
    }

    /// The way to the custodian, which the mail reader alone has.
    pub(crate) const fn custody(&self) -> Option<&CustodyClient> {
        match self {
            Self::Mail(mail, _) => Some(&mail.custody),
            Self::Siena(_) | Self::Rest(_) => None,
        }
    }

    /// The answer to a message that could not be judged now.
    pub(crate) fn not_now(&self) -> ReplyHead {
        ReplyHead {
            status: match self {
                Self::Mail(..) => 451,
                Self::Siena(_) | Self::Rest(_) => 503,
            },
            content_type: "text/plain".to_owned(),
            headers: Vec::new(),
            per_recipient: Vec::new(),
            length: 0,
        }
    }

    /// The most bytes that a message may have.
    pub(crate) const fn largest(&self) -> usize {
        match self {
            Self::Mail(_, largest) | Self::Siena(largest) | Self::Rest(largest) => *largest,
        }
    }

    /// Reads a message.
    ///
    /// # Errors
    /// Why it could not be judged now: the peer may send it again.
    pub(crate) fn read(&self, inbound: &Inbound, raw: &[u8]) -> Result<Parsed, String> {
        let now = SystemClock.now();
        let Some(today) = now.date() else {
            return Err("the gateway's clock is out of range".to_owned());
        };
        match self {
            Self::Mail(mail, _) => {
                let keys = chancery_mail::content::ReadKeys {
                    certificate: &mail.certificate,
                    decrypt: &mail.custody,
                    senders: &mail.senders,
                    now,
                    domains: &mail.domains,
                };
                chancery_mail::content::read(inbound, raw, &keys).map_err(|error| error.to_string())
            }
            Self::Siena(_) => Ok(chancery_siena::content::read(inbound, raw, today)),
            Self::Rest(_) => Ok(chancery_rest::content::read(inbound, raw, today)),
        }
    }
}
