//! The policy texts: what officers read and sign.

use sha2::{Digest, Sha256};

/// The schema that every policy set is validated against. It names the facts,
/// which are code: a site changes rules, not facts.
pub(crate) const SCHEMA: &str = include_str!("../../../config/policies/facts.cedarschema");

/// A policy set as text: file names with their content. Its rules
/// (`<nn>-<topic>.cedar`), and the cryptographic policy (`crypto.toml`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyTexts {
    files: Vec<(String, String)>,
}

impl PolicyTexts {
    /// From file names and contents, in any order.
    #[must_use]
    pub fn new(files: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut files: Vec<_> = files.into_iter().collect();
        files.sort();
        Self { files }
    }

    /// Whether a file of this name is part of a set: the rules, and the
    /// cryptographic policy.
    #[must_use]
    pub fn is_part(name: &str) -> bool {
        name.ends_with(".cedar") || name == crate::crypto::FILE
    }

    /// The cryptographic policy of the set; the shipped one where it has none.
    #[must_use]
    pub fn crypto(&self) -> &str {
        self.files()
            .find(|(name, _)| *name == crate::crypto::FILE)
            .map_or(crate::crypto::SHIPPED, |(_, text)| text)
    }

    /// The rules of the set, sorted by name.
    pub fn rules(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files().filter(|(name, _)| name.ends_with(".cedar"))
    }

    /// The set that is shipped in `config/policies`, with `config/crypto.toml`.
    #[must_use]
    pub fn shipped() -> Self {
        macro_rules! shipped {
            ($($name:literal),+ $(,)?) => {
                [$(($name, include_str!(concat!("../../../config/policies/", $name)))),+]
            };
        }
        let files = shipped![
            "00-words.cedar",
            "10-label.cedar",
            "20-protection.cedar",
            "30-agreements.cedar",
            "40-caveats.cedar",
            "50-tlp.cedar",
            "60-originator.cedar",
            "70-handling.cedar",
            "80-personal-data.cedar",
            "90-judgement.cedar",
        ];
        Self::new(
            files
                .into_iter()
                .chain([(crate::crypto::FILE, crate::crypto::SHIPPED)])
                .map(|(name, text)| (name.to_owned(), text.to_owned())),
        )
    }

    /// The schema that every set is validated against (`facts.cedarschema`).
    #[must_use]
    pub const fn schema() -> &'static str {
        SCHEMA
    }

    /// The files, sorted by name.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// The same set with another file beside its files, or in place of the one of that name.
    #[must_use]
    pub fn with(&self, name: &str, text: &str) -> Self {
        let kept = self
            .files
            .iter()
            .filter(|(other, _)| other != name)
            .cloned();
        Self::new(kept.chain([(name.to_owned(), text.to_owned())]))
    }

    /// SHA-256 over the schema and every file's name and content, each preceded
    /// by its length in bytes (8 bytes, big-endian): what a decision records.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for part in
            std::iter::once(SCHEMA).chain(self.files().flat_map(|(name, text)| [name, text]))
        {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        hash.finalize().into()
    }
}
