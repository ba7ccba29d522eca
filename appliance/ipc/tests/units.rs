//! The units of an appliance: hardened enough, and wired as `chancery run`
//! wires the processes.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use chancery_ipc::supervise::{Child, Programs, node};

const ZONES: [&str; 3] = ["mail", "siena", "rest"];

fn appliance() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn plan() -> Vec<Child> {
    let programs = Programs {
        folder: Path::new("/usr/lib/chancery"),
        config: Path::new("/etc/chancery/chancery.toml"),
        env: &[],
    };
    node(programs, &ZONES).unwrap()
}

/// The text of every unit by the name of its instance: templates once for each
/// zone, drop-ins added.
fn units(kind: &str) -> BTreeMap<String, String> {
    let mut units = BTreeMap::new();
    for entry in fs::read_dir(appliance().join("systemd")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != kind) {
            continue;
        }
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        match name.strip_suffix('@') {
            None => {
                units.insert(name, text);
            }
            Some(stem) => {
                for zone in ZONES {
                    let instance = format!("{stem}@{zone}");
                    let drop_in =
                        appliance().join(format!("systemd/{instance}.{kind}.d/zone.conf"));
                    let more = fs::read_to_string(drop_in).unwrap_or_default();
                    units.insert(instance, format!("{text}\n{more}").replace("%i", zone));
                }
            }
        }
    }
    units
}

/// The values of an option, in all its lines.
fn values<'a>(text: &'a str, option: &str) -> Vec<&'a str> {
    text.lines()
        .filter_map(|line| line.strip_prefix(option)?.strip_prefix('='))
        .flat_map(str::split_whitespace)
        .collect()
}

/// `door-mail` is run by `chancery-door@mail`.
fn unit_of(process: &str) -> String {
    match process.split_once('-') {
        Some((kind, zone)) => format!("chancery-{kind}@{zone}"),
        None => format!("chancery-{process}"),
    }
}

#[test]
fn every_service_is_exposed_at_most_two_of_ten() {
    let folder = tempfile::tempdir().unwrap();
    let services = units("service");
    assert_eq!(services.len(), plan().len());
    for (name, text) in services {
        let path = folder.path().join(format!("{name}.service"));
        fs::write(&path, text).unwrap();
        let run = Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--threshold=20", "--no-pager"])
            .arg(&path)
            .output()
            .unwrap_or_else(|error| panic!("systemd-analyze (package systemd): {error}"));
        let told = String::from_utf8_lossy(&run.stdout);
        let last = told.lines().last().unwrap_or_default().to_owned();
        assert!(run.status.success(), "{name}: {last}");
        assert!(last.contains("exposure level"), "{name}: {last}");
    }
}

#[test]
fn the_check_of_exposure_can_fail() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("open.service");
    fs::write(&path, "[Service]\nExecStart=/bin/true\n").unwrap();
    let run = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--threshold=20", "--no-pager"])
        .arg(&path)
        .output()
        .unwrap();
    assert!(!run.status.success());
}

#[test]
fn every_link_is_a_socket_of_the_clients_group() {
    let sockets = units("socket");
    let mut expected = BTreeMap::new();
    for child in plan() {
        for ask in &child.asks {
            let wiring = (format!("chancery-{}", child.name), unit_of(&ask.server));
            expected.insert(ask.tag.to_string(), wiring);
        }
    }
    for server in ["core", "custodian"] {
        let wiring = ("chancery-admin".to_owned(), unit_of(server));
        expected.insert(format!("{server}.admin"), wiring);
    }
    let services = units("service");
    for (tag, (group, service)) in &expected {
        let found: Vec<(&String, &String)> = sockets
            .iter()
            .filter(|(_, text)| values(text, "FileDescriptorName") == [tag.as_str()])
            .collect();
        let [(name, text)] = found[..] else {
            panic!("{tag}: {} sockets", found.len())
        };
        assert_eq!(
            values(text, "ListenStream"),
            [format!("/run/chancery/{tag}.sock")],
            "{name}"
        );
        assert_eq!(values(text, "SocketGroup"), [group.as_str()], "{name}");
        assert_eq!(values(text, "SocketMode"), ["0660"], "{name}");
        assert_eq!(
            values(text, "Service"),
            [format!("{service}.service")],
            "{name}"
        );
        // The service has it from its start, not only when somebody knocks.
        let inherits = values(&services[service], "Sockets");
        assert!(
            inherits.contains(&format!("{name}.socket").as_str()),
            "{service}: {inherits:?}"
        );
    }
    // And no service inherits a socket that stands for nothing.
    let wanted: BTreeSet<&str> = expected.keys().map(String::as_str).collect();
    for (name, text) in &services {
        for socket in values(text, "Sockets") {
            let text = &sockets[socket.strip_suffix(".socket").unwrap()];
            let [what] = values(text, "FileDescriptorName")[..] else {
                panic!("{socket}")
            };
            let is_port = socket.starts_with("chancery-port-");
            assert!(is_port || wanted.contains(what), "{name}: {socket}");
        }
    }
}

#[test]
fn every_process_runs_as_itself_with_the_same_arguments() {
    let users = fs::read_to_string(appliance().join("systemd/chancery.sysusers")).unwrap();
    let services = units("service");
    for child in plan() {
        let text = &services[&unit_of(&child.name)];
        let user = format!("chancery-{}", child.name);
        assert_eq!(values(text, "User"), [user.as_str()]);
        assert_eq!(values(text, "Group"), [user.as_str()]);
        assert!(
            users
                .lines()
                .any(|line| line.split_whitespace().take(2).eq(["u", user.as_str()])),
            "no user {user}"
        );
        let mut started = vec![child.program.to_str().unwrap().to_owned()];
        started.extend(
            child
                .args
                .iter()
                .map(|argument| argument.to_str().unwrap().to_owned()),
        );
        assert_eq!(values(text, "ExecStart"), started);
        let has_network = child.name.starts_with("door-");
        assert_eq!(
            values(text, "PrivateNetwork") == ["yes"],
            !has_network,
            "{}",
            child.name
        );
        assert_eq!(values(text, "MemoryDenyWriteExecute"), ["yes"]);
    }
}

#[test]
fn processes_md_shows_the_links() {
    let text = fs::read_to_string(appliance().join("PROCESSES.md")).unwrap();
    let (_, table) = text.split_once("## Links").unwrap();
    let shown: BTreeSet<String> = table
        .lines()
        .skip_while(|line| !line.starts_with("|---"))
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.split('`').nth(1).unwrap().to_owned())
        .collect();
    let links: BTreeSet<String> = plan()
        .iter()
        .flat_map(|child| &child.asks)
        .map(|ask| ask.tag.to_string())
        .collect();
    assert_eq!(shown, links, "appliance/PROCESSES.md");
}

#[test]
fn the_packet_filter_lets_in_and_out_what_the_units_say() {
    let rules = fs::read_to_string(appliance().join("nftables/chancery.nft")).unwrap();
    for chain in ["input", "forward", "output"] {
        let hook = format!("type filter hook {chain} priority filter; policy drop;");
        assert!(
            rules.contains(&hook),
            "{chain} lets through what is not listed"
        );
    }
    let sockets = units("socket");
    for port in ["smtp", "siena", "rest"] {
        let text = &sockets[&format!("chancery-port-{port}")];
        let [number] = values(text, "ListenStream")[..] else {
            panic!("{port}")
        };
        let service = values(text, "Service");
        let zone = service[0]
            .strip_prefix("chancery-door@")
            .unwrap()
            .replace(".service", "");
        // Each port only from that zone's peers.
        let lines: Vec<&str> = rules
            .lines()
            .filter(|line| line.contains(&format!("dport {number} ")))
            .collect();
        let knocks: Vec<&&str> = lines
            .iter()
            .filter(|line| line.contains("jump knock"))
            .collect();
        assert_eq!(knocks.len(), 2, "{port}");
        assert!(
            knocks
                .iter()
                .all(|line| line.contains(&format!("@{zone}_peers"))),
            "{port}"
        );
    }
    // Who connects out is the mail door, and nobody else by name.
    let users = rules.matches("skuid \"").count();
    assert_eq!(users, rules.matches("skuid \"chancery-door-mail\"").count());
    check_with_nft(&rules);
}

/// The program's own opinion, where it is installed and may be asked.
fn check_with_nft(rules: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chancery.nft");
    // The user exists on an appliance alone.
    fs::write(&path, rules.replace("\"chancery-door-mail\"", "0")).unwrap();
    if !rustix::process::geteuid().is_root() {
        return;
    }
    if let Ok(run) = Command::new("/usr/sbin/nft")
        .arg("-c")
        .arg("-f")
        .arg(&path)
        .output()
    {
        let told = String::from_utf8_lossy(&run.stderr);
        // A kernel without it cannot be asked.
        let asked = !told.contains("cache initialization failed");
        assert!(run.status.success() || !asked, "{told}");
    }
}
