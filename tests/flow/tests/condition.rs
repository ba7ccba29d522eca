//! How a node tells that it fares well or ill: `/healthz` and `/metrics`.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::panic,
    reason = "helpers of tests: what fails fails the test"
)]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use chancery_world::{Node, chancery, good, told};
use serde_json::Value;

/// Status and body of a GET.
fn get(address: SocketAddr, path: &str, host: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.to_owned())
}

/// The health once it has that status.
fn healthy(address: SocketAddr, status: u16, node: &Node) -> Value {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let (found, body) = get(address, "/healthz", "localhost");
        if found == status {
            return serde_json::from_str(&body).unwrap();
        }
        assert!(
            Instant::now() < until,
            "{found}: {body}: {}",
            node.last_lines()
        );
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

/// The value of a line of the metrics.
fn value(metrics: &str, name: &str) -> u64 {
    metrics
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
        .unwrap_or_else(|| panic!("no {name} in {metrics}"))
        .parse()
        .unwrap()
}

fn send(node: &Node, from: &str, to: &str, label: &str) {
    let profile = node.profile(from);
    let arguments = [
        "send",
        "-",
        "--profile",
        &profile,
        "--to",
        to,
        "--label",
        label,
        "--no-personal-data",
        "--subject",
        "the canary sings",
    ];
    // Some are refused: that is what is counted.
    let output = chancery(&arguments, "text");
    assert!(output.status.code() < Some(2), "{}", told(&output));
}

#[test]
fn operators_see_what_works_and_how_much_without_seeing_whom() {
    let mut node = Node::make(&["csirt-alpha", "cert-eu"]);
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = port.local_addr().unwrap();
    drop(port);
    node.set("metrics", "listen", &format!("\"{address}\""));
    node.start();

    let health = healthy(address, 200, &node);
    assert_eq!(health["status"], "well");
    for part in [
        "core",
        "custodian",
        "custodian_log",
        "token",
        "store",
        "log_signed",
        "door-rest",
        "reader-rest",
    ] {
        assert_eq!(health["parts"][part], "well", "{part}: {health}");
    }
    // Only this machine, only reading.
    assert_eq!(get(address, "/metrics", "gateway.example.eu").0, 421);
    assert_eq!(get(address, "/", "localhost").0, 404);

    send(&node, "csirt-alpha", "cert-eu", "UNCLASSIFIED");
    send(&node, "csirt-alpha", "cert-eu", "UNCLASSIFIED");
    let profile = node.profile("cert-eu");
    let listed = good(&["--json", "inbox", "--profile", &profile], "");
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let first = listed["deliveries"][0]["delivery"].as_str().unwrap();
    for step in ["--fetch", "--ack"] {
        let _done = good(&["inbox", "--profile", &profile, step, first], "");
    }
    node.kill("reader-rest");

    let (status, metrics) = get(address, "/metrics", "localhost");
    assert_eq!(status, 200);
    for (name, expected) in [
        ("chancery_up{part=\"core\"}", 1),
        ("chancery_up{part=\"token\"}", 1),
        ("chancery_messages_received_total{channel=\"rest\"}", 2),
        ("chancery_messages_delivered_total{channel=\"rest\"}", 1),
        ("chancery_verdicts_total{verdict=\"permit\"}", 2),
        (
            "chancery_process_restarts_total{process=\"reader-rest\"}",
            1,
        ),
        ("chancery_process_restarts_total{process=\"door-rest\"}", 0),
        ("chancery_deliveries_waiting{state=\"queued\"}", 1),
        ("chancery_review_open", 0),
    ] {
        assert_eq!(value(&metrics, name), expected, "{name}");
    }
    assert!(value(&metrics, "chancery_log_records") > 10);
    assert!(
        value(
            &metrics,
            "chancery_custody_calls_total{client=\"core\",operation=\"new-content-key\",outcome=\"done\"}"
        ) >= 2
    );
    // Nobody is named, nothing is quoted.
    for word in ["csirt-alpha", "cert-eu", "canary", "UNCLASSIFIED"] {
        assert!(!metrics.contains(word), "{word}");
    }

    // A custodian that hangs shows, and so does its return.
    node.freeze("custodian");
    let ill = healthy(address, 503, &node);
    assert_eq!(ill["parts"]["custodian"], "unwell", "{ill}");
    assert_eq!(ill["parts"]["store"], "well", "{ill}");
    node.thaw("custodian");
    healthy(address, 200, &node);
    // And a core that is gone.
    node.freeze("core");
    let gone = healthy(address, 503, &node);
    assert_eq!(gone["parts"]["core"], "unwell", "{gone}");
    node.thaw("core");
    healthy(address, 200, &node);
}
