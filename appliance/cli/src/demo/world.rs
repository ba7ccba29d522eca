//! The demo's world: the node, the participants' ends, the officers.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use chancery_hsm_api::DoorZone;
use chancery_message::{OfficerId, ParticipantId};

use super::mail::{Gpg, Relay};
use super::node::Node;
use crate::failure::{Failure, failed};
use crate::init::backing::Backing;
use crate::init::{self, Places, Plan};
use crate::officers::{Desk, Officer};
use crate::participant::{Kind, enroll_mail, enroll_tls, may_see};
use crate::rest::client::Client;
use crate::{files, out};

/// Who has which end.
const REST: [&str; 5] = [
    "csirt-alpha",
    "cert-eu",
    "eu-military-staff",
    "vendor-sentinel",
    "vendor-bastion",
];
const SIENA: [&str; 2] = ["europol-ec3", "spoc-fra"];
/// Who writes mail, and from where. The first is reached by mail; the other
/// writes mail too, and is reached by REST.
const WRITERS: [(&str, &str); 2] = [
    ("eeas-intcen", "intcen@eeas.example"),
    ("cert-eu", "exchange@cert-eu.example"),
];
/// The gateway's mail domain.
pub(super) const DOMAIN: &str = "gateway.example.eu";

/// Everything.
pub(super) struct World {
    pub(super) root: PathBuf,
    pub(super) places: Places,
    pub(super) node: Node,
    pub(super) smtp: SocketAddr,
    pub(super) mail: Option<Correspondence>,
    clients: BTreeMap<String, Client>,
    canaries: Vec<String>,
    /// Opened keys: each is kept under a passphrase that costs time on purpose.
    officers: Mutex<BTreeMap<String, Arc<Officer>>>,
    pub(super) next_record: u64,
}

/// The participants who write mail: their keys, and the server that takes their mail.
pub(super) struct Correspondence {
    writers: BTreeMap<&'static str, Gpg>,
    pub(super) relay: Relay,
    pub(super) gateway_key: String,
}

impl Correspondence {
    /// A participant's keys.
    pub(super) fn gpg(&self, id: &str) -> Result<&Gpg, Failure> {
        self.writers
            .get(id)
            .ok_or_else(|| Failure::new(format!("the demo has no gpg of {id}")))
    }
}

impl World {
    /// Makes the node and everybody's keys, and starts it.
    pub(super) async fn build(
        root: &Path,
        zones: &[DoorZone],
        programs: PathBuf,
        backing: Backing,
        log: &str,
        json: bool,
    ) -> Result<Self, Failure> {
        let mut writers = BTreeMap::new();
        for (id, address) in WRITERS {
            if zones.contains(&DoorZone::Mail) {
                let home = root.join("people").join(id).join("gnupg");
                writers.insert(id, Gpg::make(&home, address)?);
            }
        }
        let [rest, siena, smtp, relay] = free_ports()?;
        let step = |text: &str| {
            if !json {
                let _told = out::line(format_args!("  {text}"));
            }
        };
        let plan = Plan {
            dir: root.join("node"),
            examples: true,
            name: "demo".to_owned(),
            host: "localhost".to_owned(),
            zones: zones.to_vec(),
            rest,
            siena,
            smtp: Some(smtp),
            lmtp: None,
            mail_domain: DOMAIN.to_owned(),
            relay: ("127.0.0.1".to_owned(), relay.port()),
            relay_ca: None,
            backing,
            programs: programs.clone(),
            passphrase: None,
            best_effort: true,
        };
        let places = init::make(&plan, step)?;
        step("participants and their keys");
        let mut profiles = Vec::new();
        for (ids, kind, zone) in [
            (&REST[..], Kind::Rest, DoorZone::Rest),
            (&SIENA[..], Kind::Siena, DoorZone::Siena),
        ] {
            for id in ids.iter().filter(|_| zones.contains(&zone)) {
                let participant = parsed(id)?;
                let folder = root.join("people").join(id);
                profiles.push((
                    *id,
                    enroll_tls(&places.config(), &participant, kind, &folder)?,
                ));
            }
        }
        // Their MoU has expired: without this, the one would not know of the other.
        may_see(
            &places.config(),
            &parsed("cert-eu")?,
            &parsed("eu-military-staff")?,
        )?;
        let mut relay_end = None;
        for (id, gpg) in &writers {
            let certificate = gpg.certificate()?;
            enroll_mail(&places.config(), &parsed(id)?, certificate.as_bytes(), None)?;
        }
        if !writers.is_empty() {
            relay_end = Some(Relay::start(relay, &places).await?);
        }
        // The first officers' keys are still here: they sign the directory as it is now.
        crate::signing::here(&places.config())?;
        files::folder(&root.join("people/auditor"))?;
        step("daemons");
        let node = Node::start(&places.config(), &programs, log, root.join("node.log")).await?;
        let mail = match relay_end {
            Some(relay) => {
                let mut gateway_key = String::new();
                for gpg in writers.values() {
                    gateway_key = gpg.import(&places.dir.join("data/openpgp.pgp"))?;
                }
                Some(Correspondence {
                    writers,
                    relay,
                    gateway_key,
                })
            }
            None => None,
        };
        let clients = profiles
            .into_iter()
            .map(|(id, profile)| Ok((id.to_owned(), Client::open(&profile)?)))
            .collect::<Result<_, Failure>>()?;
        Ok(Self {
            root: root.to_owned(),
            places,
            node,
            smtp,
            mail,
            clients,
            canaries: Vec::new(),
            officers: Mutex::default(),
            next_record: 0,
        })
    }

    /// A participant's end by REST or SIENA-style exchange.
    pub(super) fn client(&self, id: &str) -> Result<&Client, Failure> {
        self.clients
            .get(id)
            .ok_or_else(|| Failure::new(format!("the demo has no client of {id}")))
    }

    /// The participants with a client on this channel.
    pub(super) fn clients_of(&self, zone: DoorZone) -> impl Iterator<Item = (&str, &Client)> {
        let ids: &[&str] = match zone {
            DoorZone::Rest => &REST,
            DoorZone::Siena => &SIENA,
            DoorZone::Mail => &[],
        };
        ids.iter()
            .filter_map(|id| Some((*id, self.clients.get(*id)?)))
    }

    /// An officer's desk.
    pub(super) fn officer(&self, id: &str) -> Result<Arc<Officer>, Failure> {
        let mut open = self.officers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(officer) = open.get(id) {
            return Ok(Arc::clone(officer));
        }
        let name: OfficerId = id.parse().map_err(failed(id))?;
        let desk = Desk {
            config: self.places.config(),
            key: Some(self.places.officers().join(format!("{id}.key"))),
            officer: Some(name),
            passphrase_file: Some(self.places.officers().join("passphrase")),
        };
        let officer = Arc::new(desk.open()?);
        open.insert(id.to_owned(), Arc::clone(&officer));
        Ok(officer)
    }

    /// A word that stands nowhere else, to search for.
    pub(super) fn canary(&mut self) -> Result<String, Failure> {
        let mut bytes = [0; 12];
        getrandom::fill(&mut bytes).map_err(failed("the system gives no random bytes"))?;
        let word = format!("canary{}", hex::encode(bytes));
        self.canaries.push(word.clone());
        Ok(word)
    }

    /// All such words so far.
    pub(super) fn canaries(&self) -> Vec<String> {
        self.canaries.clone()
    }
}

fn parsed(id: &str) -> Result<ParticipantId, Failure> {
    id.parse().map_err(failed(id))
}

/// Four ports that nobody uses now.
fn free_ports() -> Result<[SocketAddr; 4], Failure> {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed("a free port"));
    // All at once, so that they differ.
    let all = [bind()?, bind()?, bind()?, bind()?];
    let mut ports = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)); 4];
    for (port, listener) in ports.iter_mut().zip(&all) {
        *port = listener.local_addr().map_err(failed("a free port"))?;
    }
    Ok(ports)
}
