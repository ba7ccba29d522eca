//! A real Postfix on both sides of the mail door: in front, handing over by
//! LMTP; and as the relay, to which outgoing mail goes over required TLS.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test may end where it fails, and says when it cannot run"
)]

use chancery_flow::tour::{R_UE, WRITER};
use chancery_world::command::until_some;
use chancery_world::mail::{armored, date, inner, outer, swaks};
use chancery_world::node::DOMAIN;
use chancery_world::{Gpg, Node, Postfix, Setup, Sink, ports, told};

#[test]
fn mail_comes_and_goes_through_postfix() {
    if !Postfix::can_run() {
        println!("not run: Postfix's master starts as root alone");
        return;
    }
    let [lmtp] = ports::free();
    let sink = Sink::start();
    let postfix = Postfix::start(DOMAIN, lmtp, "eeas.example", &sink);
    let gpg = Gpg::new(WRITER.1);
    let mut node = Node::new(&Setup {
        relay: Some((postfix.address(), postfix.ca())),
        lmtp: Some(lmtp.to_string()),
        ..Setup::with(&["mail", "rest"])
    });
    for id in ["cert-eu", "eu-military-staff"] {
        node.enroll(id, "rest");
    }
    node.enroll_mail(WRITER.0, &gpg, WRITER.1);
    node.start();
    let gateway = gpg.import(&node.openpgp());
    let write = |to: &str, id: &str, text: &str| {
        let sealed = gpg.seal(&gateway, &inner(R_UE, "through Postfix", text));
        let to = format!("{to}@{DOMAIN}");
        let mail = outer(WRITER.1, &to, id, &date(), &sealed);
        swaks(postfix.address(), &postfix.ca(), WRITER.1, &to, &mail)
    };

    // In: Postfix speaks LMTP to the door, and the signature alone says who wrote.
    let sent = write("eu-military-staff", "postfix-1", "fictitious and inbound");
    assert!(sent.status.success(), "{}", told(&sent));
    let listed = node.user("eu-military-staff", &["inbox", "--wait", "60"], "");
    let id = listed["deliveries"][0]["delivery"].as_str().unwrap();
    let fetched = node.user("eu-military-staff", &["inbox", "--fetch", id], "");
    assert_eq!(
        fetched["body"].as_str().unwrap().trim(),
        "fictitious and inbound"
    );
    let _done = node.user("eu-military-staff", &["inbox", "--ack", id], "");

    // Nobody of that name: the door refuses inside the dialogue, and Postfix
    // tells the sender. What it sends back has not been opened by anybody.
    let sent = write("nobody-here", "postfix-2", "fictitious and lost");
    assert!(sent.status.success(), "{}", told(&sent));
    until_some("Postfix to hear of the refusal", || {
        postfix.log().contains("status=bounced").then_some(())
    });

    // Out: to Postfix with STARTTLS and its own authority, and from there on.
    let answer = node.user(
        "cert-eu",
        &[
            "send",
            "-",
            "--to",
            WRITER.0,
            "--label",
            R_UE,
            "--purpose",
            "cyber-crisis",
            "--no-personal-data",
            "--subject",
            "through Postfix",
        ],
        "fictitious and outbound",
    );
    let mails = until_some("the mail to come out", || {
        let ours: Vec<_> = sink
            .mails()
            .into_iter()
            .filter(|mail| mail.from == format!("gateway@{DOMAIN}"))
            .collect();
        (!ours.is_empty()).then_some(ours)
    });
    let opened = gpg.open(&gateway, &armored(&mails[0].data));
    assert!(opened.signature_good);
    assert!(String::from_utf8_lossy(&opened.text).contains("fictitious and outbound"));
    let message = answer["id"].as_str().unwrap();
    until_some("the relay's answer to be the receipt", || {
        let status = node.user("cert-eu", &["status", message], "");
        (status["recipients"][0]["state"] == "completed").then_some(())
    });
    let secured = postfix
        .log()
        .lines()
        .filter(|line| line.contains("TLS connection established from"))
        .count();
    assert_eq!(secured, 3, "two from swaks, one from the door");
    let log = node.sound_log();
    assert!(log.contains("\"release.completed\""));
}
