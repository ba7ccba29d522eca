//! The officers' link: every order is signed by the officer who gives it.

use std::path::PathBuf;

use bytes::Bytes;
use chancery_hsm_api::approval as form;
use chancery_ipc::{Limits, Side, connection};
use chancery_machine::SystemClock;
use chancery_message::{Clock as _, OfficerId};
use chancery_pipeline::officers::{Answer, LONG, LONG_ORDER, Order, Request};
use chancery_policy::approval::{Record, Vote};
use chancery_settings::Settings;
use serde_json::Value;
use tokio::net::UnixStream;

use crate::failure::{Failure, failed};
use crate::own_key::OfficerKey;

/// How long an order is good for.
const GOOD_FOR: std::time::Duration = std::time::Duration::from_secs(300);

/// Who orders, of which node.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Desk {
    /// The node's settings: they say where its officers' socket is.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "chancery.toml",
        global = true
    )]
    pub(crate) config: PathBuf,
    /// Your id as an officer.
    #[arg(long, value_name = "ID", global = true)]
    pub(crate) officer: Option<OfficerId>,
    /// Your private key: a file (PKCS#8 in PEM, encrypted or not), or a key in
    /// your own token: pkcs11:token=LABEL;object=KEY?module-path=/PATH.so, with
    /// &pin-source=file:/PATH where the PIN is not to be asked for.
    #[arg(long, value_name = "FILE|URI", global = true)]
    pub(crate) key: Option<PathBuf>,
    /// The file with the key's passphrase.
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) passphrase_file: Option<PathBuf>,
}

/// An officer with the key to sign orders.
pub(crate) struct Officer {
    node: String,
    socket: PathBuf,
    id: OfficerId,
    key: OfficerKey,
}

impl Desk {
    /// Opens the officer's key.
    pub(crate) fn open(&self) -> Result<Officer, Failure> {
        let settings =
            Settings::load(&self.config).map_err(|error| Failure::new(error.to_string()))?;
        let id = self
            .officer
            .clone()
            .ok_or_else(|| Failure::usage("--officer ID: who orders it"))?;
        let file = self
            .key
            .as_deref()
            .ok_or_else(|| Failure::usage("--key FILE or pkcs11:…: the officer's private key"))?;
        let key = OfficerKey::open(file, self.passphrase_file.as_deref())?;
        Ok(Officer {
            node: settings.node.name,
            socket: settings.node.run.join("admin.sock"),
            id,
            key,
        })
    }
}

// === impl Officer ===

impl Officer {
    /// The officer's id.
    pub(crate) fn name(&self) -> &str {
        self.id.as_str()
    }

    /// Signs a record, whatever it is about.
    pub(crate) fn sign(&self, record: form::Record) -> Result<form::Signed, Failure> {
        record
            .sign(self.id.as_str(), &self.key)
            .map_err(failed("the approval"))
    }

    /// Gives an order; the lines of the answer.
    pub(crate) async fn order(&self, request: Request) -> Result<Vec<Bytes>, Failure> {
        let digest = request
            .digest()
            .map_err(|refusal| Failure::new(refusal.detail))?;
        self.signed(request, digest, Vote::Approve).await
    }

    /// The same with a vote of its own.
    pub(crate) async fn order_voting(
        &self,
        request: Request,
        vote: Vote,
    ) -> Result<Vec<Bytes>, Failure> {
        let digest = request
            .digest()
            .map_err(|refusal| Failure::new(refusal.detail))?;
        self.signed(request, digest, vote).await
    }

    /// Who signs files of rules.
    pub(crate) fn signer(&self) -> crate::signing::Signer {
        crate::signing::Signer {
            id: self.id.clone(),
            key: self.key.clone(),
        }
    }

    /// Votes in a case whose digest is this one.
    pub(crate) async fn vote(
        &self,
        case: &str,
        digest: [u8; 32],
        vote: Vote,
    ) -> Result<Vec<Bytes>, Failure> {
        self.signed(
            Request::Vote {
                case: case.to_owned(),
            },
            digest,
            vote,
        )
        .await
    }

    async fn signed(
        &self,
        request: Request,
        digest: [u8; 32],
        vote: Vote,
    ) -> Result<Vec<Bytes>, Failure> {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).map_err(failed("the system gives no random bytes"))?;
        let record = Record {
            node: self.node.clone(),
            operation: request.operation().to_owned(),
            digest,
            vote,
            nonce,
            not_after: SystemClock.now().after(GOOD_FOR),
        };
        let signed = record
            .sign(self.id.clone(), &self.key)
            .map_err(failed("the order"))?;
        let order = serde_json::to_vec(&Order { request, signed }).map_err(failed("the order"))?;
        self.send(order.into()).await
    }

    async fn send(&self, order: Bytes) -> Result<Vec<Bytes>, Failure> {
        let gone = || failed::<chancery_ipc::Error>("the node ended the officers' link");
        let stream = UnixStream::connect(&self.socket)
            .await
            .map_err(failed(format!(
                "{} cannot be reached; does the node run?",
                self.socket.display()
            )))?;
        let (caller, _incoming) = connection(stream, Side::Client, Limits::default());
        let long = order.len() > LONG;
        let header = if long {
            Bytes::from_static(LONG_ORDER)
        } else {
            order.clone()
        };
        let exchange = caller.open_bytes(header).await.map_err(gone())?;
        let (mut send, mut receive) = (exchange.send, exchange.receive);
        if long {
            send.data(order).await.map_err(gone())?;
        }
        send.finish().map_err(gone())?;
        let answer = receive.header_bytes().await.map_err(gone())?;
        let answer: Answer =
            serde_json::from_slice(&answer).map_err(failed("the node's answer"))?;
        if let Answer::Refused { kind, detail } = answer {
            return Err(Failure::new(format!("{detail} ({kind})")));
        }
        let mut lines = Vec::new();
        let mut rest: Vec<u8> = Vec::new();
        while let Some(piece) = receive.next().await {
            rest.extend_from_slice(&piece.map_err(gone())?);
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let after = rest.split_off(end + 1);
                rest.pop();
                lines.push(Bytes::from(std::mem::replace(&mut rest, after)));
            }
        }
        if rest.is_empty() {
            Ok(lines)
        } else {
            Err(Failure::new("the node's answer broke off: try again"))
        }
    }
}

/// The lines as JSON values.
pub(crate) fn values(lines: &[Bytes]) -> Result<Vec<Value>, Failure> {
    lines
        .iter()
        .map(|line| serde_json::from_slice(line).map_err(failed("the node's answer")))
        .collect()
}

/// A text member of a JSON object; empty where there is none.
pub(crate) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
