//! A second reading of fields and gates, written from the decision's description
//! alone: no code and no type of the engine, a line of JSON in, verdict and gates
//! out. What it does not judge: duplicate fields (JSON readers differ about them;
//! `malformed.rs` asks), and which three letters are a country.

use std::collections::BTreeSet;

use serde_json::Value;

const EU: [&str; 28] = [
    "EU", "AUT", "BEL", "BGR", "HRV", "CYP", "CZE", "DNK", "EST", "FIN", "FRA", "DEU", "GRC",
    "HUN", "IRL", "ITA", "LVA", "LTU", "LUX", "MLT", "NLD", "POL", "PRT", "ROU", "SVK", "SVN",
    "ESP", "SWE",
];

const LEVELS: &[&str] = &["NC", "R-UE", "C-UE", "S-UE", "TS-UE"];
const COMMUNITIES: &[&str] = &[
    "civilian",
    "law-enforcement",
    "diplomacy",
    "defence",
    "private",
    "judicial",
];
const KINDS: &[&str] = &["agency", "private", "third-state", "io", "media"];

/// What values a field may have.
enum Kind {
    Text,
    Bool,
    Word(&'static [&'static str]),
    WordOrNull(&'static [&'static str]),
    List(&'static [&'static str]),
    Country,
    Countries,
}

/// The table of fields: name, values, default (as JSON) where it has one.
const FIELDS: [(&str, Kind, Option<&str>); 27] = [
    ("id", Kind::Text, None),
    (
        "label_state",
        Kind::Word(&["valid", "missing", "invalid", "conflict"]),
        None,
    ),
    ("classification", Kind::Word(LEVELS), None),
    (
        "caveats",
        Kind::List(&["LIMITE", "CRYPTO", "ORCON"]),
        Some("[]"),
    ),
    ("releasable_to", Kind::Countries, Some("[]")),
    (
        "tlp",
        Kind::WordOrNull(&["CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED"]),
        Some("null"),
    ),
    (
        "handling_codes",
        Kind::List(&["H0", "H1", "H2", "H3"]),
        Some("[]"),
    ),
    ("personal_data", Kind::Bool, None),
    (
        "purpose",
        Kind::Word(&[
            "cyber-crisis",
            "law-enforcement",
            "evidence",
            "cyber-defence",
            "diplomacy",
            "commercial",
        ]),
        None,
    ),
    ("sender_community", Kind::Word(COMMUNITIES), None),
    ("recipient_community", Kind::Word(COMMUNITIES), None),
    ("sender_kind", Kind::Word(KINDS), None),
    ("recipient_kind", Kind::Word(KINDS), None),
    ("recipient_country", Kind::Country, None),
    ("recipient_clearance", Kind::Word(LEVELS), None),
    ("channel_accreditation", Kind::Word(LEVELS), None),
    ("crypto_approval", Kind::Word(LEVELS), None),
    ("mou_ceiling", Kind::Word(LEVELS), None),
    ("channel_public", Kind::Bool, Some("false")),
    ("holder_is_originator", Kind::Bool, None),
    (
        "consent",
        Kind::Word(&["n/a", "granted", "refused"]),
        Some("\"n/a\""),
    ),
    ("addressed", Kind::Bool, None),
    (
        "relation",
        Kind::Word(&["same-org", "client", "community", "outside"]),
        None,
    ),
    (
        "mou",
        Kind::Word(&["none", "draft", "active", "suspended", "expired"]),
        None,
    ),
    (
        "external_agreement",
        Kind::Word(&["n/a", "none", "SIA", "AA", "classified-contract"]),
        Some("\"n/a\""),
    ),
    (
        "article_25_basis",
        Kind::Word(&["n/a", "none", "adequacy", "agreement", "pre-2017"]),
        Some("\"n/a\""),
    ),
    (
        "review_flags",
        Kind::List(&[
            "aggregate",
            "level-drop",
            "unknown-originator",
            "evaluation-missing",
            "crypto-custodian",
        ]),
        Some("[]"),
    ),
];

impl Kind {
    fn admits(&self, value: &Value) -> bool {
        let word =
            |words: &[&str], value: &Value| value.as_str().is_some_and(|w| words.contains(&w));
        let all = |value: &Value, each: &dyn Fn(&Value) -> bool| {
            value.as_array().is_some_and(|list| list.iter().all(each))
        };
        match self {
            Self::Text => value.is_string(),
            Self::Bool => value.is_boolean(),
            Self::Word(words) => word(words, value),
            Self::WordOrNull(words) => value.is_null() || word(words, value),
            Self::List(words) => all(value, &|one| word(words, one)),
            Self::Country => is_country(value),
            Self::Countries => all(value, &is_country),
        }
    }
}

/// The shape of a country: which three letters are assigned is not told apart
/// here, and the random facts do not ask.
fn is_country(value: &Value) -> bool {
    value.as_str().is_some_and(|text| {
        text == "EU"
            || text == "NATO"
            || (text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase()))
    })
}

/// The facts of a line with every field; none where it is not well-formed.
fn well_formed(line: &str) -> Option<Value> {
    let Ok(Value::Object(mut object)) = serde_json::from_str(line) else {
        return None;
    };
    for (name, kind, default) in &FIELDS {
        match (object.get(*name), default) {
            (Some(value), _) if kind.admits(value) => {}
            (None, Some(default)) => {
                object.insert((*name).to_owned(), serde_json::from_str(default).unwrap());
            }
            _ => return None,
        }
    }
    (object.len() == FIELDS.len()).then_some(Value::Object(object))
}

struct F<'a>(&'a Value);

impl<'a> F<'a> {
    fn s(&self, field: &str) -> &'a str {
        self.0[field].as_str().unwrap_or("")
    }

    fn is(&self, field: &str, words: &[&str]) -> bool {
        words.contains(&self.s(field))
    }

    fn b(&self, field: &str) -> bool {
        self.0[field].as_bool().unwrap()
    }

    fn rank(&self, field: &str) -> usize {
        LEVELS
            .iter()
            .position(|level| *level == self.s(field))
            .unwrap()
    }

    fn list(&self, field: &str) -> Vec<&'a str> {
        self.0[field]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v.as_str().unwrap())
            .collect()
    }

    fn has(&self, field: &str, word: &str) -> bool {
        self.list(field).contains(&word)
    }
}

/// Verdict and gates of a line, as the table says them.
pub(crate) fn second(line: &str) -> (String, Vec<String>) {
    let Some(facts) = well_formed(line) else {
        return ("deny".to_owned(), vec!["G00".to_owned()]);
    };
    let f = F(&facts);
    let rank = f.rank("classification");
    let external =
        f.is("recipient_kind", &["third-state", "io"]) || !EU.contains(&f.s("recipient_country"));
    let private_or_media = f.is("recipient_kind", &["private", "media"]);
    let cross =
        f.s("sender_community") != f.s("recipient_community") || private_or_media || external;
    let public = f.s("classification") == "NC"
        && f.s("tlp") == "CLEAR"
        && f.list("releasable_to").is_empty()
        && f.list("caveats").is_empty()
        && f.list("handling_codes").is_empty()
        && f.list("review_flags").is_empty()
        && !f.b("personal_data");
    let refused = f.s("consent") == "refused";
    let ungranted = f.s("consent") != "granted";
    let addressed = f.b("addressed");
    let originator = f.b("holder_is_originator");

    if f.s("label_state") == "missing" {
        return ("review".to_owned(), vec!["G02".to_owned()]);
    }
    let mut deny = BTreeSet::new();
    let mut review = BTreeSet::new();
    if f.s("label_state") == "invalid" {
        deny.insert("G01");
    }
    if rank > f.rank("channel_accreditation") {
        deny.insert("G03");
    }
    if rank >= 1 && rank > f.rank("crypto_approval") {
        deny.insert("G04");
    }
    if f.s("label_state") == "conflict" {
        review.insert("G05");
    }
    if !public {
        if cross && f.s("mou") != "active" {
            deny.insert("G06");
        }
        if cross && f.s("mou") == "active" && rank > f.rank("mou_ceiling") {
            deny.insert("G07");
        }
        let agreement = f.s("external_agreement");
        let neither = agreement != "SIA" && agreement != "AA";
        if external && rank >= 1 && (neither || (agreement == "AA" && rank > 1)) {
            deny.insert("G08");
        }
        let limited = !f.list("releasable_to").is_empty() || (external && rank >= 1);
        if limited && !f.has("releasable_to", f.s("recipient_country")) {
            deny.insert("G09");
        }
        if private_or_media && rank >= 1 && agreement != "classified-contract" {
            deny.insert("G10");
        }
        if rank > f.rank("recipient_clearance") {
            deny.insert("G11");
        }
        if f.has("caveats", "LIMITE") && (private_or_media || external) && ungranted {
            deny.insert("G12");
        }
        if f.has("caveats", "CRYPTO") && !f.has("review_flags", "crypto-custodian") {
            deny.insert("G13");
        }
        let tlp = f.s("tlp");
        if tlp == "RED" && ungranted && !addressed {
            deny.insert("G14");
        }
        if tlp == "AMBER+STRICT" && ungranted && !originator && f.s("relation") != "same-org" {
            deny.insert("G15");
        }
        if tlp == "AMBER" && ungranted && !originator && !f.is("relation", &["same-org", "client"])
        {
            deny.insert("G16");
        }
        if tlp == "GREEN" && ungranted && (f.b("channel_public") || f.s("relation") == "outside") {
            deny.insert("G17");
        }
        if !originator && (rank >= 1 || f.has("caveats", "ORCON")) {
            if refused {
                deny.insert("G18");
            }
            if f.s("consent") == "n/a" && !addressed {
                review.insert("G18");
            }
        }
        let mut consent_gate = |gate: &'static str, fires: bool| {
            if fires && refused {
                deny.insert(gate);
            }
            if fires && ungranted {
                review.insert(gate);
            }
        };
        let codes = f.list("handling_codes");
        consent_gate(
            "G19",
            !codes.is_empty() && f.s("purpose") != "law-enforcement",
        );
        consent_gate("G20", codes.contains(&"H2") && !addressed);
        let judicial = f.s("recipient_community") == "judicial" || f.s("purpose") == "evidence";
        consent_gate("G21", codes.contains(&"H1") && judicial);
        if codes.contains(&"H3") {
            review.insert("G22");
        }
        let police_data = f.b("personal_data") && f.s("sender_community") == "law-enforcement";
        if police_data && f.s("recipient_kind") == "private" {
            review.insert("G23");
        }
        if police_data && external && f.is("article_25_basis", &["none", "n/a"]) {
            deny.insert("G24");
        }
        if f.has("review_flags", "aggregate") {
            review.insert("G25");
        }
        if f.has("review_flags", "level-drop") && !originator && ungranted {
            deny.insert("G26");
        }
        if f.has("review_flags", "unknown-originator") {
            review.insert("G27");
        }
        if f.has("review_flags", "evaluation-missing") {
            review.insert("G28");
        }
    }
    let (verdict, gates) = if !deny.is_empty() {
        ("deny", deny)
    } else if !review.is_empty() {
        ("review", review)
    } else {
        ("permit", BTreeSet::new())
    };
    (
        verdict.to_owned(),
        gates.into_iter().map(str::to_owned).collect(),
    )
}
