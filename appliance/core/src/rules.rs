//! What the rules' files offer: read, and handed to the book, which takes in
//! what is signed. What is in force is what the ledger holds.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use chancery_machine::SystemClock;
use chancery_message::{Clock as _, Timestamp};
use chancery_pipeline::ports::Ledger;
use chancery_pipeline::rulebook::{Book, BookError, Candidate, Keeper, RuleText};
use chancery_pipeline::rules::Rules;
use chancery_policy::PolicyTexts;
use chancery_policy::engine::Engine;
use chancery_policy::mou::MouError;
use chancery_seal::RowKey;
use chancery_settings::Settings;

use crate::app::App;

/// Largest file of rules, bytes.
const MOST: u64 = 16 * 1024 * 1024;

/// What the files offer.
#[derive(Clone, Debug)]
pub(crate) struct Texts(Vec<Candidate>);

/// Why rules do not load: everything that is wrong with them.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RulesError {
    #[error("{file} cannot be read: {error}")]
    Read { file: String, error: io::Error },
    #[error(transparent)]
    Mou(#[from] MouError),
    #[error(transparent)]
    Book(#[from] BookError),
}

impl Texts {
    /// Reads all files, each with the signatures beside it.
    pub(crate) fn read(settings: &Settings) -> Result<Self, RulesError> {
        let rules = &settings.rules;
        let mut all = vec![
            candidate(
                &rules.participants,
                RuleText::participants(text(&rules.participants)?),
            )?,
            candidate(&rules.officers, RuleText::officers(text(&rules.officers)?))?,
        ];
        for (name, content) in folder(&rules.mous, "toml")? {
            let file = rules.mous.join(&name);
            all.push(candidate(&file, RuleText::mou(&name, content)?)?);
        }
        let policies = PolicyTexts::new(policy_set(&rules.policies)?);
        all.push(candidate(&rules.policies, RuleText::policies(&policies))?);
        Ok(Self(all))
    }
}

/// A file's text with the signature file beside it (`FILE.sig`).
fn candidate(file: &Path, rule: RuleText) -> Result<Candidate, RulesError> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(".sig");
    let beside = Path::new(&beside);
    let signatures = match text(beside) {
        Ok(signatures) => Some(signatures),
        Err(RulesError::Read { error, .. }) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    Ok(Candidate {
        place: file.display().to_string(),
        rule,
        signatures,
    })
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

/// The files of a policy set: the rules and the cryptographic policy.
fn policy_set(folder: &Path) -> Result<Vec<(String, String)>, RulesError> {
    files(folder, PolicyTexts::is_part)
}

fn folder(folder: &Path, extension: &str) -> Result<Vec<(String, String)>, RulesError> {
    // `NAME.cases.toml` are tests beside the rules.
    files(folder, |name| {
        Path::new(name)
            .extension()
            .is_some_and(|one| one == extension)
            && !name.ends_with(".cases.toml")
    })
}

fn files(
    folder: &Path,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<(String, String)>, RulesError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| cannot(folder, error))? {
        let path = entry.map_err(|error| cannot(folder, error))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        if wanted(name) {
            found.push((name.to_owned(), text(&path)?));
        }
    }
    found.sort();
    Ok(found)
}

/// Refuses tables of rules that are older than the log, or not whole.
pub(crate) fn complete(ledger: &dyn Ledger, row_key: &RowKey) -> Result<(), RulesError> {
    Ok(Book::read(ledger, row_key)?.complete(ledger)?)
}

/// Takes in what is signed. Where anything is wrong nothing is taken in.
pub(crate) fn load(
    ledger: &dyn Ledger,
    texts: &Texts,
    row_key: &RowKey,
    node: &str,
    now: Timestamp,
    prepared: Option<&Arc<Engine>>,
) -> Result<Rules, RulesError> {
    let keeper = Keeper {
        ledger,
        row_key,
        node,
        now,
    };
    let (rules, left) = keeper.take_in(&texts.0, prepared)?;
    for one in left {
        tracing::error!(
            file = one.place,
            why = one.why,
            "a file of rules is not signed as it must be: what is in force stays"
        );
    }
    Ok(rules)
}

/// Reads the rules again. Where anything is wrong the running ones stay.
pub(crate) async fn reload(app: &Arc<App>, settings: &Settings) {
    let app = Arc::clone(app);
    let settings = settings.clone();
    let done = tokio::task::spawn_blocking(move || -> Result<u64, RulesError> {
        let texts = Texts::read(&settings)?;
        let current = app.gateway.rules();
        let rules = load(
            app.gateway.ledger.as_ref(),
            &texts,
            &app.gateway.row_key,
            &app.gateway.node.name,
            SystemClock.now(),
            Some(current.shared_engine()),
        )?;
        let epoch = rules.epoch();
        app.gateway.replace_rules(rules);
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
