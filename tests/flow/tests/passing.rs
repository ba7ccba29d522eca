//! What is passed on keeps its label and its originator, an answer says what it
//! answers, and what goes with a release stands on it: by every channel.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may end where it fails"
)]

use chancery_flow::tour::{R_UE, WRITER};
use chancery_world::command::until_some;
use chancery_world::mail::{armored, date, inner, outer, swaks};
use chancery_world::node::DOMAIN;
use chancery_world::siena::{element, message};
use chancery_world::{Gpg, Node, Setup, Sink, told};
use serde_json::Value;

const NATIONAL: &str = "RESTREINT UE/EU RESTRICTED [ITA Riservato]";

fn send(node: &Node, who: &str, to: &str, label: &str, more: &[&str], text: &str) -> Value {
    let mut all = vec![
        "send",
        "-",
        "--to",
        to,
        "--label",
        label,
        "--subject",
        "a note",
        "--purpose",
        "cyber-crisis",
        "--no-personal-data",
    ];
    all.extend(more);
    node.user(who, &all, text)
}

/// The delivery in a REST inbox whose text has these words, fetched.
fn given(node: &Node, who: &str, words: &str) -> Value {
    until_some("a delivery", || {
        let listed = node.user(who, &["inbox"], "");
        let all = listed["deliveries"].as_array().unwrap().clone();
        all.iter()
            .map(|one| {
                let id = one["delivery"].as_str().unwrap();
                node.user(who, &["inbox", "--fetch", id], "")
            })
            .find(|one| one["body"].as_str().unwrap().contains(words))
    })
}

fn id(answer: &Value, key: &str) -> String {
    answer[key].as_str().unwrap().to_owned()
}

#[test]
fn labels_originators_and_threads_hold_by_every_channel() {
    let sink = Sink::start();
    let mut node = Node::new(&Setup::with(&["mail", "siena", "rest"]).relaying_to(&sink));
    let gpg = Gpg::new(WRITER.1);
    for id in ["csirt-alpha", "cert-eu"] {
        node.enroll(id, "rest");
    }
    for id in ["europol-ec3", "spoc-fra"] {
        node.enroll(id, "siena");
    }
    node.enroll_mail(WRITER.0, &gpg, WRITER.1);
    node.start();
    let _key = gpg.import(&node.openpgp());

    restricted_text_does_not_leave_as_unclassified(&node);
    answers_say_what_they_answer(&node, &sink, &gpg);
    what_goes_with_a_release_stands_on_it(&node, &sink, &gpg);
    let log = node.sound_log();
    assert!(!log.contains("\"consent.requested\""), "nobody was asked");
}

fn restricted_text_does_not_leave_as_unclassified(node: &Node) {
    let europol = node.siena("europol-ec3");
    let text = "fictitious and restricted";
    let _sent = send(node, "csirt-alpha", "cert-eu", R_UE, &[], text);
    let delivery = id(&given(node, "cert-eu", text), "delivery");
    let forward = |to: &str, label: &str| {
        let all = [
            "forward",
            &delivery,
            "--to",
            to,
            "--label",
            label,
            "--purpose",
            "cyber-crisis",
            "--no-personal-data",
        ];
        node.user("cert-eu", &all, "")
    };
    // Passed on under a lower label, by somebody who is not its originator.
    let lower = forward("europol-ec3", "UNCLASSIFIED");
    assert_eq!(lower["recipients"][0]["verdict"], "deny", "{lower}");
    assert_eq!(
        lower["label"]["level"], "R-UE",
        "a label never falls: {lower}"
    );
    // Derived from it, and said to be less.
    let derived = ["--derived-from", delivery.as_str()];
    let said = send(
        node,
        "cert-eu",
        "europol-ec3",
        "UNCLASSIFIED",
        &derived,
        "the same in other words",
    );
    assert_eq!(said["recipients"][0]["verdict"], "deny", "{said}");
    // Copied, marking and all, into a message of its own.
    let copied = format!("{R_UE}\n\n{text}");
    let said = send(node, "cert-eu", "europol-ec3", "UNCLASSIFIED", &[], &copied);
    assert_eq!(said["recipients"][0]["verdict"], "review", "{said}");
    assert!(europol.list(0).unwrap().is_empty());
    // Its originator gets its own back, unasked.
    let back = forward("csirt-alpha", R_UE);
    assert_eq!(back["recipients"][0]["verdict"], "permit", "{back}");
    let got = given(node, "csirt-alpha", text);
    assert_eq!(got["originator"]["id"], "csirt-alpha", "{got}");
}

/// INTCEN's mail to CERT-EU, with these further fields in its protected part.
fn mailed(node: &Node, gpg: &Gpg, number: &str, fields: &str, text: &str) {
    let inside = String::from_utf8(inner(R_UE, "a mail", text)).unwrap();
    let fields =
        format!("{fields}Chancery-Purpose: cyber-crisis\r\nChancery-Personal-Data: no\r\nSubject:");
    let inside = inside.replacen("Subject:", &fields, 1);
    let key = gpg.import(&node.openpgp());
    let to = format!("cert-eu@{DOMAIN}");
    let sealed = gpg.seal(&key, inside.as_bytes());
    let mail = outer(WRITER.1, &to, number, &date(), &sealed);
    let sent = swaks(node.smtp(), &node.ca(), WRITER.1, &to, &mail);
    assert!(sent.status.success(), "{}", told(&sent));
}

/// The newest of so many mails: its bytes, and what gpg makes of it, unwrapped.
fn read(node: &Node, sink: &Sink, gpg: &Gpg, count: usize) -> (String, String) {
    let mails = sink.wait(count);
    let mail = mails.last().unwrap();
    let opened = gpg.open(&gpg.import(&node.openpgp()), &armored(&mail.data));
    assert!(opened.signature_good);
    (
        String::from_utf8_lossy(&mail.data).into_owned(),
        String::from_utf8(opened.text).unwrap().replace("=\r\n", ""),
    )
}

fn answers_say_what_they_answer(node: &Node, sink: &Sink, gpg: &Gpg) {
    let europol = node.siena("europol-ec3");
    let before = sink.mails().len();
    let more = ["--to", WRITER.0];
    let question = send(node, "cert-eu", "europol-ec3", R_UE, &more, "a question");
    let question = id(&question, "id");

    // By SIENA-style exchange, there and back.
    let [delivery] = &europol.list(60).unwrap()[..] else {
        panic!("not one delivery waits")
    };
    assert_eq!(europol.fetch(delivery).status, 200);
    assert_eq!(europol.acknowledge(delivery).status, 200);
    let document = message("cert-eu", R_UE, "an answer", "an answer in xml", None);
    let answer = europol.reply(delivery, &document);
    assert_eq!(answer.status, 202, "{answer:?}");
    let own = element(&answer.body, "messageId").unwrap();
    let got = given(node, "cert-eu", "an answer in xml");
    assert_eq!(got["in_reply_to"], question.as_str(), "{got}");
    let reply = |delivery: &str, text: &str| {
        let all = ["reply", delivery, "--label", R_UE, "--no-personal-data"];
        let more = ["--subject", "Re: a note", "--purpose", "cyber-crisis"];
        node.user("cert-eu", &[&all[..], &more[..]].concat(), text)
    };
    let _sent = reply(&id(&got, "delivery"), "thank you, in xml");
    let [delivery] = &europol.list(60).unwrap()[..] else {
        panic!("not one delivery waits")
    };
    let fetched = europol.fetch(delivery);
    assert_eq!(element(&fetched.body, "inReplyTo").as_ref(), Some(&own));
    assert_eq!(europol.acknowledge(delivery).status, 200);

    // By mail: the id that the gateway's mail has, and the one that it gave.
    let (outside, _) = read(node, sink, gpg, before + 1);
    let own_id = outside
        .lines()
        .find_map(|line| line.strip_prefix("Message-ID: "))
        .unwrap();
    let field = format!("In-Reply-To: {own_id}\r\n");
    mailed(node, gpg, "thread-1", &field, "an answer by mail");
    let got = given(node, "cert-eu", "an answer by mail");
    assert_eq!(got["in_reply_to"], question.as_str(), "{got}");
    let _sent = reply(&id(&got, "delivery"), "thank you, by mail");
    let (outside, inside) = read(node, sink, gpg, before + 2);
    let known = format!("<{}@{DOMAIN}>", id(&got, "message"));
    let header = inside.split("\r\n\r\n").next().unwrap();
    for name in ["In-Reply-To", "References"] {
        let field = format!("{name}: \r\n {known}");
        assert!(header.contains(&field), "{header}");
    }
    assert!(!outside.contains(&known), "threads are not told outside");
    assert!(inside.contains("Answers:"), "{inside}");
}

fn what_goes_with_a_release_stands_on_it(node: &Node, sink: &Sink, gpg: &Gpg) {
    let (europol, spoc) = (node.siena("europol-ec3"), node.siena("spoc-fra"));
    let before = sink.mails().len();
    let text = "fictitious, with a national marking";
    let document = message("csirt-alpha", NATIONAL, "a lead", text, None)
        .replace("<code>H0</code>", "<code>H1</code>")
        .replace(
            "</recipients>",
            &format!(
                "<recipient role=\"to\">spoc-fra</recipient><recipient role=\"copy\">{}</recipient></recipients>",
                WRITER.0
            ),
        );
    let sent = europol.send(&document, None);
    assert_eq!(sent.status, 202, "{sent:?}");
    let marking = format!("{NATIONAL} H1");
    let sentences = [
        "keep the national marking beside the EU marking",
        "not for use in judicial proceedings",
    ];

    let got = given(node, "csirt-alpha", text);
    assert_eq!(got["marking"], marking.as_str(), "{got}");
    assert_eq!(got["closing_marking"], marking.as_str(), "{got}");
    assert_eq!(got["label"]["national"]["marking"], "Riservato", "{got}");
    for sentence in sentences {
        let all = got["obligations"].as_array().unwrap();
        assert!(all.iter().any(|one| one == sentence), "{sentence}: {got}");
    }

    let [delivery] = &spoc.list(60).unwrap()[..] else {
        panic!("not one delivery waits")
    };
    let body = spoc.fetch(delivery).body;
    for name in ["marking", "closingMarking"] {
        assert_eq!(element(&body, name).as_ref(), Some(&marking), "{body}");
    }
    assert!(
        body.contains("<national country=\"ITA\">Riservato</national>"),
        "{body}"
    );
    for sentence in sentences {
        let one = format!("<obligation>{sentence}</obligation>");
        assert!(body.contains(&one), "{body}");
    }

    let (outside, inside) = read(node, sink, gpg, before + 1);
    assert!(!outside.contains("Riservato"), "nothing of it outside");
    assert!(inside.matches(&marking).count() >= 2, "{inside}");
    for sentence in sentences {
        assert!(inside.contains(sentence), "{sentence}: {inside}");
    }
}
