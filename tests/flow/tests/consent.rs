//! What is passed on waits for its originator's consent: asked and answered by
//! the originator's own channel, by the programs that partners really use; and
//! answers that are forged, replayed, mismatched or late, which count nowhere.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may end where it fails"
)]

use chancery_flow::tour::{R_UE, WRITER};
use chancery_world::command::until_some;
use chancery_world::mail::{armored, date, inner, outer, swaks};
use chancery_world::node::DOMAIN;
use chancery_world::siena::{element, message};
use chancery_world::{Gpg, Node, Setup, Sink, chancery, told};
use serde_json::Value;

const OTHER: &str = "exchange@cert-eu.example";

/// A user's command that is refused: its one line.
fn refused(node: &Node, who: &str, arguments: &[&str]) -> String {
    let profile = node.profile(who);
    let mut all = arguments.to_vec();
    all.extend(["--profile", &profile]);
    let output = chancery(&all, "");
    assert_eq!(
        output.status.code(),
        Some(1),
        "{arguments:?}: {}",
        told(&output)
    );
    String::from_utf8(output.stderr).unwrap()
}

/// What waits in a REST inbox, by its text.
fn given(node: &Node, who: &str) -> Vec<(String, String)> {
    let listed = node.user(who, &["inbox"], "");
    listed["deliveries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let id = one["delivery"].as_str().unwrap().to_owned();
            let fetched = node.user(who, &["inbox", "--fetch", &id], "");
            (id, fetched["body"].as_str().unwrap().to_owned())
        })
        .collect()
}

/// CSIRT Alpha writes to CERT-EU; CERT-EU has it: the delivery.
fn received(node: &Node, text: &str) -> String {
    let send = [
        "send",
        "-",
        "--to",
        "cert-eu",
        "--label",
        R_UE,
        "--subject",
        "a report",
        "--purpose",
        "cyber-crisis",
        "--no-personal-data",
    ];
    let _sent = node.user("csirt-alpha", &send, text);
    let (id, _) = given(node, "cert-eu")
        .into_iter()
        .find(|(_, body)| body.contains(text))
        .unwrap();
    let _done = node.user("cert-eu", &["inbox", "--ack", &id], "");
    id
}

/// A REST participant passes a delivery on: the new message, held.
fn passed_on(node: &Node, who: &str, delivery: &str, to: &str, purpose: &str) -> String {
    let forward = [
        "forward",
        delivery,
        "--to",
        to,
        "--purpose",
        purpose,
        "--no-personal-data",
    ];
    let done = node.user(who, &forward, "");
    assert_eq!(done["recipients"][0]["verdict"], "review", "{done}");
    done["id"].as_str().unwrap().to_owned()
}

fn asked(node: &Node, who: &str) -> Vec<Value> {
    let listed = node.user(who, &["consent", "list"], "");
    listed["consents"].as_array().unwrap().clone()
}

fn state(node: &Node, who: &str, message: &str) -> (String, String) {
    let status = node.user(who, &["status", message], "");
    let word = |key: &str| {
        status["recipients"][0][key]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    (word("state"), word("reason"))
}

/// The one request about a message.
fn request_for(node: &Node, who: &str, message: &str) -> String {
    let all = asked(node, who);
    let one = all.iter().find(|one| one["message"] == message).unwrap();
    one["request"].as_str().unwrap().to_owned()
}

/// Another request than this one.
fn other_than(request: &str) -> String {
    let last = if request.ends_with('0') { '1' } else { '0' };
    format!("{}{last}", &request[..request.len() - 1])
}

#[test]
fn consent_is_asked_and_answered_by_the_originators_own_channel() {
    let sink = Sink::start();
    let mut node = Node::new(&Setup::with(&["mail", "siena", "rest"]).relaying_to(&sink));
    let (intcen, cert) = (Gpg::new(WRITER.1), Gpg::new(OTHER));
    for id in ["csirt-alpha", "cert-eu"] {
        node.enroll(id, "rest");
    }
    for id in ["europol-ec3", "spoc-fra"] {
        node.enroll(id, "siena");
    }
    node.enroll_mail(WRITER.0, &intcen, WRITER.1);
    node.enroll_mail("cert-eu", &cert, OTHER);
    node.start();

    granted_and_refused_by_rest(&node);
    by_siena(&node);
    by_mail(&node, &sink, &intcen, &cert);

    // Everything that was tried is on record.
    let log = node.sound_log();
    let count = |kind: &str| log.matches(&format!("\"{kind}\"")).count();
    assert_eq!(count("consent.requested"), 5);
    assert_eq!(count("consent.granted"), 3);
    assert_eq!(count("consent.refused"), 2);
    // By REST: two forged, one mismatched, one replayed; by SIENA-style exchange:
    // two forged, one replayed; by mail: one forged, one mismatched, one replayed.
    assert_eq!(count("consent.rejected"), 10);
}

fn granted_and_refused_by_rest(node: &Node) {
    let europol = node.siena("europol-ec3");
    let delivery = received(node, "fictitious, granted by rest");
    let message = passed_on(node, "cert-eu", &delivery, "europol-ec3", "cyber-crisis");
    assert_eq!(state(node, "cert-eu", &message).0, "held");
    assert!(europol.list(0).unwrap().is_empty());
    let request = request_for(node, "csirt-alpha", &message);
    let card = &asked(node, "csirt-alpha")[0];
    assert_eq!(card["recipient"], "europol-ec3", "{card}");
    assert_eq!(card["level"], "R-UE", "{card}");

    // Forged: by whoever passes it on, and by whoever would get it.
    assert!(asked(node, "cert-eu").is_empty());
    let forged = refused(node, "cert-eu", &["consent", "grant", &request]);
    assert!(forged.contains("no such request"), "{forged}");
    assert_eq!(europol.consent(&request, "grant").status, 404);
    // Mismatched: another request than the one that was asked.
    let other = other_than(&request);
    let mismatched = refused(node, "csirt-alpha", &["consent", "grant", &other]);
    assert!(mismatched.contains("no such request"), "{mismatched}");
    assert_eq!(state(node, "cert-eu", &message).0, "held");

    let done = node.user("csirt-alpha", &["consent", "grant", &request], "");
    assert_eq!(done["granted"], true, "{done}");
    let [id] = &europol.list(60).unwrap()[..] else {
        panic!("not one delivery waits")
    };
    let fetched = europol.fetch(id);
    assert!(
        fetched.body.contains("fictitious, granted by rest"),
        "{fetched:?}"
    );
    assert_eq!(element(&fetched.body, "originator").unwrap(), "csirt-alpha");
    assert_eq!(europol.acknowledge(id).status, 200);
    // Replayed: one answer counts once, and for nothing else.
    let replayed = refused(node, "csirt-alpha", &["consent", "refuse", &request]);
    assert!(replayed.contains("answered before"), "{replayed}");
    assert_eq!(state(node, "cert-eu", &message).0, "completed");

    // The same delivery again is another request; this one is refused.
    let again = passed_on(node, "cert-eu", &delivery, "europol-ec3", "cyber-crisis");
    let request = request_for(node, "csirt-alpha", &again);
    let done = node.user("csirt-alpha", &["consent", "refuse", &request], "");
    assert_eq!(done["granted"], false, "{done}");
    let (state, reason) = state(node, "cert-eu", &again);
    assert_eq!(
        (state.as_str(), reason.as_str()),
        ("refused", "the originator does not consent")
    );
    assert!(europol.list(0).unwrap().is_empty());
}

fn by_siena(node: &Node) {
    let (europol, spoc) = (node.siena("europol-ec3"), node.siena("spoc-fra"));
    for (answer, text) in [
        ("grant", "fictitious, granted by xml"),
        ("refuse", "fictitious, refused by xml"),
    ] {
        let sent = europol.send(
            &message("csirt-alpha", R_UE, "a question", text, None),
            None,
        );
        assert_eq!(sent.status, 202, "{sent:?}");
        let (delivery, _) = until_some("the question", || {
            given(node, "csirt-alpha")
                .into_iter()
                .find(|(_, body)| body.contains(text))
        });
        let _done = node.user("csirt-alpha", &["inbox", "--ack", &delivery], "");
        let passed = passed_on(node, "csirt-alpha", &delivery, "cert-eu", "law-enforcement");
        let [request] = &europol.consents()[..] else {
            panic!("not one request waits")
        };
        if answer == "grant" {
            // Forged: another of the same community, and whoever passes it on.
            assert!(spoc.consents().is_empty());
            assert_eq!(spoc.consent(request, "grant").status, 404);
            let forged = refused(node, "csirt-alpha", &["consent", "grant", request]);
            assert!(forged.contains("no such request"), "{forged}");
        }
        let done = europol.consent(request, answer);
        assert_eq!(done.status, 200, "{done:?}");
        assert!(europol.consents().is_empty());
        if answer == "grant" {
            let texts = given(node, "cert-eu");
            assert!(
                texts.iter().any(|(_, body)| body.contains(text)),
                "{texts:?}"
            );
            // Replayed.
            assert_eq!(europol.consent(request, answer).status, 409);
        } else {
            assert_eq!(state(node, "csirt-alpha", &passed).0, "refused");
            let texts = given(node, "cert-eu");
            assert!(
                !texts.iter().any(|(_, body)| body.contains(text)),
                "{texts:?}"
            );
        }
    }
}

/// Sends a signed and encrypted mail; what the door said to it.
fn mail(node: &Node, gpg: &Gpg, from: &str, to: &str, id: &str, inside: &[u8]) -> (bool, String) {
    let key = gpg.import(&node.openpgp());
    let to = format!("{to}@{DOMAIN}");
    let mail = outer(from, &to, id, &date(), &gpg.seal(&key, inside));
    let sent = swaks(node.smtp(), &node.ca(), from, &to, &mail);
    (sent.status.success(), told(&sent))
}

fn by_mail(node: &Node, sink: &Sink, intcen: &Gpg, cert: &Gpg) {
    // INTCEN's report, to CERT-EU, which passes it on to CSIRT Alpha.
    let text = "fictitious, granted by mail";
    let report = String::from_utf8(inner(R_UE, "a report", text)).unwrap();
    let report = report.replacen(
        "Subject:",
        "Chancery-Purpose: cyber-crisis\r\nChancery-Personal-Data: no\r\nSubject:",
        1,
    );
    let (taken, said) = mail(
        node,
        intcen,
        WRITER.1,
        "cert-eu",
        "consent-1",
        report.as_bytes(),
    );
    assert!(taken, "{said}");
    let (delivery, _) = until_some("the report", || {
        given(node, "cert-eu")
            .into_iter()
            .find(|(_, body)| body.contains(text))
    });
    let before = sink.mails().len();
    let message = passed_on(node, "cert-eu", &delivery, "csirt-alpha", "cyber-crisis");

    // The request comes by mail: signed by the gateway, readable by its originator alone.
    let mails = sink.wait(before + 1);
    let request = mails.last().unwrap();
    assert_eq!(request.to, WRITER.1);
    assert!(!String::from_utf8_lossy(&request.data).contains("CONSENT"));
    let gateway_key = intcen.import(&node.openpgp());
    let opened = intcen.open(&gateway_key, &armored(&request.data));
    assert!(opened.signature_good);
    // Lines that are longer than mail has them are wrapped (quoted-printable).
    let asked = String::from_utf8(opened.text).unwrap().replace("=\r\n", "");
    assert!(
        asked.contains(&message) && asked.contains("csirt-alpha"),
        "{asked}"
    );
    assert!(!asked.contains(text), "nothing of the content: {asked}");
    let line = asked
        .lines()
        .find(|line| line.starts_with("CONSENT GRANTED "))
        .unwrap()
        .trim()
        .to_owned();
    let answer = |words: &str| inner(words, "Re: consent", "");
    let mailbox = "consent";

    // Forged: signed by another participant, and by another in the originator's name.
    let (taken, said) = mail(node, cert, OTHER, mailbox, "consent-2", &answer(&line));
    assert!(!taken && said.contains("no such request"), "{said}");
    let (taken, said) = mail(node, cert, WRITER.1, mailbox, "consent-3", &answer(&line));
    assert!(!taken, "{said}");
    // Mismatched, and no answer at all.
    let other = other_than(&line);
    let (taken, said) = mail(
        node,
        intcen,
        WRITER.1,
        mailbox,
        "consent-4",
        &answer(&other),
    );
    assert!(!taken && said.contains("no such request"), "{said}");
    let (taken, said) = mail(
        node,
        intcen,
        WRITER.1,
        mailbox,
        "consent-5",
        &answer("Yes."),
    );
    assert!(!taken && said.contains("first line"), "{said}");
    assert_eq!(state(node, "cert-eu", &message).0, "held");

    let (taken, said) = mail(node, intcen, WRITER.1, mailbox, "consent-6", &answer(&line));
    assert!(taken, "{said}");
    let texts = given(node, "csirt-alpha");
    assert!(
        texts.iter().any(|(_, body)| body.contains(text)),
        "{texts:?}"
    );
    // Replayed.
    let (taken, said) = mail(node, intcen, WRITER.1, mailbox, "consent-7", &answer(&line));
    assert!(!taken && said.contains("answered before"), "{said}");
}

#[test]
fn an_answer_that_comes_late_is_refused_and_the_release_is_over() {
    let mut node = Node::new(&Setup::with(&["siena", "rest"]));
    for id in ["csirt-alpha", "cert-eu"] {
        node.enroll(id, "rest");
    }
    node.enroll("europol-ec3", "siena");
    node.set("times", "consent_s", "20");
    node.set("times", "look_s", "1");
    node.start();
    let europol = node.siena("europol-ec3");
    let delivery = received(&node, "fictitious, and too late");
    let message = passed_on(&node, "cert-eu", &delivery, "europol-ec3", "cyber-crisis");
    let request = request_for(&node, "csirt-alpha", &message);
    let reason = until_some("the time to be over", || {
        let (state, reason) = state(&node, "cert-eu", &message);
        (state == "expired").then_some(reason)
    });
    assert!(reason.contains("did not answer in time"), "{reason}");
    let late = refused(&node, "csirt-alpha", &["consent", "grant", &request]);
    assert!(late.contains("after its time"), "{late}");
    assert!(europol.list(0).unwrap().is_empty());
    assert!(node.officer("anna", &["review", "list"]).is_empty());
    // It may be asked for again, and the old answer does not fit the new request.
    let again = passed_on(&node, "cert-eu", &delivery, "europol-ec3", "cyber-crisis");
    let late = refused(&node, "csirt-alpha", &["consent", "grant", &request]);
    assert!(late.contains("after its time"), "{late}");
    let fresh = request_for(&node, "csirt-alpha", &again);
    let _done = node.user("csirt-alpha", &["consent", "grant", &fresh], "");
    let [id] = &europol.list(60).unwrap()[..] else {
        panic!("not one delivery waits")
    };
    assert!(europol.fetch(id).body.contains("too late"));
    let log = node.sound_log();
    assert_eq!(log.matches("\"consent.expired\"").count(), 1);
    assert_eq!(log.matches("\"consent.rejected\"").count(), 2);
}
