//! A real Postfix for one test: its own configuration, queue and log, no other
//! Postfix of the machine touched.
//!
//! Postfix's master gives its services to other users and therefore runs as
//! root alone. A shell stands between us and it; when this process ends, however
//! it ends, the shell sees the end of its input, stops Postfix and removes the
//! folder.

use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::certificate::Own;
use crate::command::until_some;
use crate::{Sink, ports};

const SUPERVISOR: &str = r#"
dir=$1
postfix -c "$dir/etc" start >"$dir/start" 2>&1
echo $? >"$dir/started"
while read -r line; do :; done
postfix -c "$dir/etc" stop >/dev/null 2>&1
rm -rf "$dir"
"#;

/// Services of Postfix that its own master.cf has too, none in a chroot.
const SERVICES: &str = "\
pickup    unix  n - n 60  1 pickup
cleanup   unix  n - n -   0 cleanup
qmgr      unix  n - n 300 1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n -   - trivial-rewrite
bounce    unix  - - n -   0 bounce
defer     unix  - - n -   0 bounce
trace     unix  - - n -   0 bounce
verify    unix  - - n -   1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n -   - proxymap
smtp      unix  - - n -   - smtp
relay     unix  - - n -   - smtp
error     unix  - - n -   - error
retry     unix  - - n -   - error
lmtp      unix  - - n -   - lmtp
anvil     unix  - - n -   1 anvil
scache    unix  - - n -   1 scache
postlog   unix-dgram n - n - 1 postlogd
";

/// A running Postfix.
#[derive(Debug)]
pub struct Postfix {
    dir: PathBuf,
    address: SocketAddr,
    supervisor: Child,
    input: Option<ChildStdin>,
}

impl Postfix {
    /// Whether it can be run here: its master runs as root alone.
    pub fn can_run() -> bool {
        std::fs::metadata("/proc/self").unwrap().uid() == 0
    }

    /// Starts one that gives mail for `domain` by LMTP to `lmtp`, and mail for
    /// `partner` over required TLS to the receiver. Hardened as
    /// docs/operations.md says.
    pub fn start(domain: &str, lmtp: SocketAddr, partner: &str, receiver: &Sink) -> Self {
        let dir = tempfile::Builder::new()
            .prefix("chancery-postfix-")
            .tempdir()
            .unwrap()
            .keep();
        // Its services run as another user.
        open(&dir);
        for folder in ["etc", "queue", "data"] {
            std::fs::create_dir(dir.join(folder)).unwrap();
            open(&dir.join(folder));
        }
        let owner = Command::new("chown")
            .arg("postfix")
            .arg(dir.join("data"))
            .status()
            .unwrap();
        assert!(
            owner.success(),
            "no user `postfix`: apt-get install postfix"
        );
        let certificate = Own::new();
        let _ca = certificate.write(&dir);
        std::fs::write(dir.join("key.pem"), certificate.pem()).unwrap();
        let [address] = ports::free();
        let place = dir.display();
        let main = format!(
            "compatibility_level = 3.6\nqueue_directory = {place}/queue\ndata_directory = {place}/data\n\
             command_directory = /usr/sbin\ndaemon_directory = /usr/lib/postfix/sbin\n\
             mail_owner = postfix\nsetgid_group = postdrop\nmaillog_file = {place}/log\nmaillog_file_prefixes = {place}\n\
             inet_interfaces = 127.0.0.1\ninet_protocols = ipv4\nmyhostname = mx.gateway.example\nmydestination =\n\
             mynetworks = 127.0.0.0/8\nbiff = no\nalias_maps =\nlocal_recipient_maps =\n\
             virtual_mailbox_domains = {domain}\nvirtual_transport = lmtp:inet:{lmtp}\n\
             relay_domains = {partner}\nrelay_transport = smtp:[127.0.0.1]:{receiver}\n\
             smtp_tls_security_level = secure\nsmtp_tls_secure_cert_match = localhost\nsmtp_tls_CAfile = {ca}\n\
             smtpd_tls_security_level = may\nsmtpd_tls_chain_files = {place}/key.pem\nsmtpd_tls_loglevel = 1\n\
             smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination\n\
             smtpd_forbid_bare_newline = normalize\nsmtpd_forbid_bare_newline_exclusions =\n\
             smtpd_forbid_unauth_pipelining = yes\nmessage_size_limit = 52428800\n",
            receiver = receiver.address().port(),
            ca = receiver.ca().display(),
        );
        std::fs::write(dir.join("etc/main.cf"), main).unwrap();
        let master = format!("{address} inet n - n - - smtpd\n{SERVICES}");
        std::fs::write(dir.join("etc/master.cf"), master).unwrap();
        let mut supervisor = Command::new("/bin/sh")
            .args(["-c", SUPERVISOR, "postfix-for-tests"])
            .arg(&dir)
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let input = supervisor.stdin.take();
        let server = Self {
            dir,
            address,
            supervisor,
            input,
        };
        let started = until_some("Postfix to start", || {
            std::fs::read_to_string(server.dir.join("started"))
                .ok()
                .filter(|text| text.ends_with('\n'))
        });
        let said = std::fs::read_to_string(server.dir.join("start")).unwrap_or_default();
        assert_eq!(started, "0\n", "{said}\n{}", server.log());
        server
    }

    /// Where it takes mail, by SMTP with STARTTLS.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The authority of its certificate, PEM.
    pub fn ca(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    /// What it logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    /// Its folder: queue and log.
    pub fn folder(&self) -> &Path {
        &self.dir
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ended = self.supervisor.wait();
    }
}

fn open(path: &Path) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}
