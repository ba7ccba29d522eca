//! The token's operations and the OpenPGP work of a message by themselves: the
//! same token, once its node has stopped, asked through the same custodian's
//! server in this process; one caller, by the clock.
//!
//! The token's module finds its store by an environment variable, so this is a
//! program of its own: [`measure`] starts it, [`run`] is it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chancery_hsm_api::{ContentKeys as _, KekId, MacUse, Macs as _, PgpSigning as _};
use chancery_hsm_custodian::{
    Book, ChainLog, Client, CustodianSettings, CustodyClient, Limits, PinSource, Server,
};
use chancery_hsm_pkcs11::{Module, Pin, Token, TokenConfig, Tries};
use chancery_machine::{SystemClock, SystemEntropy};
use chancery_mail::content::certificate::OwnCertificate;
use chancery_mail::content::{ReadKeys, RenderContext, read, render};
use chancery_message::{
    Channel, Clock as _, Inbound, Operation, Parsed, PeerEvidence, SignatureEvidence,
    TransportEvidence,
};
use chancery_pipeline::ports::{SenderCertificates, SendersError};
use chancery_world::node::DOMAIN;

use crate::node::Node;

/// Names of the rows that are no operation of the token.
pub(crate) const READ: &str = "OpenPGP: open and verify a mail";
pub(crate) const RENDER: &str = "OpenPGP: sign and encrypt a mail";

/// What each piece takes, by the custodian's name of the operation. `mail`: a
/// mail to the gateway, and the certificates of its writer and its reader.
pub(crate) fn measure(node: &Node, mail: &[PathBuf]) -> BTreeMap<String, Duration> {
    let output = Command::new(std::env::current_exe().unwrap())
        .arg("alone")
        .arg(node.path("node"))
        .args(mail)
        .env("KRYOPTIC_CONF", node.path("node/data/token/token.conf"))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "the pieces were not measured");
    let nanos: BTreeMap<String, u64> = serde_json::from_slice(&output.stdout).unwrap();
    nanos
        .into_iter()
        .map(|(name, nanos)| (name, Duration::from_nanos(nanos)))
        .collect()
}

type Times = BTreeMap<String, u64>;

/// The program: prints nanoseconds by name.
pub(crate) fn run(arguments: &[String]) {
    let node = Path::new(&arguments[0]);
    let server = open(node);
    let client = |who: Client| {
        let server = Arc::clone(&server);
        CustodyClient::new(move |request| Ok(server.handle(who, request).to_vec()))
    };
    let core = client(Client::Core);
    let mut times = Times::new();
    let (_, wrapped) = core.new_content_key(&KekId::Intake).unwrap();
    each(&mut times, "new-content-key", || {
        drop(core.new_content_key(&KekId::Intake).unwrap());
    });
    each(&mut times, "unwrap-key", || {
        drop(core.unwrap_key(&wrapped).unwrap());
    });
    let nc = KekId::Label {
        rank: 0,
        compartment: "csirt-alpha".parse().unwrap(),
    };
    each(&mut times, "rewrap-key", || {
        drop(core.rewrap_key(&wrapped, &nc).unwrap());
    });
    each(&mut times, "mac", || {
        core.mac(MacUse::Row, &[7; 64]).unwrap();
    });
    if let [_, mail, writer, reader] = arguments {
        each(&mut times, "pgp-sign", || {
            core.pgp_sign(&[7; 32]).unwrap();
        });
        let reading = client(Client::Reader(chancery_hsm_api::DoorZone::Mail));
        openpgp(&mut times, node, &core, &reading, [mail, writer, reader]);
    }
    println!("{}", serde_json::to_string(&times).unwrap());
}

/// The node's token, its settings, and a folder for this program's own state.
pub(crate) fn token(node: &Path) -> (Token, CustodianSettings, PathBuf) {
    let text = std::fs::read_to_string(node.join("chancery.toml")).unwrap();
    let mut file: toml::Table = text.parse().unwrap();
    let settings: CustodianSettings = file.remove("custodian").unwrap().try_into().unwrap();
    let PinSource::File(pin) = &settings.pin else {
        panic!("the PIN of a node made here is in a file")
    };
    let state = node.join("alone");
    std::fs::create_dir_all(&state).unwrap();
    let token = Token::open(
        Module::load(&node.join(&settings.token.module), None).unwrap(),
        TokenConfig {
            max_sessions: usize::try_from(settings.token.max_sessions).unwrap(),
            ..TokenConfig::new(settings.token.label.clone())
        },
        Pin::from_file(&node.join(pin)).unwrap(),
        Tries::new(state.join("tries")),
    )
    .unwrap();
    (token, settings, state)
}

/// The node's token behind a server, with a log of its own.
fn open(node: &Path) -> Arc<Server<Token>> {
    let (token, settings, state) = token(node);
    let log = Arc::new(ChainLog::open(&state.join("log"), || 0).unwrap());
    let book = Book::open(&state.join("book"), "chancery/alone", log.as_ref()).unwrap();
    let mut limits = Limits::for_sessions(settings.token.max_sessions);
    for limit in [&mut limits.core, &mut limits.readers] {
        limit.per_second = 1_000_000;
    }
    Arc::new(Server::new(token, book, log, limits))
}

/// Mean over a second.
fn each(times: &mut Times, name: &str, mut once: impl FnMut()) {
    once();
    let (begin, mut count) = (Instant::now(), 0_u32);
    while begin.elapsed() < Duration::from_secs(1) {
        once();
        count += 1;
    }
    let nanos = (begin.elapsed() / count).as_nanos();
    times.insert(name.to_owned(), u64::try_from(nanos).unwrap());
}

struct One(Vec<u8>);

impl SenderCertificates for One {
    fn certificates_for(&self, _address: &str) -> Result<Vec<Vec<u8>>, SendersError> {
        Ok(vec![self.0.clone()])
    }
}

/// The mail adapter's own reading and rendering, with the keys in the token.
fn openpgp(
    times: &mut Times,
    node: &Path,
    core: &CustodyClient,
    reading: &CustodyClient,
    [mail, writer, reader]: [&String; 3],
) {
    let file = |path: &str| std::fs::read(path).unwrap();
    let binary = |path: &str| chancery_mail::content::certificate::read_file(&file(path)).unwrap();
    let own = std::fs::read(node.join("data/openpgp.pgp")).unwrap();
    let own = OwnCertificate::parse(&own).unwrap();
    let (mail, senders) = (file(mail), One(binary(writer)));
    let domains = [DOMAIN.to_owned()];
    let inbound = Inbound {
        peer: PeerEvidence {
            channel: Channel::Mail,
            transport: TransportEvidence::Local,
            address: "local".to_owned(),
        },
        operation: Operation::Send,
        idempotency_key: None,
        envelope_to: vec![format!("cert-eu@{DOMAIN}")],
        envelope_from: None,
    };
    let now = SystemClock.now();
    let keys = ReadKeys {
        certificate: &own,
        decrypt: reading,
        senders: &senders,
        now,
        domains: &domains,
    };
    let Parsed::Whole(submission) = read(&inbound, &mail, &keys).unwrap() else {
        panic!("the mail was not read")
    };
    assert!(matches!(
        submission.signature,
        SignatureEvidence::Good { .. }
    ));
    each(times, READ, || drop(read(&inbound, &mail, &keys).unwrap()));
    let recipient = binary(reader);
    let context = RenderContext {
        certificate: &own,
        signer: core,
        own_address: "gateway@gateway.example.eu",
        domain: DOMAIN,
        to: "exchange@cert-eu.example",
        recipient_certificate: &recipient,
        now,
        entropy: &SystemEntropy,
    };
    let view = crate::view::of_a_kilobyte(now);
    each(times, RENDER, || drop(render(&view, &context).unwrap()));
}
