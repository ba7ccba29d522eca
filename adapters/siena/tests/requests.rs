//! What the door lets through to the gate, and what it refuses itself.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod double;

use std::sync::Arc;
use std::time::Duration;

use chancery_message::Operation;
use chancery_pipeline::ports::{Ask, GateError, TooMany};
use chancery_siena::wire::Limits;
use double::{Double, raw, request, xml};

const XML: &str = "content-type: application/xml\r\n";

#[tokio::test]
async fn submissions_reach_the_gate_as_they_are() {
    let gate = Arc::new(Double::default());
    let odd = "<not <xml \u{0} at all";
    let cases = [
        ("POST /siena/v1/messages", Operation::Send),
        ("POST /siena/v1/check", Operation::Check),
        (
            "POST /siena/v1/messages/0197-a/reply",
            Operation::Reply {
                to: "0197-a".to_owned(),
            },
        ),
        (
            "POST /siena/v1/messages/0197-a/forward",
            Operation::Forward {
                of: "0197-a".to_owned(),
            },
        ),
    ];
    for (line, operation) in cases {
        for kind in [
            "application/xml",
            "text/xml; charset=utf-8",
            "application/xml; charset=\"UTF-8\"",
        ] {
            let fields = format!("content-type: {kind}\r\nidempotency-key: k-1\r\n");
            let answer = request(&gate, line, &fields, odd).await;
            assert_eq!(
                (answer.status, answer.body.as_str()),
                (202, "<submitted/>"),
                "{line}"
            );
            assert!(answer.head.contains("cache-control: no-store"));
            assert!(answer.head.contains("x-content-type-options: nosniff"));
            let (inbound, bytes) = gate.seen().submitted.pop().expect("submitted");
            assert_eq!(bytes, odd.as_bytes());
            assert_eq!(inbound.peer, double::peer().evidence);
            let key = (operation != Operation::Check).then(|| "k-1".to_owned());
            assert_eq!(inbound.idempotency_key, key, "{line}");
            assert_eq!(inbound.operation, operation);
        }
    }
    assert!(gate.seen().refused.is_empty());
}

#[tokio::test]
async fn questions_reach_the_gate_with_their_ids() {
    let gate = Arc::new(Double::default());
    let delivery = || "d-1".to_owned();
    let inbox = |wait_seconds, after: Option<&str>, limit| Ask::Inbox {
        wait_seconds,
        after: after.map(str::to_owned),
        limit,
    };
    let cases = [
        ("GET /siena/v1/recipients", Ask::Recipients),
        ("GET /siena/v1/inbox", inbox(0, None, 50)),
        (
            "GET /siena/v1/inbox?wait=60&after=d-1&limit=200",
            inbox(60, Some("d-1"), 200),
        ),
        (
            "GET /siena/v1/inbox/d-1",
            Ask::Fetch {
                delivery: delivery(),
            },
        ),
        (
            "POST /siena/v1/inbox/d-1/ack",
            Ask::Acknowledge {
                delivery: delivery(),
            },
        ),
        (
            "GET /siena/v1/messages/m-1",
            Ask::Status {
                message: "m-1".to_owned(),
            },
        ),
        (
            "POST /siena/v1/messages/m-1/withdraw",
            Ask::Withdraw {
                message: "m-1".to_owned(),
            },
        ),
    ];
    for (line, ask) in cases {
        let answer = request(&gate, line, "", "").await;
        assert_eq!(answer.status, 200, "{line}: {answer:?}");
        assert_eq!(gate.seen().asked.pop(), Some(ask), "{line}");
    }
}

/// What is refused here: line, fields, body, status, name. One record each.
#[tokio::test]
async fn refusals_are_told_and_recorded() {
    let long = format!("GET /siena/v1/inbox/{}", "a".repeat(129));
    let very_long = format!("GET /siena/v1/inbox?after={}", "a".repeat(2000));
    let gzip = format!("{XML}content-encoding: gzip\r\n");
    let key = format!("{XML}idempotency-key: a b\r\n");
    let cases: Vec<(&str, &str, &str, u16, &str)> = vec![
        ("GET /siena/v1/nothing", "", "", 404, "not-found"),
        ("GET /", "", "", 404, "not-found"),
        ("GET /siena/v1", "", "", 404, "not-found"),
        ("GET /siena/v10/inbox", "", "", 404, "not-found"),
        ("GET /siena/v1/inbox/", "", "", 404, "not-found"),
        ("GET /siena/v1//inbox", "", "", 404, "not-found"),
        (
            "GET /siena/v1/inbox/..%2f..%2fetc%2fpasswd",
            "",
            "",
            404,
            "not-found",
        ),
        ("GET /siena/v1/inbox/d%2D1", "", "", 404, "not-found"),
        ("GET /siena/v1/inbox/a%00b", "", "", 404, "not-found"),
        ("GET /siena/v1/inbox/a;b=c", "", "", 404, "not-found"),
        ("GET /siena/v1/inbox/..", "", "", 404, "not-found"),
        (&long, "", "", 404, "not-found"),
        (&very_long, "", "", 400, "bad-request"),
        (
            "GET /siena/v1/inbox/d-1/attachments/-1",
            "",
            "",
            404,
            "not-found",
        ),
        ("GET /siena/v1/inbox?wait=61", "", "", 400, "bad-request"),
        (
            "GET /siena/v1/inbox?wait=1&wait=2",
            "",
            "",
            400,
            "bad-request",
        ),
        (
            "GET /siena/v1/inbox?sort=subject",
            "",
            "",
            400,
            "bad-request",
        ),
        (
            "OPTIONS /siena/v1/messages",
            "",
            "",
            405,
            "method-not-allowed",
        ),
        (
            "TRACE /siena/v1/messages",
            "",
            "",
            405,
            "method-not-allowed",
        ),
        (
            "DELETE /siena/v1/inbox/d-1",
            "",
            "",
            405,
            "method-not-allowed",
        ),
        ("GET /siena/v1/messages", "", "", 405, "method-not-allowed"),
        (
            "POST /siena/v1/messages",
            "",
            "<a/>",
            415,
            "unsupported-media-type",
        ),
        (
            "POST /siena/v1/messages",
            "content-type: application/json\r\n",
            "<a/>",
            415,
            "unsupported-media-type",
        ),
        (
            "POST /siena/v1/messages",
            "content-type: application/xml; charset=utf-16\r\n",
            "<a/>",
            415,
            "unsupported-media-type",
        ),
        (
            "POST /siena/v1/messages",
            &gzip,
            "<a/>",
            415,
            "unsupported-media-type",
        ),
        (
            "POST /siena/v1/attachments",
            "content-type: multipart/form-data; boundary=x\r\n",
            "x",
            415,
            "unsupported-media-type",
        ),
        ("POST /siena/v1/messages", &key, "<a/>", 400, "bad-request"),
        (
            "GET /siena/v1/inbox",
            "host: gateway.example\r\n",
            "",
            400,
            "bad-request",
        ),
    ];
    for (line, fields, body, status, name) in cases {
        let gate = Arc::new(Double::default());
        let answer = request(&gate, line, fields, body).await;
        assert_eq!(answer.status, status, "{line} {fields}: {answer:?}");
        assert_eq!(answer.fault(), name, "{line} {fields}");
        let seen = gate.seen();
        assert_eq!(seen.refused, [name], "{line}");
        assert!(
            seen.submitted.is_empty() && seen.asked.is_empty() && seen.uploads.is_empty(),
            "{line}"
        );
        assert_eq!(
            answer.head.contains("\r\nallow: "),
            status == 405,
            "{line}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn heads_and_other_hosts_reach_nothing() {
    let gate = Arc::new(Double::default());
    let answer = request(&gate, "HEAD /siena/v1/inbox/d-1", "", "").await;
    assert_eq!((answer.status, answer.body.as_str()), (405, ""));
    let text =
        b"GET /siena/v1/inbox HTTP/1.1\r\nhost: rest.gateway.example\r\nconnection: close\r\n\r\n";
    let answer = raw(&gate, Limits::default(), text).await;
    assert_eq!(
        (answer.status, answer.fault().as_str()),
        (421, "misdirected")
    );
    assert!(gate.seen().asked.is_empty());
}

#[tokio::test]
async fn too_large_and_too_slow_bodies_are_cut_off() {
    let limits = Limits {
        submission: 1000,
        upload: 100_000,
        submission_time: Duration::from_millis(200),
        upload_pause: Duration::from_millis(200),
        ..Limits::default()
    };
    let head = |path: &str, fields: &str| {
        format!(
            "POST /siena/v1/{path} HTTP/1.1\r\nhost: gateway.example\r\nconnection: close\r\n{fields}\r\n"
        )
    };
    let body = |length: &str| format!("{XML}{length}");
    let chunk = format!("3e8\r\n{}\r\n", "a".repeat(1000));
    let cases = [
        (
            "announced",
            head("messages", &body("content-length: 1001\r\n")),
            413,
        ),
        (
            "in chunks",
            head("messages", &body("transfer-encoding: chunked\r\n")) + &chunk + &chunk,
            413,
        ),
        (
            "never ends",
            head("messages", &body("content-length: 900\r\n")) + "<",
            408,
        ),
        (
            "an upload, announced",
            head("attachments", "content-length: 100001\r\n"),
            413,
        ),
        (
            "an upload in chunks",
            head("attachments", "transfer-encoding: chunked\r\n") + &chunk.repeat(101),
            413,
        ),
        (
            "an upload that pauses",
            head("attachments", "content-length: 900\r\n") + "x",
            408,
        ),
    ];
    for (what, text, status) in cases {
        let gate = Arc::new(Double::default());
        let answer = raw(&gate, limits, text.as_bytes()).await;
        assert_eq!(answer.status, status, "{what}: {answer:?}");
        let name = if status == 413 {
            "too-large"
        } else {
            "too-slow"
        };
        assert_eq!(gate.seen().refused, [name], "{what}");
        assert!(
            gate.seen().submitted.is_empty() && gate.seen().uploads.is_empty(),
            "{what}"
        );
    }
}

#[tokio::test]
async fn what_the_gate_cannot_do_is_told_so() {
    let cases = [
        (GateError::Busy, 503, "unavailable"),
        (GateError::TooLarge { limit: 5 }, 413, "too-large"),
        (GateError::CutOff("by x".to_owned()), 400, "bad-request"),
    ];
    for (error, status, name) in cases {
        let gate = Arc::new(Double::default());
        *gate.instead.lock().unwrap() = Some(Err(error));
        let answer = request(&gate, "POST /siena/v1/messages", XML, "<a/>").await;
        assert_eq!((answer.status, answer.fault().as_str()), (status, name));
        assert_eq!(answer.head.contains("retry-after: 1"), status == 503);
    }
    for reply in [xml(99, "secret"), xml(101, "secret")] {
        let gate = Arc::new(Double::default());
        *gate.instead.lock().unwrap() = Some(Ok(reply));
        let answer = request(&gate, "GET /siena/v1/recipients", "", "").await;
        assert_eq!((answer.status, answer.fault().as_str()), (500, "internal"));
        assert!(
            answer
                .body
                .contains("<instance>urn:chancery:fault:0707070707070707"),
            "{}",
            answer.body
        );
        assert!(!answer.body.contains("secret"));
    }
}

#[tokio::test]
async fn attachments_stream_whole_or_visibly_broken() {
    let whole = Arc::new(Double {
        stream: 128 * 1024,
        chunks: 2,
        ..Double::default()
    });
    let answer = request(&whole, "GET /siena/v1/inbox/d-1/attachments/0", "", "").await;
    assert_eq!(answer.status, 200);
    assert!(
        answer.head.contains("content-length: 131072"),
        "{}",
        answer.head
    );
    assert!(
        answer
            .head
            .contains("content-type: application/octet-stream")
    );
    assert_eq!(answer.body.len(), 128 * 1024);
    let short = Arc::new(Double {
        stream: 128 * 1024,
        chunks: 1,
        ..Double::default()
    });
    let answer = request(&short, "GET /siena/v1/inbox/d-1/attachments/0", "", "").await;
    assert!(answer.body.len() < 128 * 1024);
}

#[tokio::test]
async fn the_schema_is_served() {
    let gate = Arc::new(Double::default());
    let answer = request(&gate, "GET /siena/v1/schema.xsd", "", "").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body, chancery_siena::content::SCHEMA);
}

/// A stranger's client over real sockets, HTTP/1.1 and HTTP/2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn curl_sends_asks_and_is_refused() {
    for (flag, version) in [("--http1.1", "1.1"), ("--http2-prior-knowledge", "2")] {
        let gate = Arc::new(Double::default());
        let root = double::serve(&gate).await;
        let curl = async |arguments: &[&str]| {
            let output = tokio::process::Command::new("curl")
                .args([
                    flag,
                    "-s",
                    "-S",
                    "-m",
                    "60",
                    "-w",
                    "\n%{http_code} %{http_version}",
                ])
                .args(arguments)
                .output()
                .await
                .expect("curl is needed for this test: install the package curl");
            String::from_utf8(output.stdout).unwrap()
        };
        let messages = format!("{root}/messages");
        let sent = curl(&[
            "-H",
            "content-type: application/xml",
            "--data",
            "<a/>",
            &messages,
        ])
        .await;
        assert_eq!(sent, format!("<submitted/>\n202 {version}"));
        let asked = curl(&[&format!("{root}/inbox?wait=1")]).await;
        assert_eq!(asked, format!("<asked/>\n200 {version}"));
        let form = curl(&["--form", "a=b", &messages]).await;
        assert!(form.ends_with(&format!("415 {version}")), "{form}");
    }
}

/// Waiting for news takes longer than a head may.
#[tokio::test]
async fn a_long_wait_is_not_cut_off() {
    let gate = Arc::new(Double {
        delay: Duration::from_millis(600),
        ..Double::default()
    });
    let limits = Limits {
        headers: Duration::from_millis(100),
        ..Limits::default()
    };
    let text = b"GET /siena/v1/inbox?wait=60 HTTP/1.1\r\nhost: gateway.example\r\nconnection: close\r\n\r\n";
    assert_eq!(raw(&gate, limits, text).await.status, 200);
}

#[tokio::test]
async fn who_asks_for_too_much_is_told_when_to_come_back() {
    for first in [true, false] {
        let gate = Arc::new(Double {
            many: Some(TooMany {
                retry_after: 41,
                first,
            }),
            ..Double::default()
        });
        for line in [
            "GET /siena/v1/inbox",
            "POST /siena/v1/messages",
            "GET /elsewhere",
        ] {
            let answer = request(&gate, line, "", "").await;
            assert_eq!(answer.status, 429, "{line}");
            assert!(
                answer.head.contains("retry-after: 41\r\n"),
                "{}",
                answer.head
            );
            assert!(answer.body.contains("code=\"busy\""), "{}", answer.body);
        }
        let seen = gate.seen();
        assert!(seen.asked.is_empty() && seen.submitted.is_empty());
        assert_eq!(seen.refused.len(), if first { 3 } else { 0 });
    }
}
