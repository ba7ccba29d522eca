//! All that the ledger holds of the rules: read version by version, each where
//! it was written, and put together into the rules in force.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chancery_message::Timestamp;
use chancery_policy::approval::Signed;
use chancery_policy::derive::Thresholds;
use chancery_policy::directory::Directory;
use chancery_policy::engine::Engine;
use chancery_policy::mou;
use chancery_policy::mou::Register;
use chancery_seal::RowKey;

use super::{
    Book, BookError, OFFICERS, PARTICIPANTS, POLICIES, Proposal, RuleText, Subject, Suspension,
    Version, policy_texts,
};
use crate::ports::{Ledger, Write};
use crate::rows::{DocumentKind, DocumentRow};
use crate::rules::Rules;

// === impl Book ===

impl Book {
    /// Reads all versions; each must be what was written at its place.
    ///
    /// # Errors
    /// [`BookError::Ledger`] or [`BookError::Damaged`].
    pub fn read(ledger: &dyn Ledger, row_key: &RowKey) -> Result<Self, BookError> {
        let mut book = Self::default();
        for kind in DocumentKind::ALL {
            for row in ledger.documents(*kind)? {
                book.take(&row, row_key)?;
            }
        }
        Ok(book)
    }

    fn take(&mut self, row: &DocumentRow, row_key: &RowKey) -> Result<(), BookError> {
        let damaged = || BookError::Damaged(format!("{} {}", row.kind, row.key));
        let place = (row.kind, row.key.clone());
        let version = self.counts.get(&place).copied().unwrap_or(0) + 1;
        row_key
            .verify(
                "document",
                format!("{}/{}", row.kind, row.key).as_bytes(),
                version,
                &canonical(row),
                &row.mac,
            )
            .map_err(|_| damaged())?;
        self.counts.insert(place.clone(), version);
        if row.kind == DocumentKind::Proposal {
            let proposal: Proposal =
                serde_json::from_slice(&row.document).map_err(|_| damaged())?;
            self.nonces
                .extend(proposal.approvals.iter().map(|one| one.record.nonce));
            self.proposals.insert(row.key.clone(), proposal);
            return Ok(());
        }
        let version: Version = serde_json::from_slice(&row.document).map_err(|_| damaged())?;
        self.nonces
            .extend(version.approvals.iter().map(|one| one.record.nonce));
        if row.kind == DocumentKind::Suspension {
            let says: Suspension = serde_json::from_str(&version.text).map_err(|_| damaged())?;
            let subject: Subject = row.key.parse().map_err(|()| damaged())?;
            if says.suspended {
                self.suspended.insert(subject);
            } else {
                self.suspended.remove(&subject);
            }
            return Ok(());
        }
        self.texts.insert(place, version);
        Ok(())
    }

    /// True before the node's rules were ever taken in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// The epoch that it was read at: every version raised it by one. Whoever reads
    /// while versions are written finds fewer than there are, never more.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.counts.values().sum()
    }

    /// The version in force.
    #[must_use]
    pub fn text(&self, kind: DocumentKind, key: &str) -> Option<&Version> {
        self.texts.get(&(kind, key.to_owned()))
    }

    /// All versions in force of a kind, by key.
    pub fn of_kind(&self, kind: DocumentKind) -> impl Iterator<Item = (&str, &Version)> {
        self.texts
            .iter()
            .filter(move |((one, _), _)| *one == kind)
            .map(|((_, key), version)| (key.as_str(), version))
    }

    /// How many versions there were of a text.
    #[must_use]
    pub fn versions(&self, kind: DocumentKind, key: &str) -> u64 {
        self.counts
            .get(&(kind, key.to_owned()))
            .copied()
            .unwrap_or(0)
    }

    /// Who and what is suspended.
    #[must_use]
    pub const fn suspended(&self) -> &BTreeSet<Subject> {
        &self.suspended
    }

    /// Proposals that were ever made, by id.
    #[must_use]
    pub const fn proposals(&self) -> &BTreeMap<String, Proposal> {
        &self.proposals
    }

    /// True if a signature of this nonce was taken in before.
    #[must_use]
    pub fn used(&self, nonce: &[u8; 16]) -> bool {
        self.nonces.contains(nonce)
    }

    /// The book with this text in force; its epoch is still that of the reading.
    #[must_use]
    pub fn with(&self, rule: &RuleText, approvals: &[Signed]) -> Self {
        let mut book = self.clone();
        if rule.kind == DocumentKind::Suspension {
            if let (Ok(subject), Ok(says)) = (
                rule.key.parse::<Subject>(),
                serde_json::from_str::<Suspension>(&rule.text),
            ) {
                if says.suspended {
                    book.suspended.insert(subject);
                } else {
                    book.suspended.remove(&subject);
                }
            }
            return book;
        }
        book.texts.insert(
            (rule.kind, rule.key.clone()),
            Version {
                text: rule.text.clone(),
                approvals: approvals.to_vec(),
                why: None,
                evidence: None,
            },
        );
        book
    }

    /// The directory alone, with what is suspended.
    ///
    /// # Errors
    /// [`BookError::Directory`] or [`BookError::Missing`].
    pub fn directory(&self, epoch: u64) -> Result<Directory, BookError> {
        let text = |kind, key, what| {
            self.text(kind, key)
                .map(|version| version.text.as_str())
                .ok_or(BookError::Missing(what))
        };
        let participants = text(DocumentKind::Participant, PARTICIPANTS, "participants")?;
        let officers = text(DocumentKind::Officer, OFFICERS, "officers")?;
        let directory = Directory::from_toml(epoch, participants, officers)?;
        if self.suspended.is_empty() {
            return Ok(directory);
        }
        let mut people = directory.participants().to_vec();
        for one in &mut people {
            one.suspended |= self
                .suspended
                .contains(&Subject::Participant(one.id.clone()));
            for person in &mut one.people {
                person.suspended |= self.suspended.contains(&Subject::Person(person.id.clone()));
            }
        }
        let mut judges = directory.officers().to_vec();
        for one in &mut judges {
            one.suspended |= self.suspended.contains(&Subject::Officer(one.id.clone()));
        }
        Ok(Directory::new(epoch, people, judges)?)
    }

    /// The rules of the whole book. A prepared policy set of the same hash is used again.
    ///
    /// # Errors
    /// [`BookError`] with everything that is wrong.
    pub fn rules(&self, epoch: u64, prepared: Option<&Arc<Engine>>) -> Result<Rules, BookError> {
        let directory = self.directory(epoch)?;
        let files: Vec<(String, &str)> = self
            .of_kind(DocumentKind::Mou)
            .map(|(id, version)| (format!("{id}.toml"), version.text.as_str()))
            .collect();
        let register = Register::from_toml(
            files.iter().map(|(name, text)| (name.as_str(), *text)),
            &directory,
        )?;
        let mut mous = register.mous().to_vec();
        for mou in &mut mous {
            if self.suspended.contains(&Subject::Mou(mou.id.clone())) {
                mou.state = mou::Standing::Suspended;
            }
        }
        let register = Register::new(mous, &directory)?;
        let texts = self
            .text(DocumentKind::Policy, POLICIES)
            .and_then(|version| policy_texts(&version.text))
            .ok_or(BookError::Missing("policies"))?;
        let engine = match prepared {
            Some(engine) if engine.policy_hash() == texts.hash() => Arc::clone(engine),
            _ => Arc::new(Engine::load(&texts)?),
        };
        Ok(Rules::new(
            directory,
            register,
            engine,
            Thresholds::default(),
        ))
    }

    /// The row of another version of a document.
    pub(crate) fn row(
        &self,
        kind: DocumentKind,
        key: &str,
        document: Vec<u8>,
        row_key: &RowKey,
        now: Timestamp,
    ) -> Write {
        let mut row = DocumentRow {
            kind,
            key: key.to_owned(),
            valid_from: now,
            recorded_at: now,
            document,
            mac: [0; 32],
        };
        row.mac = row_key.mac(
            "document",
            format!("{kind}/{key}").as_bytes(),
            self.versions(kind, key) + 1,
            &canonical(&row),
        );
        Write::InsertDocument(Box::new(row))
    }
}

/// What a document's row is authenticated by, beside its place.
fn canonical(row: &DocumentRow) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(row.document.len() + 16);
    bytes.extend(row.valid_from.as_micros().to_be_bytes());
    bytes.extend(row.recorded_at.as_micros().to_be_bytes());
    bytes.extend(&row.document);
    bytes
}
