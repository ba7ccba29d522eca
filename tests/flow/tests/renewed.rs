//! Doors of a running node: certificates are revoked by SIGHUP, and a peer that
//! asks for too much is held to its limits and recorded.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests: what fails fails the test"
)]

use std::io::Read as _;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use chancery_world::command::{piped, until_some};
use chancery_world::{Node, Setup, Sink, chancery, told};

const GOOD: &str = "csirt-alpha";
const REVOKED: &str = "cert-eu";

/// The node's authority as `openssl ca` keeps it.
struct Authority<'a> {
    node: &'a Node,
}

impl Authority<'_> {
    fn new(node: &Node) -> Authority<'_> {
        let folder = node.path("authority");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("index.txt"), "").unwrap();
        std::fs::write(folder.join("crlnumber"), "01\n").unwrap();
        let ca = node.path("node/ca").display().to_string();
        let here = folder.display().to_string();
        std::fs::write(
            folder.join("ca.cnf"),
            format!(
                "[ca]\ndefault_ca = own\n[own]\ndatabase = {here}/index.txt\n\
                 crlnumber = {here}/crlnumber\ncertificate = {ca}/ca.pem\n\
                 private_key = {ca}/ca.key\ndefault_md = sha256\ndefault_crl_days = 30\n\
                 unique_subject = no\ncrl_extensions = more\n[more]\n\
                 authorityKeyIdentifier = keyid\n"
            ),
        )
        .unwrap();
        Authority { node }
    }

    fn openssl(&self, arguments: &[&str]) {
        let mut command = Command::new("openssl");
        command
            .args(["ca", "-config"])
            .arg(self.node.path("authority/ca.cnf"))
            .args(arguments);
        let output = piped(command, b"");
        assert!(output.status.success(), "openssl: {}", told(&output));
    }

    fn revoke(&self, id: &str) {
        let file = self.node.path(&format!("{id}/{id}-rest.pem"));
        self.openssl(&["-revoke", &file.display().to_string()]);
    }

    /// Replaces the revocation list as a whole.
    fn publish(&self, to: &Path) {
        let new = to.with_extension("new");
        self.openssl(&["-gencrl", "-out", &new.display().to_string()]);
        std::fs::rename(new, to).unwrap();
    }
}

fn asks(node: &Node, id: &str) -> std::process::Output {
    chancery(&["recipients", "--profile", &node.profile(id)], "")
}

/// Lines of the node's log with this word.
fn lines(node: &Node, word: &str) -> usize {
    let log = std::fs::read_to_string(node.path("node.log")).unwrap();
    log.lines().filter(|line| line.contains(word)).count()
}

fn wait_for(node: &Node, word: &str, count: usize) {
    until_some(word, || (lines(node, word) >= count).then_some(()));
}

#[test]
fn a_revoked_certificate_is_refused_after_sighup_and_a_broken_file_changes_nothing() {
    let mut node = Node::make(&[GOOD, REVOKED]);
    let authority = Authority::new(&node);
    let crl = node.path("node/tls/clients.crl");
    authority.publish(&crl);
    node.set("doors.rest", "crl", "\"tls/clients.crl\"");
    node.start();
    for id in [GOOD, REVOKED] {
        let asked = asks(&node, id);
        assert!(asked.status.success(), "{id}: {}", told(&asked));
    }
    let authority = Authority { node: &node };
    authority.revoke(REVOKED);
    authority.publish(&crl);
    let before = asks(&node, REVOKED);
    assert!(before.status.success(), "in force from SIGHUP on");
    node.reload();
    wait_for(&node, "revocation lists were read again", 1);
    let after = asks(&node, REVOKED);
    assert!(!after.status.success(), "{}", told(&after));
    assert!(asks(&node, GOOD).status.success());

    std::fs::write(&crl, "no revocation list").unwrap();
    node.reload();
    wait_for(&node, "were not read again: those in force stay", 1);
    assert_eq!(
        lines(&node, "were not read again: those in force stay"),
        1,
        "one line"
    );
    assert_eq!(lines(&node, "\"died\""), 0, "nothing was restarted");
    assert!(!asks(&node, REVOKED).status.success(), "still refused");
    assert!(asks(&node, GOOD).status.success(), "still served");
    authority.publish(&crl);
    node.reload();
    wait_for(&node, "revocation lists were read again", 2);
    assert!(!asks(&node, REVOKED).status.success());
    assert!(asks(&node, GOOD).status.success());
}

#[test]
fn a_peer_is_held_to_its_limits_on_a_running_node() {
    let sink = Sink::start();
    let mut node = Node::new(&Setup::with(&["mail", "rest"]).relaying_to(&sink));
    node.enroll(GOOD, "rest");
    node.enroll(REVOKED, "rest");
    node.set("limits", "connections_per_peer", "2");
    node.set("limits", "requests_per_minute", "4");
    node.start();
    let greeting = |stream: &mut TcpStream| {
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let mut octets = [0; 3];
        stream.read_exact(&mut octets).unwrap();
        String::from_utf8_lossy(&octets).into_owned()
    };
    let mut held: Vec<TcpStream> = (0..2)
        .map(|_| TcpStream::connect(node.smtp()).unwrap())
        .collect();
    for stream in &mut held {
        assert_eq!(greeting(stream), "220");
    }
    for _ in 0..3 {
        let mut more = TcpStream::connect(node.smtp()).unwrap();
        assert_eq!(greeting(&mut more), "421");
    }
    drop(held);

    // Each command asks once; what is too much in a minute is refused, of this
    // peer alone.
    let refused = (0..12)
        .map(|_| asks(&node, GOOD))
        .find(|output| !output.status.success())
        .unwrap_or_else(|| panic!("twelve requests in a minute were answered"));
    assert!(told(&refused).contains("too"), "{}", told(&refused));
    assert!(asks(&node, REVOKED).status.success(), "another peer");
    let log = node.sound_log();
    assert_eq!(
        log.matches("too-many-connections").count(),
        1,
        "one record in a minute"
    );
    assert!(log.contains("too-many-requests"));
}

#[test]
fn a_token_that_goes_and_comes_and_processes_that_die_are_recorded() {
    let mut node = Node::make(&[GOOD, REVOKED]);
    node.start();
    for _ in 0..3 {
        assert!(asks(&node, GOOD).status.success());
    }
    node.freeze("custodian");
    wait_for(&node, "the token is lost", 1);
    node.thaw("custodian");
    wait_for(&node, "the token is back", 1);
    node.kill("reader-rest");
    node.kill("core");
    let log = until_some("the records of what died", || {
        let log = node.sound_log();
        (log.matches("process.restarted").count() >= 2).then_some(log)
    });
    for word in ["token.lost", "token.returned", "reader-rest"] {
        assert!(log.contains(word), "{word}");
    }
    assert!(log.contains("the log ends without a stop in order"));
}
