//! Random facts from a fixed seed.
#![allow(dead_code, reason = "each test file uses a part of it")]

/// Xorshift: the same facts in every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.next() % count as u64).unwrap()
    }

    fn of(&mut self, words: &[&str]) -> String {
        format!("\"{}\"", words[self.below(words.len())])
    }

    /// One of `all`, or, near a permit, mostly `best`.
    fn mostly(&mut self, near: bool, best: &str, all: &[&str]) -> String {
        if near && self.below(8) != 0 {
            format!("\"{best}\"")
        } else {
            self.of(all)
        }
    }

    fn some(&mut self, one_in: usize, words: &[&str]) -> String {
        let chosen: Vec<_> = words
            .iter()
            .filter(|_| self.below(one_in) == 0)
            .map(|word| format!("\"{word}\""))
            .collect();
        format!("[{}]", chosen.join(","))
    }

    fn flag(&mut self) -> bool {
        self.below(2) == 0
    }
}

const LEVELS: [&str; 5] = ["NC", "R-UE", "C-UE", "S-UE", "TS-UE"];
const COMMUNITIES: [&str; 6] = [
    "civilian",
    "law-enforcement",
    "diplomacy",
    "defence",
    "private",
    "judicial",
];
const KINDS: [&str; 5] = ["agency", "private", "third-state", "io", "media"];
const COUNTRIES: [&str; 8] = ["EU", "NATO", "FRA", "DEU", "SWE", "NOR", "USA", "XXX"];

/// One line of facts; `near` a permit, so that single gates decide.
pub(crate) fn facts(id: &str, r: &mut Random, near: bool) -> String {
    object(&fields(id, r, near))
}

/// As [`facts`], but one in eight leaves out fields that have a default, and one
/// in sixteen is broken: a field too few or too many, a value that it cannot have.
pub(crate) fn line(id: &str, r: &mut Random, near: bool) -> String {
    let mut fields = fields(id, r, near);
    match r.below(16) {
        0 => spoil(&mut fields, r),
        1 | 2 => fields.retain(|(name, _)| !DEFAULTED.contains(name) || r.flag()),
        _ => {}
    }
    object(&fields)
}

/// The fields that have a default.
const DEFAULTED: [&str; 8] = [
    "caveats",
    "releasable_to",
    "tlp",
    "handling_codes",
    "channel_public",
    "consent",
    "external_agreement",
    "review_flags",
];

/// Breaks one field.
fn spoil(fields: &mut Vec<(&'static str, String)>, r: &mut Random) {
    let at = 1 + r.below(fields.len() - 1);
    match r.below(8) {
        0 => {
            fields.remove(at);
        }
        1 => fields.insert(at, ("classified", "true".to_owned())),
        2 => fields[at].1 = "17".to_owned(),
        3 => fields[at].1 = "\"nonsense\"".to_owned(),
        4 => fields[at].1 = "null".to_owned(),
        5 => fields[at].1 = "{}".to_owned(),
        6 => fields[at].1 = "[\"h2\"]".to_owned(),
        _ => fields[at].1 = fields[at].1.to_lowercase() + "\u{a0}",
    }
}

fn object(fields: &[(&str, String)]) -> String {
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| format!("\"{name}\":{value}"))
        .collect();
    format!("{{{}}}", fields.join(","))
}

fn fields(id: &str, r: &mut Random, near: bool) -> Vec<(&'static str, String)> {
    let tlp = match r.below(6) {
        0 => "null".to_owned(),
        _ => r.of(&["CLEAR", "CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED"]),
    };
    let rare = if near { 16 } else { 3 };
    let community = r.of(&COMMUNITIES);
    let other = if near && r.flag() {
        community.clone()
    } else {
        r.of(&COMMUNITIES)
    };
    vec![
        ("id", format!("\"{id}\"")),
        (
            "label_state",
            r.mostly(
                near,
                "valid",
                &["valid", "valid", "missing", "invalid", "conflict"],
            ),
        ),
        ("classification", r.mostly(near, "NC", &LEVELS)),
        ("caveats", r.some(rare, &["LIMITE", "CRYPTO", "ORCON"])),
        ("releasable_to", r.some(rare * 2, &COUNTRIES)),
        ("tlp", tlp),
        ("handling_codes", r.some(rare, &["H0", "H1", "H2", "H3"])),
        ("personal_data", r.flag().to_string()),
        (
            "purpose",
            r.of(&[
                "cyber-crisis",
                "law-enforcement",
                "evidence",
                "cyber-defence",
                "diplomacy",
                "commercial",
            ]),
        ),
        ("sender_community", community),
        ("recipient_community", other),
        ("sender_kind", r.of(&KINDS)),
        ("recipient_kind", r.mostly(near, "agency", &KINDS)),
        ("recipient_country", r.mostly(near, "EU", &COUNTRIES)),
        ("recipient_clearance", r.mostly(near, "S-UE", &LEVELS)),
        ("channel_accreditation", r.mostly(near, "S-UE", &LEVELS)),
        ("crypto_approval", r.mostly(near, "S-UE", &LEVELS)),
        ("mou_ceiling", r.mostly(near, "S-UE", &LEVELS)),
        ("channel_public", r.flag().to_string()),
        ("holder_is_originator", r.flag().to_string()),
        ("consent", r.of(&["n/a", "granted", "refused"])),
        ("addressed", r.flag().to_string()),
        (
            "relation",
            r.of(&["same-org", "client", "community", "outside"]),
        ),
        (
            "mou",
            r.mostly(
                near,
                "active",
                &["none", "draft", "active", "suspended", "expired"],
            ),
        ),
        (
            "external_agreement",
            r.of(&["n/a", "none", "SIA", "AA", "classified-contract"]),
        ),
        (
            "article_25_basis",
            r.of(&["n/a", "none", "adequacy", "agreement", "pre-2017"]),
        ),
        (
            "review_flags",
            r.some(
                rare,
                &[
                    "aggregate",
                    "level-drop",
                    "unknown-originator",
                    "evaluation-missing",
                    "crypto-custodian",
                ],
            ),
        ),
    ]
}
