//! The real custodian under the real supervisor, asked over its links.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may end where it fails"
)]

mod node;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chancery_hsm_api::{
    ContentKeys as _, DoorZone, KekId, KeyErrorKind, MacUse, Macs as _, PgpSigning as _,
    TlsSigning as _,
};
use chancery_hsm_custodian::{CustodyClient, ModuleKind, verify_chain};
use chancery_ipc::blocking::Channel;
use chancery_ipc::supervise::{Ask, Child, Event, Supervisor};
use chancery_ipc::{Command, Limits, Links, Tag};
use node::{Node, program};
use tokio::sync::mpsc;

const PART: &str = "CHANCERY_TEST_PART";
const RESULT: &str = "CHANCERY_TEST_RESULT";

/// The client's end of the custodian's link, in a process of its own.
#[test]
#[ignore = "the far end of the other tests, started by the supervisor"]
fn far_end() {
    let name = std::env::var(PART).unwrap();
    let result = PathBuf::from(std::env::var_os(RESULT).unwrap());
    let links = Links::from_process(Path::new("/run/chancery")).unwrap();
    links.start().unwrap();
    let tag = Tag::between("custodian", &name).unwrap();
    let channel = Channel::new(&links, tag, Limits::secret()).unwrap();
    let client =
        CustodyClient::new(move |request| channel.roundtrip(request, Duration::from_secs(5)))
            .with_patience(Duration::from_secs(20));
    links.ready().unwrap();
    let told = match name.as_str() {
        "core" => as_core(&client, &result),
        "door-rest" => as_door(&client),
        "reader-mail" => as_reader(&client),
        other => panic!("{other}"),
    };
    std::fs::write(result.with_extension("new"), told).unwrap();
    std::fs::rename(result.with_extension("new"), &result).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    while runtime.block_on(links.commands().next()) != Command::Stop {}
}

/// Uses keys for as long as the file `stop` is not there.
fn as_core(client: &CustodyClient, result: &Path) -> String {
    let stop = result.with_file_name("stop");
    let rounds = result.with_file_name("rounds");
    let expected = client.mac(MacUse::Index, b"x").unwrap();
    let mut count = 0u32;
    while !stop.exists() {
        let (key, wrapped) = match client.new_content_key(&KekId::Intake) {
            Ok(made) => made,
            Err(error) => return format!("after {count}: {error}"),
        };
        match client.unwrap_key(&wrapped) {
            Ok(back) if back == key => {}
            other => return format!("after {count}: {other:?}"),
        }
        if client.mac(MacUse::Index, b"x").as_ref() != Ok(&expected) {
            return format!("after {count}: another digest");
        }
        if let Err(error) = client.pgp_sign(&[7; 32]) {
            return format!("after {count}: {error}");
        }
        count += 1;
        std::fs::write(&rounds, count.to_string()).unwrap();
    }
    "good".to_owned()
}

fn as_door(client: &CustodyClient) -> String {
    let mut message = vec![0x20; 64];
    message.extend_from_slice(b"TLS 1.3, server CertificateVerify\0");
    message.extend_from_slice(&[7; 32]);
    if let Err(error) = client.tls_sign(DoorZone::Rest, &message) {
        return error.to_string();
    }
    let refused = [
        client.tls_sign(DoorZone::Mail, &message).unwrap_err().kind,
        client.tls_sign(DoorZone::Rest, b"x").unwrap_err().kind,
        client.pgp_sign(&[7; 32]).unwrap_err().kind,
        client.new_content_key(&KekId::Intake).unwrap_err().kind,
    ];
    if refused == [KeyErrorKind::Denied; 4] {
        "good".to_owned()
    } else {
        format!("{refused:?}")
    }
}

fn as_reader(client: &CustodyClient) -> String {
    let refused = [
        client.pgp_sign(&[7; 32]).unwrap_err().kind,
        client.mac(MacUse::Row, b"x").unwrap_err().kind,
        client.tls_sign(DoorZone::Mail, b"x").unwrap_err().kind,
    ];
    if refused == [KeyErrorKind::Denied; 3] {
        "good".to_owned()
    } else {
        format!("{refused:?}")
    }
}

/// The supervisor's plan: the custodian and these clients, which are this test.
fn plan(node: &Node, clients: &[&str]) -> Vec<Child> {
    let mut children = vec![Child {
        name: "custodian".to_owned(),
        program: program().to_owned(),
        args: vec!["--config".into(), node.path("custodian.toml").into()],
        env: vec![("RUST_LOG".into(), "info".into())],
        stage: 0,
        asks: Vec::new(),
    }];
    for client in clients {
        let env: Vec<(OsString, OsString)> = vec![
            (PART.into(), (*client).into()),
            (RESULT.into(), node.path(&format!("{client}.result")).into()),
        ];
        children.push(Child {
            name: (*client).to_owned(),
            program: std::env::current_exe().unwrap(),
            args: ["far_end", "--exact", "--ignored", "--nocapture"]
                .map(Into::into)
                .to_vec(),
            env,
            stage: 1,
            asks: vec![Ask {
                server: "custodian".to_owned(),
                tag: Tag::between("custodian", client).unwrap(),
            }],
        });
    }
    children
}

/// Runs the plan while `during` lasts; it gets the custodian's process ids.
fn run(
    node: &Node,
    clients: &[&str],
    during: impl FnOnce(&std::sync::mpsc::Receiver<u32>) + Send + 'static,
) {
    let supervisor = Supervisor::new(plan(node, clients)).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let (pids, started) = std::sync::mpsc::channel();
    let (orders, receiver) = mpsc::channel(1);
    let worker = std::thread::spawn(move || {
        during(&started);
        orders.blocking_send(Command::Stop).unwrap();
        // Kept: a supervisor without anybody who could order it kills.
        orders
    });
    let on_event = move |event: Event| {
        let mut out = std::io::stderr();
        writeln!(out, "{event:?}").unwrap();
        if let Event::Started { name, pid } = event
            && name == "custodian"
        {
            pids.send(pid).ok();
        }
    };
    let ended = runtime.block_on(supervisor.run(receiver, on_event));
    ended.unwrap();
    drop(worker.join().unwrap());
}

fn result(path: &Path, within: Duration) -> String {
    let since = Instant::now();
    loop {
        if let Ok(text) = std::fs::read_to_string(path) {
            return text;
        }
        assert!(since.elapsed() < within, "no result in {}", path.display());
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

fn served_by_role(kind: ModuleKind) {
    let node = Node::new(kind);
    assert!(node.provision().status.success());
    let files = ["core", "door-rest", "reader-mail"].map(|c| node.path(&format!("{c}.result")));
    let stop = node.path("stop");
    let config = node.path("custodian.toml");
    run(&node, &["core", "door-rest", "reader-mail"], move |_| {
        assert_eq!(result(&files[1], Duration::from_secs(60)), "good");
        assert_eq!(result(&files[2], Duration::from_secs(60)), "good");
        // The state belongs to the one that runs.
        let second = std::process::Command::new(program())
            .args(["keys", "--config"])
            .arg(config)
            .output()
            .unwrap();
        assert!(!second.status.success());
        assert!(node::told(&second).contains("another custodian uses it"));
        std::fs::write(stop, "").unwrap();
        assert_eq!(result(&files[0], Duration::from_secs(60)), "good");
    });
    let log = std::fs::read_to_string(node.path("state/custodian.log")).unwrap();
    verify_chain(log.as_bytes()).unwrap();
    assert_eq!(log.matches("\"client\":\"door/rest\"").count(), 4, "{log}");
    assert_eq!(
        log.matches("\"client\":\"reader/mail\"").count(),
        3,
        "{log}"
    );
    assert_eq!(log.matches("custodian.started").count(), 1);
    assert_eq!(log.matches("custodian.stopped").count(), 1);
    assert!(log.contains("tls/mail: this client's role does not include it"));
}

#[test]
fn each_client_gets_its_role_from_kryoptic() {
    served_by_role(ModuleKind::Kryoptic);
}

#[test]
fn each_client_gets_its_role_from_softhsm() {
    served_by_role(ModuleKind::Softhsm);
}

#[test]
fn a_killed_custodian_costs_core_no_answer() {
    let node = Node::new(ModuleKind::Kryoptic);
    assert!(node.provision().status.success());
    let (core, stop, rounds) = (
        node.path("core.result"),
        node.path("stop"),
        node.path("rounds"),
    );
    run(&node, &["core"], move |started| {
        for kill in 0..5 {
            let pid = started.recv_timeout(Duration::from_secs(30)).unwrap();
            // Core got answers since the last kill.
            let before = std::fs::read_to_string(&rounds).unwrap_or_default();
            let since = Instant::now();
            while std::fs::read_to_string(&rounds).unwrap_or_default() == before {
                assert!(!core.exists(), "{}", result(&core, Duration::ZERO));
                assert!(since.elapsed() < Duration::from_secs(60), "kill {kill}");
                std::thread::park_timeout(Duration::from_millis(5));
            }
            let pid = rustix::process::Pid::from_raw(pid.try_into().unwrap()).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        }
        started.recv_timeout(Duration::from_secs(30)).unwrap();
        let after = std::fs::read_to_string(&rounds).unwrap();
        while std::fs::read_to_string(&rounds).unwrap() == after {
            std::thread::park_timeout(Duration::from_millis(5));
        }
        std::fs::write(stop, "").unwrap();
        assert_eq!(result(&core, Duration::from_secs(60)), "good");
    });
    let log = std::fs::read_to_string(node.path("state/custodian.log")).unwrap();
    verify_chain(log.as_bytes()).unwrap();
    assert_eq!(log.matches("custodian.started").count(), 6);
}
