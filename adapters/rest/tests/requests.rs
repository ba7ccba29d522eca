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
use chancery_rest::wire::Limits;
use double::{Double, json, raw, request};

const JSON: &str = "content-type: application/json\r\n";

#[tokio::test]
async fn submissions_reach_the_gate_as_they_are() {
    let gate = Arc::new(Double::default());
    let odd = "{ not json \u{0} at all";
    let cases = [
        ("POST /api/v1/messages", Operation::Send),
        ("POST /api/v1/check", Operation::Check),
        (
            "POST /api/v1/messages/0197-a/reply",
            Operation::Reply {
                to: "0197-a".to_owned(),
            },
        ),
        (
            "POST /api/v1/messages/0197-a/forward",
            Operation::Forward {
                of: "0197-a".to_owned(),
            },
        ),
    ];
    for (line, operation) in cases {
        let fields = format!("{JSON}idempotency-key: k-1\r\n");
        let answer = request(&gate, line, &fields, odd).await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (202, "{\"submitted\":true}"),
            "{line}"
        );
        assert!(answer.head.contains("cache-control: no-store"));
        assert!(answer.head.contains("x-content-type-options: nosniff"));
        assert!(!answer.head.contains("access-control"));
        let (inbound, bytes) = gate.seen().submitted.pop().expect("submitted");
        assert_eq!(bytes, odd.as_bytes());
        assert_eq!(inbound.peer, double::peer().evidence);
        let key = (operation != Operation::Check).then(|| "k-1".to_owned());
        assert_eq!(inbound.idempotency_key, key, "{line}");
        assert_eq!(inbound.operation, operation);
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
        ("GET /api/v1/recipients", Ask::Recipients),
        ("GET /api/v1/inbox", inbox(0, None, 50)),
        (
            "GET /api/v1/inbox?wait=60&after=d-1&limit=200",
            inbox(60, Some("d-1"), 200),
        ),
        (
            "GET /api/v1/inbox/d-1",
            Ask::Fetch {
                delivery: delivery(),
            },
        ),
        (
            "GET /api/v1/inbox/d%2D1",
            Ask::Fetch {
                delivery: delivery(),
            },
        ),
        (
            "POST /api/v1/inbox/d-1/ack",
            Ask::Acknowledge {
                delivery: delivery(),
            },
        ),
        (
            "GET /api/v1/messages/m-1",
            Ask::Status {
                message: "m-1".to_owned(),
            },
        ),
        (
            "POST /api/v1/messages/m-1/withdraw",
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
    let long = format!("GET /api/v1/inbox/{}", "a".repeat(129));
    let very_long = format!("GET /api/v1/inbox?after={}", "a".repeat(2000));
    let key = format!("{JSON}idempotency-key: {}\r\n", "k".repeat(129));
    let cases: Vec<(&str, &str, &str, u16, &str)> = vec![
        ("GET /api/v1/nothing", "", "", 404, "not-found"),
        ("GET /", "", "", 404, "not-found"),
        ("GET /api/v1/inbox/", "", "", 404, "not-found"),
        (
            "GET /api/v1/inbox/..%2f..%2fetc%2fpasswd",
            "",
            "",
            404,
            "not-found",
        ),
        (
            "GET /api/v1/inbox/%252e%252e%252f",
            "",
            "",
            404,
            "not-found",
        ),
        ("GET /api/v1/inbox/a%00b", "", "", 404, "not-found"),
        ("GET /api/v1/inbox/a%0d%0ab", "", "", 404, "not-found"),
        ("GET /api/v1/inbox/a;b=c", "", "", 404, "not-found"),
        ("GET /api/v1/inbox/%e2%88%95", "", "", 404, "not-found"),
        ("GET /api/v1/inbox/%ff", "", "", 404, "not-found"),
        ("GET /api/v1/inbox/..", "", "", 404, "not-found"),
        ("GET /api/v1/inbox/'%20OR%201=1--", "", "", 404, "not-found"),
        (&long, "", "", 404, "not-found"),
        (&very_long, "", "", 400, "bad-request"),
        (
            "GET /api/v1/inbox/d-1/attachments/-1",
            "",
            "",
            404,
            "not-found",
        ),
        (
            "GET /api/v1/inbox/d-1/attachments/1e3",
            "",
            "",
            404,
            "not-found",
        ),
        (
            "GET /api/v1/inbox/d-1/attachments/..%2f1",
            "",
            "",
            404,
            "not-found",
        ),
        ("GET /api/v1/inbox?wait=61", "", "", 400, "bad-request"),
        (
            "GET /api/v1/inbox?wait=1&wait=2",
            "",
            "",
            400,
            "bad-request",
        ),
        ("GET /api/v1/inbox?sort=subject", "", "", 400, "bad-request"),
        ("GET /api/v1/inbox?limit=%2B5", "", "", 400, "bad-request"),
        ("GET /api/v1/inbox?limit=0", "", "", 400, "bad-request"),
        ("GET /api/v1/inbox?after=%27", "", "", 400, "bad-request"),
        (
            "OPTIONS /api/v1/messages",
            "origin: null\r\n",
            "",
            405,
            "method-not-allowed",
        ),
        ("TRACE /api/v1/messages", "", "", 405, "method-not-allowed"),
        ("PROPFIND /api/v1/inbox", "", "", 405, "method-not-allowed"),
        (
            "DELETE /api/v1/inbox/d-1",
            "",
            "",
            405,
            "method-not-allowed",
        ),
        (
            "GET /api/v1/messages",
            "x-http-method-override: POST\r\n",
            "",
            405,
            "method-not-allowed",
        ),
        ("POST /api/v1/inbox/d-1", "", "", 405, "method-not-allowed"),
        (
            "POST /api/v1/messages",
            "",
            "{}",
            415,
            "unsupported-media-type",
        ),
        (
            "POST /api/v1/messages",
            "content-type: text/json\r\n",
            "{}",
            415,
            "unsupported-media-type",
        ),
        (
            "POST /api/v1/messages",
            "content-type: application/json; charset=utf-16\r\n",
            "{}",
            415,
            "unsupported-media-type",
        ),
        (
            "POST /api/v1/messages",
            "content-type: multipart/form-data; boundary=x\r\n",
            "{}",
            415,
            "unsupported-media-type",
        ),
        (
            "POST /api/v1/messages",
            "content-type: application/x-java-serialized-object\r\n",
            "{}",
            415,
            "unsupported-media-type",
        ),
        (
            "POST /api/v1/messages",
            "content-type: application/json\r\ncontent-encoding: gzip\r\n",
            "{}",
            415,
            "unsupported-media-type",
        ),
        (
            "POST /api/v1/messages",
            "content-type: application/json\r\ncontent-encoding: identity\r\n",
            "{}",
            415,
            "unsupported-media-type",
        ),
        (
            "POST /api/v1/attachments",
            "content-type: multipart/form-data; boundary=x\r\n",
            "x",
            415,
            "unsupported-media-type",
        ),
        (
            "POST /api/v1/attachments",
            "content-type: nonsense\r\n",
            "x",
            415,
            "unsupported-media-type",
        ),
        ("POST /api/v1/messages", &key, "{}", 400, "bad-request"),
        (
            "POST /api/v1/messages",
            "content-type: application/json\r\nidempotency-key: a b\r\n",
            "{}",
            400,
            "bad-request",
        ),
        (
            "POST /api/v1/messages",
            "content-type: application/json\r\nidempotency-key: a\r\nidempotency-key: b\r\n",
            "{}",
            400,
            "bad-request",
        ),
        (
            "GET /api/v1/inbox",
            "accept: text/html\r\n",
            "",
            406,
            "not-acceptable",
        ),
        (
            "GET /api/v1/inbox",
            "accept: application/json;q=0\r\n",
            "",
            406,
            "not-acceptable",
        ),
        (
            "GET /api/v1/inbox",
            "host: gateway.example\r\n",
            "",
            400,
            "bad-request",
        ),
        (
            "GET http://other.example/api/v1/inbox",
            "",
            "",
            400,
            "bad-request",
        ),
    ];
    for (line, fields, body, status, name) in cases {
        let gate = Arc::new(Double::default());
        let answer = request(&gate, line, fields, body).await;
        assert_eq!(answer.status, status, "{line} {fields}: {answer:?}");
        assert_eq!(answer.problem(), name, "{line} {fields}");
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
async fn a_head_of_a_fetch_fetches_nothing() {
    let gate = Arc::new(Double::default());
    let answer = request(&gate, "HEAD /api/v1/inbox/d-1", "", "").await;
    assert_eq!((answer.status, answer.body.as_str()), (405, ""));
    assert!(gate.seen().asked.is_empty());
}

#[tokio::test]
async fn another_host_than_the_connection_is_misdirected() {
    let gate = Arc::new(Double::default());
    let text =
        b"GET /api/v1/inbox HTTP/1.1\r\nhost: siena.gateway.example\r\nconnection: close\r\n\r\n";
    let answer = raw(&gate, Limits::default(), text).await;
    assert_eq!(
        (answer.status, answer.problem().as_str()),
        (421, "misdirected")
    );
    let text = b"GET /api/v1/inbox HTTP/1.0\r\n\r\n";
    assert_eq!(raw(&gate, Limits::default(), text).await.status, 400);
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
            "POST /api/v1/{path} HTTP/1.1\r\nhost: gateway.example\r\nconnection: close\r\n{fields}\r\n"
        )
    };
    let json = |length: &str| format!("content-type: application/json\r\n{length}");
    let chunk = format!("3e8\r\n{}\r\n", "a".repeat(1000));
    let cases = [
        (
            "announced",
            head("messages", &json("content-length: 1001\r\n")),
            413,
        ),
        (
            "in chunks",
            head("messages", &json("transfer-encoding: chunked\r\n")) + &chunk + &chunk,
            413,
        ),
        (
            "never ends",
            head("messages", &json("content-length: 900\r\n")) + "{",
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
async fn smuggled_requests_and_huge_heads_end_the_connection() {
    let limits = Limits::default();
    let fields = (0..100)
        .map(|n| format!("x-{n}: y\r\n"))
        .collect::<String>();
    let both = "POST /api/v1/messages HTTP/1.1\r\nhost: gateway.example\r\ncontent-type: application/json\r\n\
                content-length: 6\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /api/v1/recipients HTTP/1.1\r\n\r\n";
    for text in [
        format!("GET /api/v1/inbox HTTP/1.1\r\nhost: gateway.example\r\n{fields}\r\n"),
        format!("GET /api/v1/inbox HTTP/1.1\r\nhost: gateway.example\r\nx: {}\r\n\r\n", "y".repeat(64 * 1024)),
        "GET /api/v1/inbox HTTP/1.1\r\nhost: gateway.example\r\n folded: x\r\n\r\n".to_owned(),
        "POST /api/v1/messages HTTP/1.1\r\nhost: gateway.example\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n{}".to_owned(),
        both.to_owned(),
    ] {
        let gate = Arc::new(Double::default());
        let answer = raw(&gate, limits, text.as_bytes()).await;
        assert!(matches!(answer.status, 400 | 408 | 431 | 202), "{answer:?}");
        assert!(gate.seen().asked.is_empty(), "{text:.80}");
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
        let answer = request(&gate, "POST /api/v1/messages", JSON, "{}").await;
        assert_eq!((answer.status, answer.problem().as_str()), (status, name));
        assert_eq!(answer.head.contains("retry-after: 1"), status == 503);
    }
}

#[tokio::test]
async fn a_fault_shows_an_opaque_id_and_nothing_else() {
    let mut bad = [
        json(99, "secret"),
        json(101, "secret"),
        json(200, "secret"),
        json(200, "secret"),
    ];
    bad[2]
        .headers
        .push(("x".to_owned(), "a\r\nb: c".to_owned()));
    bad[3]
        .headers
        .push(("content-length".to_owned(), "5".to_owned()));
    for reply in bad {
        let gate = Arc::new(Double::default());
        *gate.instead.lock().unwrap() = Some(Ok(reply));
        let answer = request(&gate, "GET /api/v1/recipients", "", "").await;
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (500, "internal")
        );
        assert!(
            answer
                .body
                .contains("\"instance\":\"urn:chancery:fault:0707070707070707"),
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
    let fields = format!("range: bytes=0-0{}\r\n", ",1-1".repeat(1000));
    let answer = request(&whole, "GET /api/v1/inbox/d-1/attachments/0", &fields, "").await;
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
    assert!(answer.head.contains("content-disposition: attachment"));
    assert_eq!(answer.body.len(), 128 * 1024);

    let short = Arc::new(Double {
        stream: 128 * 1024,
        chunks: 1,
        ..Double::default()
    });
    let answer = request(&short, "GET /api/v1/inbox/d-1/attachments/0", "", "").await;
    assert!(answer.body.len() < 128 * 1024);
    let long = Arc::new(Double {
        stream: 100_000,
        chunks: 2,
        ..Double::default()
    });
    let answer = request(&long, "GET /api/v1/inbox/d-1/attachments/0", "", "").await;
    assert!(
        answer.body.len() < 100_000,
        "never more than announced, and not the announced length"
    );
}

#[tokio::test]
async fn the_document_is_served() {
    let gate = Arc::new(Double::default());
    let answer = request(&gate, "GET /api/v1/openapi.json", "", "").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body, chancery_rest::content::OPENAPI);
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
    let text =
        b"GET /api/v1/inbox?wait=60 HTTP/1.1\r\nhost: gateway.example\r\nconnection: close\r\n\r\n";
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
            "GET /api/v1/inbox",
            "POST /api/v1/messages",
            "GET /elsewhere",
        ] {
            let answer = request(&gate, line, "", "").await;
            assert_eq!(answer.status, 429, "{line}");
            assert!(
                answer.head.contains("retry-after: 41\r\n"),
                "{}",
                answer.head
            );
            assert_eq!(answer.problem(), "busy");
        }
        let seen = gate.seen();
        assert!(seen.asked.is_empty() && seen.submitted.is_empty());
        assert_eq!(seen.refused.len(), if first { 3 } else { 0 });
    }
}
