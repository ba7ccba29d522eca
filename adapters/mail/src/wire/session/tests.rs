//! The session as a table: what is said, what is answered.

mod budgets;

use chancery_pipeline::ports::ReplyBody;

use super::*;
use crate::wire::Limits;

fn settings(protocol: Protocol) -> Settings {
    Settings {
        protocol,
        hostname: "gateway.example".to_owned(),
        domains: vec!["gateway.example".to_owned()],
        limits: Limits {
            message_bytes: 1000,
            recipients: 3,
            ..Limits::default()
        },
    }
}

fn reply(status: u16, text: &str, per_recipient: &[(u16, &str)]) -> Reply {
    Reply {
        status,
        content_type: String::new(),
        headers: Vec::new(),
        body: ReplyBody::Whole(text.to_owned().into()),
        per_recipient: per_recipient
            .iter()
            .map(|(code, text)| (*code, (*text).to_owned()))
            .collect(),
    }
}

/// What a run of a session shows.
#[derive(Debug, Default)]
struct Run {
    output: String,
    messages: Vec<Message>,
    refusals: Vec<&'static str>,
    closed: bool,
    upgrades: u32,
}

impl Run {
    /// The codes of all replies, multi-line ones once.
    fn codes(&self) -> Vec<u16> {
        self.output
            .lines()
            .filter(|line| line.as_bytes().get(3) == Some(&b' '))
            .map(|line| line.get(..3).unwrap().parse().unwrap())
            .collect()
    }
}

/// Feeds `pieces` one after the other; the gateway accepts everything.
fn run(settings: &Settings, secured: bool, pieces: &[&[u8]]) -> Run {
    let mut session = Session::new(settings, settings.protocol == Protocol::Smtp, secured);
    let mut run = Run::default();
    let mut input = BytesMut::new();
    for piece in pieces {
        input.extend_from_slice(piece);
        while let Some(action) = session.advance(&mut input) {
            match action {
                Action::Close => {
                    run.closed = true;
                    break;
                }
                Action::Upgrade => {
                    run.upgrades += 1;
                    session.secured();
                }
                Action::Submit(message) => {
                    let each: Vec<_> = message.to.iter().map(|_| (250, "2.0.0 taken")).collect();
                    run.messages.push(*message);
                    session.answered(Some(Ok(reply(250, "2.0.0 accepted", &each))));
                }
            }
        }
        if run.closed {
            break;
        }
    }
    run.output = String::from_utf8(session.take_output()).unwrap();
    run.refusals = session.take_refusals();
    run
}

fn smtp(script: &str) -> Run {
    run(&settings(Protocol::Smtp), true, &[script.as_bytes()])
}

const HEAD: &str =
    "EHLO c.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<Liaison@Gateway.Example>\r\n";

#[test]
fn a_message_goes_through() {
    let run = smtp(&format!(
        "{HEAD}DATA\r\nSubject: x\r\n\r\n..\r\nFrom us\r\n.\r\nQUIT\r\n"
    ));
    assert_eq!(run.codes(), [220, 250, 250, 250, 354, 250, 221]);
    assert!(run.closed);
    assert_eq!(run.messages.len(), 1);
    let message = &run.messages[0];
    assert_eq!(message.from.as_deref(), Some("a@b.example"));
    assert_eq!(message.to, ["liaison@gateway.example"]);
    assert_eq!(&message.bytes[..], b"Subject: x\r\n\r\n.\r\nFrom us\r\n");
    assert!(run.output.contains("250 2.0.0 accepted\r\n"));
    assert!(run.refusals.is_empty());
}

#[test]
fn extensions_are_announced() {
    let run = run(&settings(Protocol::Smtp), false, &[b"EHLO c.example\r\n"]);
    for keyword in [
        "PIPELINING",
        "8BITMIME",
        "SMTPUTF8",
        "CHUNKING",
        "SIZE 1000",
        "STARTTLS",
        "ENHANCEDSTATUSCODES",
    ] {
        assert!(run.output.contains(keyword), "{keyword}");
    }
    let secured = smtp("EHLO c.example\r\n");
    assert!(!secured.output.contains("STARTTLS"));
    assert!(!secured.output.contains("AUTH"));
}

#[test]
fn a_message_may_come_octet_by_octet() {
    let script = format!("{HEAD}DATA\r\nhello\r\n.\r\nQUIT\r\n");
    let pieces: Vec<&[u8]> = script.as_bytes().chunks(1).collect();
    let run = run(&settings(Protocol::Smtp), true, &pieces);
    assert_eq!(run.codes(), [220, 250, 250, 250, 354, 250, 221]);
    assert_eq!(&run.messages[0].bytes[..], b"hello\r\n");
}

/// SMTP-040: cut at any place, a message is whole or it is not there.
#[test]
fn a_cut_connection_submits_nothing_by_halves() {
    let script = format!("{HEAD}DATA\r\nhello\r\n.\r\n");
    for cut in 0..script.len() {
        let run = run(
            &settings(Protocol::Smtp),
            true,
            &[&script.as_bytes()[..cut]],
        );
        assert!(run.messages.is_empty(), "cut at {cut}");
    }
}

#[test]
fn every_smuggling_end_closes_the_connection() {
    let smuggled =
        "MAIL FROM:<evil@b.example>\r\nRCPT TO:<liaison@gateway.example>\r\nDATA\r\nevil\r\n.\r\n";
    for (end, reason) in [
        ("\n.\n", "bare-lf"),
        ("\n.\r\n", "bare-lf"),
        ("\r\n.\n", "bare-lf"),
        ("\r.\r\n", "bare-cr"),
        ("\r\n.\r", "bare-cr"),
        ("\r.\r", "bare-cr"),
        ("\r\n.\r\r\n", "bare-cr"),
        ("\n.\r", "bare-lf"),
        ("\r.\n", "bare-cr"),
        ("\r\n\0.\r\n", "nul"),
        ("\r\n.\0\r\n", "nul"),
        ("\0\r\n.\r\n", "nul"),
        ("\r\r\n.\r\n", "bare-cr"),
    ] {
        let script = format!("{HEAD}DATA\r\ntext{end}{smuggled}");
        for size in [1, 7, script.len()] {
            let pieces: Vec<&[u8]> = script.as_bytes().chunks(size).collect();
            let run = run(&settings(Protocol::Smtp), true, &pieces);
            assert_eq!(run.codes(), [220, 250, 250, 250, 354, 554], "{end:?}");
            assert!(run.closed && run.messages.is_empty(), "{end:?}");
            assert_eq!(run.refusals, [reason], "{end:?}");
        }
    }
}

#[test]
fn tls_comes_before_mail() {
    let plain = settings(Protocol::Smtp);
    let refused = run(
        &plain,
        false,
        &[b"EHLO c.example\r\nMAIL FROM:<a@b.example>\r\nAUTH PLAIN AA==\r\n"],
    );
    assert_eq!(refused.codes(), [220, 250, 530, 530]);
    assert_eq!(refused.refusals, ["no-tls"]);

    let upgraded = run(
        &plain,
        false,
        &[
            b"EHLO c.example\r\n",
            b"STARTTLS\r\n",
            b"MAIL FROM:<a@b.example>\r\n",
            b"EHLO c.example\r\nMAIL FROM:<a@b.example>\r\nSTARTTLS\r\n",
        ],
    );
    // Hello is said anew after TLS (RFC 3207 section 4.2).
    assert_eq!(upgraded.codes(), [220, 250, 220, 503, 250, 250, 503]);
    assert_eq!(upgraded.upgrades, 1);
}

#[test]
fn nothing_may_be_sent_ahead_of_tls() {
    for injected in [
        "STARTTLS\r\nEHLO evil.example\r\n",
        "STARTTLS\r\nR",
        "STARTTLS\r\n\r\n",
    ] {
        let script = format!("EHLO c.example\r\n{injected}");
        let run = run(&settings(Protocol::Smtp), false, &[script.as_bytes()]);
        assert_eq!(run.codes(), [220, 250, 554], "{injected:?}");
        assert!(run.closed && run.upgrades == 0);
        assert_eq!(run.refusals, ["starttls-injection"]);
    }
}

#[test]
fn commands_out_of_order_are_refused() {
    for (script, codes) in [
        ("MAIL FROM:<a@b.example>\r\n", &[503][..]),
        (
            "EHLO c.example\r\nRCPT TO:<liaison@gateway.example>\r\n",
            &[250, 503],
        ),
        ("EHLO c.example\r\nDATA\r\n", &[250, 503]),
        (
            "EHLO c.example\r\nMAIL FROM:<>\r\nDATA\r\n",
            &[250, 250, 503],
        ),
        (
            "EHLO c.example\r\nMAIL FROM:<>\r\nMAIL FROM:<>\r\n",
            &[250, 250, 503],
        ),
        ("RSET\r\nMAIL FROM:<>\r\n", &[250, 503]),
        ("LHLO c.example\r\n", &[500]),
        (
            "HELO c.example\r\nNOOP\r\nVRFY x\r\nHELP\r\n",
            &[250, 250, 252, 214],
        ),
        (
            "EXPN x\r\nETRN x\r\nTURN\r\nAUTH PLAIN\r\n",
            &[502, 502, 502, 502],
        ),
        (
            "XCLIENT ADDR=1.2.3.4\r\nXFORWARD ADDR=1.2.3.4\r\n",
            &[550, 550],
        ),
    ] {
        let run = smtp(script);
        assert_eq!(&run.codes()[1..], codes, "{script:?}");
    }
}

#[test]
fn other_protocols_end_the_connection() {
    for script in [
        "PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\nEHLO x\r\n",
        "\r\n\r\n\0\r\nQUIT\n",
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    ] {
        let run = smtp(script);
        assert!(run.closed, "{script:?}");
        assert!(!run.output.contains("250"), "{script:?}");
    }
}

#[test]
fn recipients_elsewhere_and_odd_ones_are_refused() {
    for (path, code) in [
        ("liaison@elsewhere.example", 550),
        ("liaison@\u{435}uropol.europa.eu", 553),
        ("@a.example,@b.example:liaison@gateway.example", 550),
        ("liaison%elsewhere.example@gateway.example", 550),
        ("liaison@[127.0.0.1]", 550),
        ("\"-oQ/tmp -X/tmp/x\"@gateway.example", 553),
        ("li\u{202e}aison@gateway.example", 553),
        ("liaison\u{560a}@gateway.example", 553),
        ("", 553),
        ("postmaster", 553),
        ("връзка@gateway.example", 550),
    ] {
        let run = smtp(&format!(
            "EHLO c.example\r\nMAIL FROM:<a@b.example> SMTPUTF8\r\nRCPT TO:<{path}>\r\nDATA\r\n"
        ));
        assert_eq!(run.codes(), [220, 250, 250, code, 503], "{path}");
    }
}

#[test]
fn lmtp_answers_for_every_recipient() {
    let lmtp = settings(Protocol::Lmtp);
    let script = "LHLO c.example\r\nMAIL FROM:<>\r\nRCPT TO:<a@gateway.example>\r\n\
                  RCPT TO:<b@gateway.example>\r\nRCPT TO:<A@gateway.example>\r\nDATA\r\n\r\n.\r\n";
    let mut session = Session::new(&lmtp, false, false);
    let mut input = BytesMut::from(script.as_bytes());
    let Some(Action::Submit(message)) = session.advance(&mut input) else {
        panic!("a message was expected");
    };
    assert_eq!(message.to, ["a@gateway.example", "b@gateway.example"]);
    assert_eq!(message.from, None);
    session.take_output();
    session.answered(Some(Ok(reply(
        250,
        "2.0.0 x",
        &[(250, "2.0.0 taken"), (550, "5.7.0 not allowed")],
    ))));
    assert_eq!(
        String::from_utf8(session.take_output()).unwrap(),
        "250 2.0.0 taken\r\n550 5.7.0 not allowed\r\n250 2.0.0 taken\r\n"
    );
    let wrong = run(
        &lmtp,
        false,
        &[b"EHLO c.example\r\nHELO c.example\r\nSTARTTLS\r\n"],
    );
    assert_eq!(wrong.codes(), [220, 500, 500, 502]);
    let big = "x".repeat(1001);
    let large = run(
        &lmtp,
        false,
        &[format!(
            "LHLO c.example\r\nMAIL FROM:<>\r\nRCPT TO:<a@gateway.example>\r\n\
             RCPT TO:<b@gateway.example>\r\nDATA\r\n{big}\r\n.\r\n"
        )
        .as_bytes()],
    );
    assert_eq!(large.codes()[5..], [354, 552, 552]);
}

#[test]
fn the_gateways_troubles_are_temporary() {
    let smtp_settings = settings(Protocol::Smtp);
    for (answer, code) in [
        (Some(Err(GateError::Busy)), 451),
        (Some(Err(GateError::CutOff("x".to_owned()))), 451),
        (Some(Err(GateError::TooLarge { limit: 1 })), 552),
        (None, 451),
        // What cannot stand on a line is never taken for accepted.
        (Some(Ok(reply(200, "", &[]))), 451),
        (Some(Ok(reply(354, "go on", &[]))), 451),
        (
            Some(Ok(reply(550, "5.7.1 a\r\n250 2.0.0 injected", &[]))),
            550,
        ),
    ] {
        let mut session = Session::new(&smtp_settings, false, true);
        let mut input = BytesMut::from(format!("{HEAD}DATA\r\n.\r\n").as_bytes());
        assert!(matches!(
            session.advance(&mut input),
            Some(Action::Submit(_))
        ));
        session.take_output();
        session.answered(answer);
        let output = String::from_utf8(session.take_output()).unwrap();
        assert!(output.starts_with(&code.to_string()), "{output}");
        assert_eq!(output.lines().count(), 1);
    }
}
