//! Label schemes as data: one TOML file each (`config/schemes/<name>.toml`)
//! with its cases (`<name>.cases.toml`), read by [`load_dir`] and checked by
//! [`check_dir`].
//!
//! A scheme says which grades and categories exist, how they are written, how
//! long they were in use, and what they are worth in EU terms. The readers of
//! this crate hold grammar alone; every word comes from here.

mod cases;
mod check;
mod index;
mod load;
mod shipped;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use time::Date;

use crate::{Caveat, HandlingCode, Level, Pap, ReleaseCode, Tlp};

pub use cases::{Case, Cases, Mismatch, run_cases};
pub(crate) use check::is_oid;
pub use check::{Problem, check_dir, check_schemes, own};
pub(crate) use index::{Index, Term};
pub use load::{load_dir, parse_cases, parse_scheme, write_scheme};
pub use shipped::{SHIPPED, Shipped, install, install_own, shipped};

/// All schemes in force, with the index of their words.
#[derive(Debug)]
pub struct Schemes {
    list: Vec<Scheme>,
    index: Index,
}

impl Schemes {
    /// Indexes these schemes.
    #[must_use]
    pub fn new(list: Vec<Scheme>) -> Self {
        let index = Index::of(&list);
        Self { list, index }
    }

    /// The schemes without their index.
    pub(crate) fn into_list(self) -> Vec<Scheme> {
        self.list
    }

    /// Every scheme, in the order of their ids.
    #[must_use]
    pub fn all(&self) -> &[Scheme] {
        &self.list
    }

    /// The scheme with this id (`EU`, `NATO`, `EUROPOL`, `TLP`, `PAP`, or a
    /// State's alpha-3 code).
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Scheme> {
        self.list.iter().find(|scheme| scheme.id == id)
    }

    /// The scheme whose security policy has this object identifier.
    #[must_use]
    pub fn by_oid(&self, oid: &str) -> Option<&Scheme> {
        self.list
            .iter()
            .find(|scheme| scheme.policies().any(|policy| policy.oid == oid))
    }

    pub(crate) const fn index(&self) -> &Index {
        &self.index
    }
}

/// One scheme.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scheme {
    /// Unique id: alpha-3 for a State.
    #[serde(rename = "scheme")]
    pub id: String,
    /// Its name, for people.
    pub name: String,
    /// What kind of scheme it is.
    pub kind: Kind,
    /// Languages of its markings (ISO 639-1), the first one is written by default.
    #[serde(default)]
    pub languages: Vec<String>,
    /// Where the facts come from.
    pub source: String,
    /// How sure they are.
    pub confidence: Confidence,
    /// The security policy that labels on the wire name.
    #[serde(default)]
    pub policy: Option<Policy>,
    /// Other names of the same policy: read, never written.
    #[serde(default)]
    pub also_policies: Vec<Policy>,
    /// The grades, any order.
    #[serde(default, rename = "grade")]
    pub grades: Vec<Grade>,
    /// The categories.
    #[serde(default, rename = "category")]
    pub categories: Vec<Category>,
    /// Words that look like markings of this scheme and are none.
    #[serde(default)]
    pub refused: Vec<Refused>,
}

impl Scheme {
    /// The policy and its other names.
    pub fn policies(&self) -> impl Iterator<Item = &Policy> {
        self.policy.iter().chain(&self.also_policies)
    }

    /// The grade with this code.
    #[must_use]
    pub fn grade(&self, code: &str) -> Option<&Grade> {
        self.grades.iter().find(|grade| grade.code == code)
    }

    /// Grades in use on that day.
    pub fn grades_on(&self, on: Date) -> impl Iterator<Item = &Grade> {
        self.grades.iter().filter(move |grade| grade.in_use(on))
    }

    /// The language that is written by default; empty where the markings
    /// belong to none.
    #[must_use]
    pub fn language(&self) -> &str {
        self.languages.first().map_or("", String::as_str)
    }
}

/// Kinds of schemes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// EU classified information.
    Eu,
    /// A Member State's classification.
    National,
    /// An international organisation's or an agency's classification.
    Organisation,
    /// Codes without grades: TLP, PAP.
    Codes,
}

/// How sure the facts of a scheme are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Read in the law or standard itself.
    Verified,
    /// From knowledge or secondary lists: confirm before relying on it.
    Believed,
}

/// A security policy as labels on the wire name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Its name (STANAG 4774 `PolicyIdentifier`).
    pub name: String,
    /// Its object identifier, dotted.
    pub oid: String,
}

/// One grade of a scheme.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grade {
    /// Unique in its scheme, stable, never shown on documents.
    pub code: String,
    /// Order inside the scheme: higher protects more.
    pub hierarchy: u16,
    /// The value on the wire (SPIF `lacv`, ESS classification).
    pub lacv: u16,
    /// The equivalent EU level, which is also the level that protects it.
    pub eu: Level,
    /// False for a marking that protects like `eu` and is no classification.
    #[serde(default = "yes")]
    pub classified: bool,
    /// False for a grade that translation refuses to give or take.
    #[serde(default = "yes")]
    pub translates: bool,
    /// True if its words stood for other grades at the same time: reading them
    /// then is refused as ambiguous.
    #[serde(default)]
    pub shared: bool,
    /// EU levels above or below its own that the State protects with this
    /// grade for want of an equal one: translation may use it, and says so.
    #[serde(default)]
    pub stands_for: BTreeSet<Level>,
    /// The marking in each language; the empty key for none.
    pub marking: BTreeMap<String, String>,
    /// Other ways to write it: read, never written.
    #[serde(default)]
    pub also: Vec<String>,
    /// Names in structured labels of this policy, where they differ.
    #[serde(default)]
    pub wire: Vec<String>,
    /// MISP tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub misp: Option<String>,
    /// Portion marks, the one that is written first.
    #[serde(default)]
    pub portion: Vec<String>,
    /// What the grade brings with it.
    #[serde(default)]
    pub implies: Vec<Meaning>,
    /// First day of use, if not from the beginning.
    #[serde(default, with = "load::day", skip_serializing_if = "Option::is_none")]
    pub from: Option<Date>,
    /// First day on which it is no longer given, if it ended.
    #[serde(default, with = "load::day", skip_serializing_if = "Option::is_none")]
    pub until: Option<Date>,
    /// Colour of displays: a name or `#RRGGBB`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub colour: Option<String>,
    /// A remark for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Grade {
    /// True if the grade was given on that day.
    #[must_use]
    pub fn in_use(&self, on: Date) -> bool {
        self.from.is_none_or(|from| from <= on) && self.until.is_none_or(|until| on < until)
    }

    /// The marking in this language, or in any.
    #[must_use]
    pub fn written(&self, language: &str) -> &str {
        self.marking
            .get(language)
            .or_else(|| self.marking.values().next())
            .map_or("", String::as_str)
    }
}

const fn yes() -> bool {
    true
}

/// One category: values that stand beside a grade.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Category {
    /// Its name on the wire (`TagName`).
    pub tag: String,
    /// How it restricts.
    #[serde(rename = "type")]
    pub kind: CategoryKind,
    /// Object identifier of the tag set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oid: Option<String>,
    /// Its values, where they are listed.
    #[serde(default, rename = "value")]
    pub values: Vec<Value>,
    /// Words that open a list of countries and organisations; the first is
    /// written.
    #[serde(default)]
    pub release: Vec<String>,
    /// The only recipients that structured labels of this policy may name;
    /// empty for all.
    #[serde(default)]
    pub recipients: BTreeSet<ReleaseCode>,
}

/// How a category restricts access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CategoryKind {
    /// Every value must be held.
    Restrictive,
    /// At least one value must be held.
    Permissive,
    /// Not part of the access decision.
    Informative,
}

/// One value of a category.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Value {
    /// How it is written, and its value on the wire.
    pub code: String,
    /// Other ways to write it: read, never written.
    #[serde(default)]
    pub also: Vec<String>,
    /// The number on the wire.
    #[serde(default)]
    pub lacv: u16,
    /// What it means to the gateway.
    pub means: Meaning,
    /// False for an older name that is read and written as another.
    #[serde(default = "yes")]
    pub write: bool,
    /// Codes of the grades that it must not stand beside.
    #[serde(default)]
    pub not_with: Vec<String>,
    /// STIX 2.1 marking-definition ids.
    #[serde(default)]
    pub stix: Vec<StixId>,
    /// MISP tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub misp: Option<String>,
    /// Colour of displays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub colour: Option<String>,
}

/// A STIX marking-definition that stands for a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StixId {
    /// The exact id.
    pub id: String,
    /// TLP version whose identifier it is.
    pub version: u8,
}

/// What a category value is to the gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// A caveat.
    Caveat(Caveat),
    /// A Europol handling code.
    Handling(HandlingCode),
    /// A TLP label.
    Tlp(Tlp),
    /// A PAP label.
    Pap(Pap),
    /// Release to these alone.
    ReleasableTo(BTreeSet<ReleaseCode>),
}

/// Words that look like a marking and are none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refused {
    /// The words.
    pub text: String,
    /// Why, as a phrase that says what to do.
    pub why: String,
}
