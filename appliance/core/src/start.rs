//! The order in which core starts: settings, links and the officers' socket,
//! sandbox, and only then threads, database and keys.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chancery_audit::{Actor, Event, EventKind, Key, LogId};
use chancery_hsm_api::MacUse;
use chancery_hsm_custodian::CustodyClient;
use chancery_ipc::{Command, Limits, Links, Tag, blocking::Channel};
use chancery_machine::{SystemClock, SystemEntropy};
use chancery_mail::content::certificate::OwnCertificate;
use chancery_message::Clock as _;
use chancery_pipeline::gateway::{Gateway, Node, Times};
use chancery_pipeline::ports::Step;
use chancery_pipeline::stages::{consent, due, idempotency, receipt, upload};
use chancery_sandbox::{Grants, Profile};
use chancery_seal::{IndexKey, RowKey};
use chancery_settings::{Place, Settings};
use chancery_store::{Store, StoreConfig};
use tracing::{error, info};

use crate::app::{App, MailIdentity};
use crate::{
    admin, algorithms, checkpoints, doors, files, foresight, keys, mailer, readers, rewrap, rules,
    watch,
};

/// Why core does not start, or stops.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn because(what: &str) -> impl FnOnce(&dyn std::fmt::Display) -> Self + '_ {
        move |error| Self(format!("{what}: {error}"))
    }
}

/// Says what could not be done, and why.
pub(crate) fn failed<E: std::fmt::Display>(what: &str) -> impl FnOnce(E) -> Failure + '_ {
    move |error| Failure::because(what)(&error)
}

/// The officers' link: bound by path, asked by `chancery review`, `audit` and so on.
pub(crate) const OFFICERS: Tag = Tag::fixed("core.admin");
const CUSTODIAN: Tag = Tag::fixed("custodian.core");
/// How long a key operation may take before core tells its caller to come back.
const KEY_DEADLINE: Duration = Duration::from_secs(10);

/// Starts core and serves until it is stopped.
pub(crate) fn run(config: &Path) -> Result<(), Failure> {
    let settings = Settings::load(config).map_err(failed("the settings"))?;
    schemes(&settings)?;
    let links = Links::from_process(&settings.node.run).map_err(failed("the links"))?;
    links
        .bind(&OFFICERS, &settings.node.run.join("admin.sock"))
        .map_err(failed("the officers' socket"))?;
    // Read once before the sandbox: what is wrong shows at once.
    let texts = rules::Texts::read(&settings).map_err(failed("the rules"))?;
    let report = chancery_sandbox::apply(
        &Profile::CORE,
        &grants(&settings, &links)?,
        hardening(&settings),
    )
    .map_err(failed("the sandbox"))?;
    info!(%report, "sandboxed");
    links.start().map_err(failed("the links"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .max_blocking_threads(128)
        .enable_all()
        .build()
        .map_err(failed("the runtime"))?;
    let app = Arc::new(app(&settings, &links, &texts)?);
    app.counts
        .begin(app.gateway.ledger.head().map_err(failed("the log"))?.size);
    for zone in settings.doors.zones() {
        app.presence.expect(&format!("door-{zone}"));
        app.presence.expect(&format!("reader-{zone}"));
    }
    let done = runtime.block_on(serve(Arc::clone(&app), links, settings));
    let stopped = Event::new(
        EventKind::NodeStopped,
        SystemClock.now(),
        Actor::process("core"),
    );
    if let Err(error) = app.gateway.ledger.commit(Step {
        events: vec![stopped],
        ..Step::default()
    }) {
        error!(%error, "the stop could not be recorded");
    }
    runtime.shutdown_timeout(Duration::from_secs(5));
    done
}

fn grants(settings: &Settings, links: &Links) -> Result<Grants, Failure> {
    let rules = &settings.rules;
    let mut grants = Grants {
        // The folders too: files are replaced as a whole, and signatures stand beside them.
        read: [
            &rules.policies,
            &rules.participants,
            &rules.mous,
            &rules.officers,
        ]
        .into_iter()
        .flat_map(|path| {
            path.parent()
                .map(Path::to_path_buf)
                .into_iter()
                .chain([path.clone()])
        })
        .chain(files::folders(settings))
        .collect(),
        unix: links.connects_by_path(),
        ..Grants::default()
    };
    grants.write.push(settings.node.data.clone());
    match settings.database.place().map_err(failed("the database"))? {
        Place::Sqlite(file) => {
            let folder = file.parent().map(Path::to_path_buf).unwrap_or_default();
            grants.write.push(folder);
        }
        Place::Postgres { folder, .. } => {
            grants.unix = true;
            grants.write.push(folder);
        }
    }
    Ok(grants)
}

/// Puts the node's own label schemes in force, before the first label is read.
fn schemes(settings: &Settings) -> Result<(), Failure> {
    match chancery_label::schemes::install_own(&settings.rules.schemes) {
        Ok(Some(count)) => info!(count, "label schemes of the node's own are in force"),
        Ok(None) => {}
        Err(problems) => {
            let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
            return Err(failed("the label schemes")(all.join("; ")));
        }
    }
    Ok(())
}

fn hardening(settings: &Settings) -> chancery_sandbox::Hardening {
    match settings.node.hardening {
        chancery_settings::Hardening::Required => chancery_sandbox::Hardening::Required,
        chancery_settings::Hardening::BestEffort => chancery_sandbox::Hardening::BestEffort,
    }
}

fn app(settings: &Settings, links: &Links, texts: &rules::Texts) -> Result<App, Failure> {
    let log: LogId = settings
        .custodian
        .log_origin
        .parse()
        .map_err(failed("custodian.log_origin"))?;
    let channel =
        Channel::new(links, CUSTODIAN, Limits::secret()).map_err(failed("the custodian's link"))?;
    let keys = keys::client(channel, KEY_DEADLINE);
    let store_config = StoreConfig {
        create: false,
        readers: settings.database.readers,
        patience: Duration::from_secs(u64::from(settings.database.patience_s)),
        max_bytes: settings.database.max_bytes,
        ..StoreConfig::default()
    };
    let store = match settings.database.place().map_err(failed("the database"))? {
        Place::Sqlite(file) => Store::open_sqlite(&file, &log, &store_config),
        Place::Postgres { url, .. } => Store::open_postgres(&url, &log, &store_config),
    }
    .map_err(failed("the database"))?;
    let cards = keys.cards().map_err(failed("the register of keys"))?;
    let now = SystemClock.now().as_micros();
    let rows = keys::digest_generations(&cards, MacUse::Row, now);
    let indexes = keys::digest_generations(&cards, MacUse::Index, now);
    let row_key = RowKey::derive(keys.as_ref(), &rows).map_err(failed("the key for rows"))?;
    let index_key =
        IndexKey::derive(keys.as_ref(), &indexes).map_err(failed("the key for indexes"))?;
    let store = Arc::new(store);
    rules::complete(store.as_ref(), &row_key).map_err(failed("the rules"))?;
    let rules = rules::load(
        store.as_ref(),
        texts,
        &row_key,
        &settings.node.name,
        SystemClock.now(),
        None,
    )
    .map_err(failed("the rules"))?;
    let gateway = Gateway::new(
        store,
        Arc::<CustodyClient>::clone(&keys),
        Arc::new(SystemClock),
        Arc::new(SystemEntropy),
        row_key,
        index_key,
        node(settings)?,
        rules.with_certificates(Arc::new(algorithms::Reader::default())),
    );
    let mail = mail_identity(settings, keys.as_ref())?;
    Ok(App::new(gateway, keys, log, mail))
}

/// Who the gateway is in mail. Its OpenPGP certificate is made once, by the
/// token's keys, and kept in the node's data folder for its partners to have.
fn mail_identity(
    settings: &Settings,
    keys: &CustodyClient,
) -> Result<Option<MailIdentity>, Failure> {
    let Some(mail) = &settings.doors.mail else {
        return Ok(None);
    };
    let file = settings.node.data.join("openpgp.pgp");
    let certificate = match std::fs::read(&file) {
        Ok(certificate) => certificate,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let user_id = format!("Chancery {} <{}>", settings.node.name, mail.sender);
            let made =
                chancery_mail::content::certificate::build(keys, keys, &user_id, SystemClock.now())
                    .map_err(failed("the gateway's OpenPGP certificate"))?;
            chancery_hsm_api::durable::replace(&file, &made)
                .map_err(failed(&file.display().to_string()))?;
            made
        }
        Err(error) => return Err(failed(&file.display().to_string())(error)),
    };
    let certificate =
        OwnCertificate::parse(&certificate).map_err(failed(&file.display().to_string()))?;
    Ok(Some(MailIdentity {
        sender: mail.sender.clone(),
        certificate,
        domain: mail.domains.first().cloned().unwrap_or_default(),
    }))
}

/// Creates the node's empty database.
pub(crate) fn create(config: &Path) -> Result<(), Failure> {
    let settings = Settings::load(config).map_err(failed("the settings"))?;
    let log: LogId = settings
        .custodian
        .log_origin
        .parse()
        .map_err(failed("custodian.log_origin"))?;
    let made = StoreConfig {
        create: true,
        ..StoreConfig::default()
    };
    match settings.database.place().map_err(failed("the database"))? {
        Place::Sqlite(file) => Store::open_sqlite(&file, &log, &made),
        Place::Postgres { url, .. } => Store::open_postgres(&url, &log, &made),
    }
    .map_err(failed("the database"))?;
    Ok(())
}

fn node(settings: &Settings) -> Result<Node, Failure> {
    use chancery_label::Label;
    use chancery_message::Channel;
    let hours = |hours: u32| Duration::from_secs(u64::from(hours) * 3600);
    Ok(Node {
        name: settings.node.name.clone(),
        mail_domain: settings
            .doors
            .mail
            .as_ref()
            .and_then(|mail| mail.domains.first().cloned())
            .unwrap_or_else(|| "invalid".to_owned()),
        floors: Channel::ALL.map(|channel| (channel, Label::default())),
        europol: Some("europol-ec3".parse().map_err(failed("the id of Europol"))?),
        aggregate_portions: 10,
        max_attachment: settings.limits.attachment_bytes,
        max_mail: settings.limits.message_bytes,
        upload_lifetime: hours(settings.limits.upload_hours),
        delivery_lifetime: hours(settings.limits.delivery_hours),
        hold_for_receipts: settings.limits.hold_for_receipts,
        times: times(&settings.times),
    })
}

fn times(times: &chancery_settings::Times) -> Times {
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    Times {
        consent: seconds(times.consent_s),
        by_precedence: [
            times.flash_s,
            times.immediate_s,
            times.priority_s,
            times.routine_s,
            times.deferred_s,
        ]
        .map(seconds),
    }
}

async fn serve(app: Arc<App>, links: Links, settings: Settings) -> Result<(), Failure> {
    let settings = Arc::new(settings);
    let recovering = Arc::clone(&app);
    tokio::task::spawn_blocking(move || {
        let event = Event::new(
            EventKind::NodeStarted,
            SystemClock.now(),
            Actor::process("core"),
        )
        .detail(Key::Version, env!("CARGO_PKG_VERSION"))
        .detail(
            Key::Epoch,
            i64::try_from(recovering.gateway.rules().epoch()).unwrap_or(i64::MAX),
        )
        .detail(
            Key::Policy,
            hex::encode(recovering.gateway.rules().engine().policy_hash()),
        );
        let died = watch::own_restart(&recovering, SystemClock.now())?;
        recovering.gateway.ledger.commit(Step {
            events: died.into_iter().chain([event]).collect(),
            ..Step::default()
        })?;
        receipt::recover(&recovering.gateway)
    })
    .await
    .map_err(failed("the recovery"))?
    .map_err(failed("the recovery"))?;

    for zone in settings.doors.zones() {
        let channel = zone.parse().map_err(failed("a zone"))?;
        tokio::spawn(doors::serve(
            Arc::clone(&app),
            links.clone(),
            channel,
            Arc::clone(&settings),
        ));
        tokio::spawn(readers::serve(Arc::clone(&app), links.clone(), channel));
    }
    if settings.doors.mail.is_some() {
        let door = links.client(Tag::fixed("door-mail.core"), Limits::default());
        tokio::spawn(mailer::run(Arc::clone(&app), door));
    }
    tokio::spawn(admin::serve(Arc::clone(&app), links.clone()));
    tokio::spawn(checkpoints::run(Arc::clone(&app), settings.audit.clone()));
    let look = Duration::from_secs(settings.times.look_s.max(1).into());
    tokio::spawn(housekeeping(Arc::clone(&app), look));
    tokio::spawn(rewrap::run(Arc::clone(&app)));
    tokio::spawn(foresight::run(Arc::clone(&app)));
    tokio::spawn(watch::run(Arc::clone(&app)));
    links.ready().map_err(failed("saying that core is ready"))?;
    info!("core serves");
    let mut commands = links.commands();
    loop {
        match commands.next().await {
            Command::Stop => return Ok(()),
            Command::Reload => rules::reload(&app, &settings).await,
        }
    }
}

/// What has to be done from time to time.
async fn housekeeping(app: Arc<App>, look: Duration) {
    let mut every = tokio::time::interval(look);
    loop {
        every.tick().await;
        app.tickets.forget_old(SystemClock.now());
        let app = Arc::clone(&app);
        let done = tokio::task::spawn_blocking(move || {
            receipt::expire(&app.gateway)?;
            let reminders = due::receipts(&app.gateway)?;
            if !reminders.is_empty() {
                app.remind(reminders);
                app.announce();
            }
            consent::expire(&app.gateway)?;
            if consent::silence(&app.gateway)? > 0 {
                app.announce();
            }
            upload::expire(&app.gateway)?;
            idempotency::forget(&app.gateway)
        })
        .await;
        match done {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => error!(%error, "housekeeping failed; it is tried again"),
            Err(error) => error!(%error, "housekeeping ended"),
        }
    }
}
