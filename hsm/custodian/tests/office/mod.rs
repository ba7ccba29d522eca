//! Custodians and a governed custodian over keys in memory, for tests.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "each test file uses its part, and a test may end where it fails"
)]

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};

use chancery_hsm_api::approval::{Record, Signed, Vote};
use chancery_hsm_api::{KeyError, KeyRole};
use chancery_hsm_custodian::{
    Book, Ceremony, ChainLog, Client, CustodyClient, Done, Dossier, Event, Governance, Head,
    Limits, Performed, Periods, Proposal, Recorder, Register, RosterFile, RosterText, Server,
};
use p256::ecdsa::SigningKey;

use crate::soft::{Fuse, ORIGIN, SoftKeys};

pub(crate) const DAY: i64 = 24 * 60 * 60 * 1_000_000;
pub(crate) const SECOND: i64 = 1_000_000;
/// 2027-01-01T00:00:00Z.
pub(crate) const NEW_YEAR: i64 = 1_798_761_600 * SECOND;

/// A custodian's folder, token, clock and people. What is in memory of the
/// custodian itself is gone with each [`Office::open`].
pub(crate) struct Office {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) keys: SoftKeys,
    pub(crate) clock: Arc<AtomicI64>,
    pub(crate) people: Vec<(String, SigningKey)>,
    pub(crate) periods: Periods,
    pub(crate) fuse: Fuse,
    nonce: AtomicU8,
    needed: u32,
}

/// A log that dies with its process.
struct Mortal(ChainLog, Fuse);

impl Recorder for Mortal {
    fn record(&self, event: &Event) -> io::Result<()> {
        if self.1.burn() {
            self.0.record(event)
        } else {
            Err(io::Error::other("killed"))
        }
    }

    fn head(&self) -> Head {
        self.0.head()
    }

    fn was_done(&self, operation: &str, detail: &str) -> bool {
        self.0.was_done(operation, detail)
    }

    fn done(&self) -> Vec<Done> {
        self.0.done()
    }

    fn latest(&self) -> i64 {
        self.0.latest()
    }
}

impl Office {
    /// `needed` of `count` custodians.
    pub(crate) fn new(needed: u32, count: u8) -> Self {
        let people: Vec<(String, SigningKey)> = (0..count)
            .map(|n| {
                let key = SigningKey::from_slice(&[n + 1; 32]).unwrap();
                (format!("custodian-{n}"), key)
            })
            .collect();
        let fuse = Fuse::default();
        let keys = SoftKeys::default();
        keys.token.lock().unwrap().fuse = fuse.clone();
        Self {
            needed,
            folder: tempfile::tempdir().unwrap(),
            keys,
            clock: Arc::new(AtomicI64::new(NEW_YEAR)),
            people,
            periods: Periods::default(),
            fuse,
            nonce: AtomicU8::new(0),
        }
    }

    pub(crate) fn roster(&self, needed: u32, who: &[u8]) -> RosterText {
        let custodians: BTreeMap<String, String> = who
            .iter()
            .map(|n| {
                let (name, key) = &self.people[usize::from(*n)];
                let point = key.verifying_key().to_encoded_point(false);
                (name.clone(), hex::encode(point.as_bytes()))
            })
            .collect();
        RosterText { needed, custodians }
    }

    pub(crate) fn roster_file(&self) -> PathBuf {
        self.folder.path().join("roster.jsonl")
    }

    pub(crate) fn log_file(&self) -> PathBuf {
        self.folder.path().join("custodian.log")
    }

    fn log(&self) -> Arc<dyn Recorder> {
        let clock = Arc::clone(&self.clock);
        let log = ChainLog::open(&self.log_file(), move || clock.load(Ordering::SeqCst)).unwrap();
        Arc::new(Mortal(log, self.fuse.clone()))
    }

    /// The custodian after a start, if it starts.
    pub(crate) fn try_open(&self, there: &[KeyRole]) -> Result<Arc<Server<SoftKeys>>, KeyError> {
        let log = self.log();
        let clock = Arc::clone(&self.clock);
        let register = Register::open(
            Arc::clone(&log),
            self.periods,
            Arc::new(move || clock.load(Ordering::SeqCst)),
        )?;
        let there: Vec<(KeyRole, u32)> = there.iter().map(|role| (role.clone(), 1)).collect();
        register.reconcile(&self.keys, &there)?;
        if log.head().seq == 0 || !chancery_hsm_custodian::is_enrolled(log.as_ref()) {
            let all: Vec<u8> = (0..u8::try_from(self.people.len()).unwrap()).collect();
            let roster = self.roster(self.needed, &all);
            RosterFile::begin(&self.roster_file(), roster, log.as_ref())?;
        }
        let roster = RosterFile::open(&self.roster_file(), ORIGIN, log.as_ref())?;
        let governance = Governance::open(
            ORIGIN.to_owned(),
            Arc::clone(&log),
            register,
            roster,
            self.folder.path().join("role-table.json"),
        )?;
        governance.recover()?;
        let book = Book::open(
            &self.folder.path().join("checkpoints.json"),
            ORIGIN,
            log.as_ref(),
        )?;
        let mut limits = Limits::default();
        limits.admin.per_second = 100_000;
        let server = Server::new(self.keys.clone(), book, log, limits);
        Ok(Arc::new(server.with_governance(governance)))
    }

    pub(crate) fn open(&self, there: &[KeyRole]) -> Arc<Server<SoftKeys>> {
        self.try_open(there).unwrap()
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock.load(Ordering::SeqCst)
    }

    pub(crate) fn set(&self, at: i64) {
        self.clock.store(at, Ordering::SeqCst);
    }

    pub(crate) fn byte(&self) -> u8 {
        self.nonce.fetch_add(1, Ordering::SeqCst)
    }

    pub(crate) fn proposal(&self, operation: Ceremony) -> Proposal {
        Proposal::new(ORIGIN, [self.byte(); 16], self.now() + DAY, operation)
    }

    pub(crate) fn record(&self, proposal: &Proposal) -> Record {
        Record {
            node: ORIGIN.to_owned(),
            operation: proposal.operation.operation().to_owned(),
            digest: proposal.digest(),
            vote: Vote::Approve,
            nonce: [self.byte(); 16],
            not_after: self.now() + DAY / 2,
        }
    }

    /// The approval of the custodian with that number.
    pub(crate) fn approval(&self, who: u8, proposal: &Proposal) -> Signed {
        let (name, key) = &self.people[usize::from(who)];
        self.record(proposal).sign(name, key).unwrap()
    }

    pub(crate) fn dossier(&self, operation: Ceremony, who: &[u8]) -> Dossier {
        let proposal = self.proposal(operation);
        let approvals = who.iter().map(|n| self.approval(*n, &proposal)).collect();
        Dossier {
            proposal,
            approvals,
        }
    }

    /// Has it ordered by these custodians.
    pub(crate) fn order(
        &self,
        server: &Arc<Server<SoftKeys>>,
        operation: Ceremony,
        who: &[u8],
    ) -> Result<Performed, KeyError> {
        client(server, Client::Admin).perform(&self.dossier(operation, who))
    }

    /// The log's lines.
    pub(crate) fn lines(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(self.log_file()).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

pub(crate) fn client(server: &Arc<Server<SoftKeys>>, who: Client) -> CustodyClient {
    let server = Arc::clone(server);
    CustodyClient::new(move |request| Ok(server.handle(who, request).to_vec()))
}

/// Reads a file that must be there.
pub(crate) fn bytes(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}
