//! The shipped set keeps every invariant; of twenty-four weakened sets the solver
//! finds for each a release that breaks one. Needs the solver: a test that
//! cannot ask it fails.
#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::string_slice,
    reason = "a helper of a test that fails ends the test"
)]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use chancery_policy::PolicyTexts;
use chancery_policy::engine::Engine;
use chancery_policy::evidence::NOT_WIDER;
use chancery_policy::facts::Facts;
use chancery_policy::mou::Register;
use chancery_policy::shipped;
use chancery_prover::{INVARIANTS, Outcome, Question, Report, Solver, prove};

async fn solver() -> Solver {
    let data = std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".local/share")))
        .expect("a home");
    let named = std::env::var_os("CVC5").map(PathBuf::from);
    Solver::find(
        named.as_deref(),
        &[data.join("chancery/solver")],
        Duration::from_secs(120),
    )
    .await
    .expect("the solver: run appliance/packages/solver")
}

/// A change of the shipped set: name, invariant that it breaks, file, what is
/// written in place of what.
type Weakening = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

const WEAKENED: [Weakening; 24] = [
    (
        "an unreadable label is only looked at",
        "label",
        "10-label",
        "@gate(\"G01\")\n@effect(\"deny\")",
        "@gate(\"L01\")\n@effect(\"review\")",
    ),
    (
        "one level above the accreditation",
        "accreditation",
        "20-protection",
        "context.classification > context.channel_accreditation",
        "context.classification > context.channel_accreditation + 1",
    ),
    (
        "accreditation asked from S-UE on",
        "accreditation",
        "20-protection",
        "context.classification > context.channel_accreditation",
        "context.classification >= 3 && context.classification > context.channel_accreditation",
    ),
    (
        "R-UE by any cryptography",
        "crypto-approval",
        "20-protection",
        "context.classification >= 1 && context.classification > context.crypto_approval",
        "context.classification >= 2 && context.classification > context.crypto_approval",
    ),
    (
        "an arrangement reaches up to C-UE",
        "third-states",
        "20-protection",
        "context.classification > 1)",
        "context.classification > 2)",
    ),
    (
        "a contract opens a third State",
        "third-states",
        "20-protection",
        "context.external_agreement != ExternalAgreement::\"SIA\" &&",
        "context.external_agreement != ExternalAgreement::\"SIA\" && context.external_agreement != ExternalAgreement::\"classified-contract\" &&",
    ),
    (
        "the list counts for classified alone",
        "releasability",
        "20-protection",
        "(!context.releasable_to.isEmpty() ||",
        "((!context.releasable_to.isEmpty() && context.classification >= 1) ||",
    ),
    (
        "no list needed outside",
        "releasability-outside",
        "20-protection",
        "(context.external && context.classification >= 1)) &&",
        "(context.external && context.classification >= 4)) &&",
    ),
    (
        "the press has no contract",
        "private-euci",
        "20-protection",
        "  context.to_private_or_media &&\n  context.classification >= 1",
        "  context.recipient_kind == Kind::\"private\" &&\n  context.classification >= 1",
    ),
    (
        "R-UE to companies",
        "private-euci",
        "20-protection",
        "  context.to_private_or_media &&\n  context.classification >= 1",
        "  context.to_private_or_media &&\n  context.classification >= 2",
    ),
    (
        "clearance does not count inside an organisation",
        "clearance",
        "20-protection",
        "when { context.classification > context.recipient_clearance }",
        "when { context.classification > context.recipient_clearance && context.relation != Relation::\"same-org\" }",
    ),
    (
        "a draft is an agreement",
        "mou-active",
        "30-agreements",
        "context.cross && context.mou != Mou::\"active\"",
        "context.cross && context.mou != Mou::\"active\" && context.mou != Mou::\"draft\"",
    ),
    (
        "TLP:GREEN needs no agreement",
        "mou-active",
        "30-agreements",
        "context.cross && context.mou != Mou::\"active\"",
        "context.cross && context.mou != Mou::\"active\" && context.tlp != Tlp::\"GREEN\"",
    ),
    (
        "ceilings bind companies alone",
        "mou-ceiling",
        "30-agreements",
        "context.classification > context.mou_ceiling",
        "context.classification > context.mou_ceiling && context.to_private_or_media",
    ),
    (
        "LIMITE to the press",
        "limite",
        "40-caveats",
        "(context.to_private_or_media || context.external)",
        "(context.recipient_kind == Kind::\"private\" || context.external)",
    ),
    (
        "CRYPTO to whoever is named",
        "crypto",
        "40-caveats",
        "!context.review_flags.contains(ReviewFlag::\"crypto-custodian\")",
        "!context.review_flags.contains(ReviewFlag::\"crypto-custodian\") && !context.addressed",
    ),
    (
        "RED inside the community",
        "tlp-red",
        "50-tlp",
        "context.ungranted && !context.addressed",
        "context.ungranted && !context.addressed && context.relation == Relation::\"outside\"",
    ),
    (
        "AMBER+STRICT to clients",
        "tlp-amber-strict",
        "50-tlp",
        "context.relation != Relation::\"same-org\"\n}",
        "context.relation != Relation::\"same-org\" &&\n  context.relation != Relation::\"client\"\n}",
    ),
    (
        "AMBER within the community",
        "tlp-amber",
        "50-tlp",
        "context.relation != Relation::\"client\"\n}",
        "context.relation == Relation::\"outside\"\n}",
    ),
    (
        "GREEN by public channels",
        "tlp-green",
        "50-tlp",
        "(context.channel_public || context.relation == Relation::\"outside\")",
        "(context.channel_public && context.relation == Relation::\"outside\")",
    ),
    (
        "a refusal binds from C-UE on",
        "originator-refused",
        "60-originator",
        "(context.classification >= 1 || context.caveats.contains(Caveat::\"ORCON\")) &&\n  context.consent == Consent::\"refused\"",
        "(context.classification >= 2 || context.caveats.contains(Caveat::\"ORCON\")) &&\n  context.consent == Consent::\"refused\"",
    ),
    (
        "labels may drop where it was addressed",
        "level-drop",
        "60-originator",
        "  !context.holder_is_originator &&\n  context.ungranted",
        "  !context.holder_is_originator &&\n  !context.addressed &&\n  context.ungranted",
    ),
    (
        "H2 refused, but named",
        "handling-refused",
        "70-handling",
        "context.handling_codes.contains(HandlingCode::\"H2\") &&\n  !context.addressed &&\n  context.consent == Consent::\"refused\"",
        "context.handling_codes.contains(HandlingCode::\"H2\") &&\n  !context.addressed &&\n  !context.personal_data &&\n  context.consent == Consent::\"refused\"",
    ),
    (
        "no basis noted is a basis",
        "personal-data",
        "80-personal-data",
        "(context.article_25_basis == Article25Basis::\"none\" || context.article_25_basis == Article25Basis::\"n/a\")",
        "context.article_25_basis == Article25Basis::\"none\"",
    ),
];

fn weakened((name, _, file, from, to): &Weakening) -> PolicyTexts {
    let texts = PolicyTexts::shipped();
    let file = format!("{file}.cedar");
    let (_, text) = texts.files().find(|(known, _)| *known == file).unwrap();
    let changed = text.replacen(from, to, 1);
    assert_ne!(changed, text, "{name}: the shipped text has changed");
    texts.with(&file, &changed)
}

async fn ask(set: &PolicyTexts, old: Option<&PolicyTexts>, only: &[&str]) -> Report {
    let directory = shipped::directory(1).unwrap();
    let register = shipped::register(&directory).unwrap();
    ask_under(set, old, only, &register).await
}

async fn ask_under(
    set: &PolicyTexts,
    old: Option<&PolicyTexts>,
    only: &[&str],
    register: &Register,
) -> Report {
    let question = Question {
        set,
        invariants: INVARIANTS,
        directory: &shipped::directory(1).unwrap(),
        register,
        old,
        only,
    };
    prove(&question, &solver().await, |_| ()).await.unwrap()
}

#[tokio::test]
async fn the_shipped_set_keeps_every_invariant() {
    let start = Instant::now();
    let shipped = PolicyTexts::shipped();
    let report = ask(&shipped, Some(&shipped), &[]).await;
    assert!(report.proved, "{report}");
    assert!(report.claims.len() > 20, "{report}");
    assert!(report.solver.starts_with("cvc5 "), "{}", report.solver);
    eprintln!(
        "{} claims in {:.1} s",
        report.claims.len(),
        start.elapsed().as_secs_f64()
    );
}

#[tokio::test]
async fn every_weakened_set_has_a_counterexample_that_decides_as_it_says() {
    let before = Engine::shipped().unwrap();
    for weakening in &WEAKENED {
        let (name, invariant, ..) = weakening;
        let set = weakened(weakening);
        let report = ask(&set, None, &[invariant]).await;
        assert!(!report.proved, "{name}");
        let claim = report.claim(invariant).unwrap();
        let Outcome::Refuted { counterexample } = &claim.outcome else {
            panic!("{name}: {claim}");
        };
        // As JSON it is what `policy decide` reads: denied before, and after it
        // nothing but the code's own limits stand against it.
        let line = counterexample.facts.to_json();
        let facts = Facts::from_json(&line).unwrap();
        let denied = before.decide(&facts);
        assert!(
            denied.is_denied() && denied.alarms().is_empty(),
            "{name}: {line}"
        );
        let now = Engine::load_for_study(&set).unwrap().decide(&facts);
        assert!(
            !now.is_denied() || !now.alarms().is_empty(),
            "{name}: {line}"
        );
        assert!(counterexample.release.starts_with("a message "), "{claim}");
    }
}

#[tokio::test]
async fn a_set_is_compared_with_the_one_before_it() {
    let shipped = PolicyTexts::shipped();
    let stricter = shipped.with(
        "95-red.cedar",
        "@gate(\"L01\")\n@effect(\"review\")\n@rule(\"RED is looked at\")\nforbid (principal, action, resource)\nwhen { context.tlp == Tlp::\"RED\" };\n",
    );
    let both = ["not-wider-denials", "not-wider-reviews"];
    let report = ask(&stricter, Some(&shipped), &both).await;
    assert!(report.proved, "{report}");
    // The other way round it is wider: RED is not looked at any more.
    let report = ask(&shipped, Some(&stricter), &both).await;
    let claim = report.claim("not-wider-reviews").unwrap();
    let found = claim.counterexample().unwrap();
    assert_eq!(
        (found.decided.as_str(), found.before.as_str()),
        ("permit", "review L01"),
        "{claim}"
    );
    assert!(found.release.contains("TLP:RED"), "{claim}");
    assert!(matches!(
        report.claim("not-wider-denials").unwrap().outcome,
        Outcome::Proved
    ));
}

#[tokio::test]
async fn an_agreement_that_opens_too_much_is_found() {
    let directory = shipped::directory(1).unwrap();
    let mous = shipped::MOUS.map(|(name, text)| {
        if name == "vendor-sentinel.toml" {
            (
                name,
                text.replace("max_tlp = \"GREEN\"", "max_tlp = \"AMBER\""),
            )
        } else {
            (name, text.to_owned())
        }
    });
    let files = mous.iter().map(|(name, text)| (*name, text.as_str()));
    let register = Register::from_toml(files, &directory).unwrap();
    let report = ask_under(&PolicyTexts::shipped(), None, &["private-tlp"], &register).await;
    let claim = report.claim("private-tlp").unwrap();
    let found = claim.counterexample().unwrap();
    assert!(
        found.release.contains("TLP:AMBER from an agency"),
        "{claim}"
    );
    assert!(found.release.contains("to a company"), "{claim}");
}

#[tokio::test]
async fn a_rule_that_can_fail_is_found() {
    let overflow = "@gate(\"L01\")\n@effect(\"deny\")\n@rule(\"a test\")\nforbid (principal, action, resource)\nwhen { context.classification + 9223372036854775805 < 0 };\n";
    let set = PolicyTexts::shipped().with("95-local.cedar", overflow);
    let report = ask(&set, None, &["rules-never-fail"]).await;
    let claim = report.claim("rules-never-fail").unwrap();
    let found = claim.counterexample().unwrap();
    assert_eq!(found.decided, "deny G00", "{claim}");
}

#[tokio::test]
async fn no_answer_is_no_proof() {
    let impatient = solver().await.with_limit(Duration::from_millis(1));
    let directory = shipped::directory(1).unwrap();
    let register = shipped::register(&directory).unwrap();
    let question = Question {
        set: &PolicyTexts::shipped(),
        invariants: INVARIANTS,
        directory: &directory,
        register: &register,
        old: None,
        only: &["mou-active"],
    };
    let report = prove(&question, &impatient, |_| ()).await.unwrap();
    assert!(!report.proved);
    assert!(matches!(
        report.claim("mou-active").unwrap().outcome,
        Outcome::Unknown { .. }
    ));
    let nowhere = Solver::find(
        Some(std::path::Path::new("/nonexistent/cvc5")),
        &[],
        Duration::from_secs(1),
    )
    .await;
    let why = nowhere.unwrap_err().to_string();
    assert!(why.contains("appliance/packages/solver"), "{why}");
}

#[tokio::test]
async fn consent_is_not_exchanged_for_votes() {
    // What waited for the originator waits for officers instead.
    let shipped = PolicyTexts::shipped();
    let (_, text) = shipped
        .files()
        .find(|(name, _)| *name == "60-originator.cedar")
        .unwrap();
    let at = text.find("@gate(\"G18\")\n@effect(\"review\")").unwrap();
    let rule = text[at..].split_inclusive(";\n").next().unwrap();
    let votes = rule.replacen("@gate(\"G18\")", "@gate(\"L18\")", 1);
    let never = rule.replacen("when {", "when {\n  context.classification > 4 &&", 1);
    assert_ne!(never, rule);
    let set = shipped.with(
        "60-originator.cedar",
        &text.replacen(rule, &format!("{never}\n{votes}"), 1),
    );
    let report = ask(&set, Some(&shipped), &NOT_WIDER).await;
    let outcome = |name: &str| &report.claim(name).unwrap().outcome;
    assert!(
        matches!(outcome("not-wider-denials"), Outcome::Proved),
        "{report}"
    );
    assert!(
        matches!(outcome("not-wider-reviews"), Outcome::Proved),
        "{report}"
    );
    let claim = report.claim("not-wider-consent").unwrap();
    let found = claim.counterexample().unwrap();
    assert_eq!(found.before, "review G18", "{claim}");
    assert_eq!(found.decided, "review L18", "{claim}");
}

#[tokio::test]
async fn a_claim_that_is_not_asked_is_not_proved() {
    let directory = shipped::directory(1).unwrap();
    let register = shipped::register(&directory).unwrap();
    let texts = PolicyTexts::shipped();
    let twice = format!("{INVARIANTS}\n{INVARIANTS}");
    let template = format!("{INVARIANTS}\nforbid (principal == ?principal, action, resource);");
    for (invariants, only, wanted) in [
        (
            INVARIANTS,
            &["clearance", "clearence"][..],
            "no claim has the name clearence",
        ),
        (
            INVARIANTS,
            &["clearance", "not-wider-denials"][..],
            "--against",
        ),
        (twice.as_str(), &[][..], "two of the name"),
        (template.as_str(), &[][..], "templates are not read"),
    ] {
        let question = Question {
            set: &texts,
            invariants,
            directory: &directory,
            register: &register,
            old: None,
            only,
        };
        let error = prove(&question, &solver().await, |_| ()).await.unwrap_err();
        assert!(error.to_string().contains(wanted), "{error}");
    }
    // And some of the claims are no evidence.
    let some = ask(&texts, Some(&texts), &["clearance"]).await;
    assert!(some.proved && !some.whole, "{some}");
    assert!(some.evidence().is_err());
}

#[tokio::test]
async fn an_invariant_that_can_fail_is_not_proved() {
    // Where it overflows it is skipped, and forbids nothing.
    let invariants = "@invariant(\"none\")\n@says(\"nothing is ever sent\")\nforbid (principal, action, resource)\nwhen { context.classification + 9223372036854775807 >= 0 && 9223372036854775807 + 1 > 0 };\n";
    let directory = shipped::directory(1).unwrap();
    let register = shipped::register(&directory).unwrap();
    let question = Question {
        set: &PolicyTexts::shipped(),
        invariants,
        directory: &directory,
        register: &register,
        old: None,
        only: &["none"],
    };
    let report = prove(&question, &solver().await, |_| ()).await.unwrap();
    let Outcome::Unknown { why } = &report.claim("none").unwrap().outcome else {
        panic!("{report}");
    };
    assert!(why.contains("invariant itself"), "{why}");
}

#[tokio::test]
async fn a_set_whose_rules_fail_is_compared_with_nothing() {
    // In life the rule that fails denies everything; as text it is skipped, and
    // everything would be less than that.
    let overflow = "@gate(\"L01\")\n@effect(\"deny\")\n@rule(\"a test\")\nforbid (principal, action, resource)\nwhen { context.classification + 9223372036854775805 < 0 };\n";
    let shipped = PolicyTexts::shipped();
    let failing = shipped.with("95-local.cedar", overflow);
    let report = ask(&shipped, Some(&failing), &NOT_WIDER).await;
    assert_eq!(report.claims.len(), 3);
    for claim in &report.claims {
        assert!(matches!(claim.outcome, Outcome::Unknown { .. }), "{claim}");
    }
    assert!(report.evidence().is_err());
}

/// A program in place of the solver: what it does at each question.
fn pretender(folder: &std::path::Path, name: &str, at_question: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let file = folder.join(name);
    let program = format!(
        "#!/bin/sh\n[ \"$1\" = --version ] && {{ echo 'cvc5 9.9.9'; exit; }}\n\
         while read -r line; do [ \"$line\" = '(check-sat)' ] && {{ {at_question}; }}; done\n"
    );
    std::fs::write(&file, program).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    file
}

#[tokio::test]
async fn whatever_a_solver_does_but_answer_is_no_proof() {
    let folder = tempfile::tempdir().unwrap();
    let directory = shipped::directory(1).unwrap();
    let register = shipped::register(&directory).unwrap();
    let texts = PolicyTexts::shipped();
    // Of the same set twice nothing would have to be asked.
    let stricter = texts.with(
        "95-red.cedar",
        "@gate(\"L01\")\n@effect(\"deny\")\n@rule(\"no RED\")\nforbid (principal, action, resource)\nwhen { context.tlp == Tlp::\"RED\" };\n",
    );
    let question = Question {
        set: &stricter,
        invariants: INVARIANTS,
        directory: &directory,
        register: &register,
        old: Some(&texts),
        only: &["clearance", "not-empty", "not-wider-denials"],
    };
    for (name, at_question) in [
        ("unknown", "echo unknown"),
        ("error", "echo '(error \"out of memory\")'"),
        (
            "error-then-answer",
            "echo '(error \"the assertion was not read\")'; echo unsat",
        ),
        ("cut", "printf uns; exit 0"),
        ("gone", "exit 0"),
        ("killed", "kill -9 $$"),
        ("silent", "sleep 600"),
        ("other", "echo 'UNSAT, or so it seems'"),
        ("empty", "echo"),
        ("model-only", "echo '('; echo ')'"),
        ("sat-without-model", "echo sat; echo '(error \"no model\")'"),
        ("sat-with-empty-model", "echo sat; echo '('; echo ')'"),
    ] {
        let file = pretender(folder.path(), name, at_question);
        let solver = Solver::find(Some(&file), &[], Duration::from_secs(1))
            .await
            .unwrap();
        let report = prove(&question, &solver, |_| ()).await.unwrap();
        assert_eq!(report.claims.len(), 3);
        assert!(!report.proved, "{name}: {report}");
        for claim in report
            .claims
            .iter()
            .filter(|claim| claim.name != "not-empty")
        {
            assert!(!matches!(claim.outcome, Outcome::Proved), "{name}: {claim}");
        }
    }
    // One that says yes to everything is found out by the claim that needs a no.
    let file = pretender(folder.path(), "yes", "echo unsat");
    let solver = Solver::find(Some(&file), &[], Duration::from_secs(1))
        .await
        .unwrap();
    let report = prove(&question, &solver, |_| ()).await.unwrap();
    assert!(!report.proved, "{report}");
}
