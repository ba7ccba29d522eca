//! The rules from their files: read, recorded as versions in the ledger where
//! they changed, and put in force under the ledger's epoch.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, PoisonError};

use chancery_audit::{Actor, Event, EventKind, Key};
use chancery_machine::SystemClock;
use chancery_message::{Clock as _, Timestamp};
use chancery_pipeline::ports::{Ledger, LedgerError, Step, Write};
use chancery_pipeline::rows::{DocumentKind, DocumentRow};
use chancery_pipeline::rules::Rules;
use chancery_policy::PolicyTexts;
use chancery_policy::derive::Thresholds;
use chancery_policy::directory::{Directory, DirectoryError};
use chancery_policy::engine::{Engine, PolicyError};
use chancery_policy::mou::{MouError, Register};
use chancery_seal::RowKey;
use chancery_settings::Settings;
use sha2::{Digest as _, Sha256};

use crate::app::App;

/// Largest file of rules, bytes.
const MOST: u64 = 16 * 1024 * 1024;

/// The texts of all rules.
#[derive(Clone, Debug)]
pub(crate) struct Texts {
    participants: String,
    officers: String,
    mous: Vec<(String, String)>,
    policies: PolicyTexts,
}

/// Why rules do not load: everything that is wrong with them.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RulesError {
    #[error("{file} cannot be read: {error}")]
    Read { file: String, error: io::Error },
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    #[error(transparent)]
    Mous(#[from] MouError),
    #[error(transparent)]
    Policies(#[from] PolicyError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl Texts {
    /// Reads all files.
    pub(crate) fn read(settings: &Settings) -> Result<Self, RulesError> {
        let rules = &settings.rules;
        Ok(Self {
            participants: text(&rules.participants)?,
            officers: text(&rules.officers)?,
            mous: folder(&rules.mous, "toml")?,
            policies: PolicyTexts::new(folder(&rules.policies, "cedar")?),
        })
    }

    /// The documents as they are recorded: kind, key, content.
    fn documents(&self) -> Vec<(DocumentKind, String, Vec<u8>)> {
        let mut all = vec![
            (
                DocumentKind::Participant,
                "participants".to_owned(),
                self.participants.clone().into_bytes(),
            ),
            (
                DocumentKind::Officer,
                "officers".to_owned(),
                self.officers.clone().into_bytes(),
            ),
        ];
        all.extend(
            self.mous
                .iter()
                .map(|(name, text)| (DocumentKind::Mou, name.clone(), text.clone().into_bytes())),
        );
        all.extend(self.policies.files().map(|(name, text)| {
            (
                DocumentKind::Policy,
                name.to_owned(),
                text.as_bytes().to_vec(),
            )
        }));
        all
    }

    fn rules(&self, epoch: u64) -> Result<Rules, RulesError> {
        let directory = Directory::from_toml(epoch, &self.participants, &self.officers)?;
        let files = self
            .mous
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()));
        let register = Register::from_toml(files, &directory)?;
        let engine = Arc::new(Engine::load(&self.policies)?);
        Ok(Rules::new(
            directory,
            register,
            engine,
            Thresholds::default(),
        ))
    }
}

fn cannot(file: &Path, error: io::Error) -> RulesError {
    RulesError::Read {
        file: file.display().to_string(),
        error,
    }
}

fn text(file: &Path) -> Result<String, RulesError> {
    let size = fs::metadata(file)
        .map_err(|error| cannot(file, error))?
        .len();
    if size > MOST {
        return Err(cannot(file, io::Error::other("it is larger than 16 MiB")));
    }
    fs::read_to_string(file).map_err(|error| cannot(file, error))
}

fn folder(folder: &Path, extension: &str) -> Result<Vec<(String, String)>, RulesError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| cannot(folder, error))? {
        let path = entry.map_err(|error| cannot(folder, error))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        // `NAME.cases.toml` are tests beside the rules.
        if path.extension().is_some_and(|one| one == extension) && !name.ends_with(".cases.toml") {
            found.push((name.to_owned(), text(&path)?));
        }
    }
    found.sort();
    Ok(found)
}

/// Validates the texts, records what changed since the ledger's last versions,
/// and gives the rules under the epoch after that. Where anything is wrong
/// nothing is recorded.
pub(crate) fn load(
    ledger: &dyn Ledger,
    texts: &Texts,
    row_key: &RowKey,
    now: Timestamp,
) -> Result<Rules, RulesError> {
    texts.rules(0)?;
    let mut step = Step::default();
    for (kind, key, document) in texts.documents() {
        let known = ledger.documents(kind)?;
        let last = known.iter().rev().find(|row| row.key == key);
        if last.is_some_and(|row| row.document == document) {
            continue;
        }
        let version = 1 + u64::try_from(known.iter().filter(|row| row.key == key).count())
            .unwrap_or(u64::MAX);
        let mac = row_key.mac(
            "document",
            format!("{kind}/{key}").as_bytes(),
            version,
            &document,
        );
        step.events.push(changed(kind, &key, &document, now));
        step.writes
            .push(Write::InsertDocument(Box::new(DocumentRow {
                kind,
                key,
                valid_from: now,
                recorded_at: now,
                document,
                mac,
            })));
    }
    let epoch = if step.writes.is_empty() {
        ledger.epoch()?
    } else {
        ledger.commit(step)?.epoch
    };
    texts.rules(epoch)
}

fn changed(kind: DocumentKind, key: &str, document: &[u8], now: Timestamp) -> Event {
    let digest = hex::encode(Sha256::digest(document));
    let actor = Actor::process("core");
    match kind {
        DocumentKind::Participant | DocumentKind::Officer => {
            Event::new(EventKind::DirectoryChanged, now, actor).detail(Key::Digest, digest)
        }
        DocumentKind::Mou => Event::new(EventKind::MouChanged, now, actor)
            .detail(Key::Digest, digest)
            .detail(Key::Mou, key),
        DocumentKind::Policy => {
            Event::new(EventKind::PolicyActivated, now, actor).detail(Key::Digest, digest)
        }
    }
    .detail(Key::Name, key)
}

/// Reads the rules again. Where anything is wrong the running ones stay.
pub(crate) async fn reload(app: &Arc<App>, settings: &Settings) {
    let app = Arc::clone(app);
    let settings = settings.clone();
    let done = tokio::task::spawn_blocking(move || -> Result<u64, RulesError> {
        let texts = Texts::read(&settings)?;
        let rules = load(
            app.gateway.ledger.as_ref(),
            &texts,
            &app.gateway.row_key,
            SystemClock.now(),
        )?;
        let epoch = rules.epoch();
        app.gateway.replace_rules(rules);
        *app.texts.lock().unwrap_or_else(PoisonError::into_inner) = texts;
        app.announce();
        Ok(epoch)
    })
    .await;
    match done {
        Ok(Ok(epoch)) => tracing::info!(epoch, "the rules were read again"),
        Ok(Err(error)) => {
            tracing::error!(%error, "the rules were not read again: those in force stay")
        }
        Err(error) => tracing::error!(%error, "reading the rules again ended"),
    }
}
