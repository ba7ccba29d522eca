//! Serving: the order in which a daemon starts (module and login, sockets,
//! sandbox, and only then threads), and the sockets.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chancery_hsm_api::{DoorZone, KeyStore};
use chancery_hsm_custodian::{Book, Client, CustodianSettings, Hardening, Recorder, Server};
use chancery_hsm_pkcs11::Token;
use chancery_ipc::{Command, Incoming, Limits, Links, Side, Tag, connection};
use chancery_sandbox::{Grants, Profile};

use crate::house::House;
use crate::{Failure, commands, environment, memory, office, settings, watch};

/// Who asks on which link.
const LINKS: [(Tag, Client); 6] = [
    (Tag::fixed("custodian.core"), Client::Core),
    (
        Tag::fixed("custodian.door-mail"),
        Client::Door(DoorZone::Mail),
    ),
    (
        Tag::fixed("custodian.door-siena"),
        Client::Door(DoorZone::Siena),
    ),
    (
        Tag::fixed("custodian.door-rest"),
        Client::Door(DoorZone::Rest),
    ),
    (
        Tag::fixed("custodian.reader-mail"),
        Client::Reader(DoorZone::Mail),
    ),
    (Tag::fixed("custodian.admin"), Client::Admin),
];

/// Where systemd puts the sockets; the custodian itself connects nowhere.
const RUN: &str = "/run/chancery";

/// Threads that may wait for the token at once.
const WAITING_THREADS: usize = 128;

/// How long a token that is not there is waited for between two looks.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Opens everything, goes into the sandbox, and answers until it is stopped.
pub(crate) fn serve(settings: &CustodianSettings) -> Result<(), Failure> {
    let house = House::open(settings)?;
    let token = token(settings, &house)?;
    let links = Links::from_process(Path::new(RUN))?;
    // Under `chancery run` custodians ask by path; on an appliance a unit has it.
    links
        .bind(
            &Tag::fixed("custodian.admin"),
            &settings.state_dir.join("admin.sock"),
        )
        .map_err(Failure::system("open the officers' socket"))?;
    let governance = office::govern(settings, &house, &token)?;
    let book_file = settings.state_dir.join("checkpoints.json");
    let book = Book::open(&book_file, &settings.log_origin, house.log.as_ref())?;
    house.record(
        "custodian.started",
        format!("token {}", settings.token.label),
    )?;
    memory::lock();
    sandbox(settings)?;

    let log: Arc<dyn Recorder> = Arc::<chancery_hsm_custodian::ChainLog>::clone(&house.log);
    let server = Server::new(token, book, log, settings::limits(settings));
    let server = Arc::new(server.with_governance(governance));
    links.start().map_err(Failure::system("receive sockets"))?;
    let hanging = Duration::from_secs(u64::from(settings.token.hanging_secs));
    watch::start(&server, hanging).map_err(Failure::system("start the watch"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(WAITING_THREADS)
        .enable_all()
        .build()
        .map_err(Failure::system("start the runtime"))?;
    runtime.block_on(answer(&links, &server))?;
    // What was asked before the stop is answered; new connections are not.
    runtime.shutdown_timeout(Duration::from_secs(5));
    house.record("custodian.stopped", String::new())
}

/// The token. One that is not there now may come: then by a new look of a new
/// program, since some modules look once.
fn token(settings: &CustodianSettings, house: &House) -> Result<Token, Failure> {
    let opened =
        commands::load(settings).and_then(|module| commands::open(settings, house, module));
    match opened {
        Err(Failure::Key(error)) if error.kind.is_transient() => {
            tracing::warn!(%error, "waiting for the token");
            watch::pause(LOOK_AGAIN);
            Err(environment::again(|same| same))
        }
        Err(failure) => {
            house.record_refusal("custodian.start", failure.to_string())?;
            Err(failure)
        }
        Ok(token) => Ok(token),
    }
}

fn sandbox(settings: &CustodianSettings) -> Result<(), Failure> {
    let token = &settings.token;
    let mut write = vec![settings.state_dir.clone()];
    write.extend(token.store.clone());
    write.extend(token.writes.iter().cloned());
    let grants = Grants {
        read: token.reads.clone(),
        write,
        connect: token.ports.clone(),
        unix: false,
    };
    let profile = if token.ports.is_empty() {
        &Profile::CUSTODIAN
    } else {
        &Profile::CUSTODIAN_NETWORK
    };
    let hardening = match settings.hardening {
        Hardening::Required => chancery_sandbox::Hardening::Required,
        Hardening::BestEffort => chancery_sandbox::Hardening::BestEffort,
    };
    chancery_sandbox::apply(profile, &grants, hardening)?;
    Ok(())
}

async fn answer(links: &Links, server: &Arc<Server<Token>>) -> Result<(), Failure> {
    for (tag, client) in LINKS {
        tokio::spawn(answer_link(links.clone(), tag, client, Arc::clone(server)));
    }
    links
        .ready()
        .map_err(Failure::system("say that it serves"))?;
    tracing::info!("serving");
    let mut commands = links.commands();
    loop {
        match commands.next().await {
            Command::Stop => return Ok(()),
            // Nothing is read again: a new PIN or module needs a new process.
            Command::Reload => {}
        }
    }
}

/// Answers on one link until the links end. Every connection on it is that
/// link's client, whatever it says.
pub async fn answer_link<K: KeyStore + 'static>(
    links: Links,
    tag: Tag,
    client: Client,
    server: Arc<Server<K>>,
) {
    loop {
        match links.accept(&tag).await {
            Ok(stream) => {
                let (caller, mut incoming) = connection(stream, Side::Server, Limits::secret());
                let server = Arc::clone(&server);
                tokio::spawn(async move {
                    while let Some(request) = incoming.next().await {
                        answer_one(Arc::clone(&server), client, request);
                    }
                    drop(caller);
                });
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                tracing::info!(%tag, "this link has no socket: nobody asks by it");
                return;
            }
            Err(error) => {
                tracing::error!(%tag, %error, "a connection was not taken");
                return;
            }
        }
    }
}

/// Answers one request, on a thread that may wait.
fn answer_one<K: KeyStore + 'static>(server: Arc<Server<K>>, client: Client, request: Incoming) {
    tokio::task::spawn_blocking(move || {
        let answer = server.handle(client, &request.header);
        if let Err(error) = request.reply_bytes(Bytes::from_owner(answer)) {
            tracing::debug!(%client, %error, "nobody waits for the answer any more");
        }
    });
}
