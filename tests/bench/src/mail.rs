//! OpenPGP mail in, OpenPGP mail out, through the real programs of a node: the
//! partner's mails are signed and encrypted by the real `gpg` beforehand, and
//! what came out is opened by it afterwards, so that its own cost is not
//! measured.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chancery_world::mail::{armored, date, inner, outer};
use chancery_world::node::DOMAIN;
use chancery_world::{Gpg, Sink, Smtp};

use crate::measure;
use crate::node::{Node, free_port};

/// Who writes, and who reads.
const WRITER: (&str, &str) = ("cert-eu", "exchange@cert-eu.example");
const READER: (&str, &str) = ("eeas-intcen", "intcen@eeas.example");
const LABEL: &str = "RESTREINT UE/EU RESTRICTED";
/// Partners' connections at once.
const SENDERS: usize = 8;

/// A node between two partners that write mail.
pub(crate) struct Post {
    pub(crate) node: Node,
    smtp: String,
    sink: Sink,
    writer: Gpg,
    reader: Gpg,
    /// Fingerprint of the gateway's certificate.
    gateway: String,
}

impl Post {
    pub(crate) fn start() -> Self {
        let sink = Sink::start();
        let (writer, reader) = (Gpg::new(WRITER.1), Gpg::new(READER.1));
        let smtp = free_port();
        let (relay, ca) = (sink.address().to_string(), sink.ca().display().to_string());
        let options = [
            "--smtp",
            &smtp,
            "--mail-domain",
            DOMAIN,
            "--relay",
            &relay,
            "--relay-ca",
            &ca,
        ];
        let mut node = Node::make("mail", &options);
        for ((id, address), gpg) in [(WRITER, &writer), (READER, &reader)] {
            let file = gpg.certificate().display().to_string();
            let fingerprint = gpg.fingerprint(address);
            node.enroll(
                id,
                &[
                    "--channel",
                    "mail",
                    "--openpgp",
                    &file,
                    "--fingerprint",
                    &fingerprint,
                ],
            );
        }
        node.run();
        let own = node.path("node/data/openpgp.pgp");
        let gateway = writer.import(&own);
        reader.import(&own);
        Self {
            node,
            smtp,
            sink,
            writer,
            reader,
            gateway,
        }
    }

    fn prepare(&self, number: usize) -> Vec<u8> {
        let text = "A line of an ordinary text of an ordinary length.\n".repeat(20);
        let inside = inner(LABEL, &format!("message {number}."), &text);
        let sealed = self.writer.seal(&self.gateway, &inside);
        let to = format!("{}@{DOMAIN}", READER.0);
        outer(WRITER.1, &to, &format!("bench-{number}"), &date(), &sealed)
    }

    fn connect(&self) -> Smtp {
        let door = self.smtp.parse().unwrap();
        Smtp::connect(door, &self.node.path("node/ca/ca.pem"), "localhost")
    }

    fn give(smtp: &mut Smtp, mail: &[u8]) {
        smtp.send(WRITER.1, &format!("{}@{DOMAIN}", READER.0), mail);
    }

    /// One mail and the certificates, for the pieces alone.
    pub(crate) fn example(&self) -> [PathBuf; 3] {
        let mail = self.node.path("example.eml");
        std::fs::write(&mail, self.prepare(0)).unwrap();
        [mail, self.writer.certificate(), self.reader.certificate()]
    }

    /// One mail at a time.
    pub(crate) fn one_by_one(&self, name: &str, messages: usize) {
        let mails: Vec<_> = (0..messages).map(|number| self.prepare(number)).collect();
        let mut smtp = self.connect();
        let (mut accepted, mut delivered) = (Vec::new(), Vec::new());
        for mail in &mails {
            let there = self.sink.mails().len();
            let begin = Instant::now();
            Self::give(&mut smtp, mail);
            let acknowledged = Instant::now();
            let came = self.sink.wait(there + 1);
            accepted.push(acknowledged - begin);
            delivered.push(came[there].at.saturating_duration_since(acknowledged));
        }
        measure::times(&format!("{name}: mail to acknowledgement"), &accepted);
        measure::times(&format!("{name}: acknowledgement to delivery"), &delivered);
    }

    /// Mails signed and encrypted for [`Self::many`].
    pub(crate) fn prepared(&self, messages: usize) -> Vec<Vec<u8>> {
        (0..messages)
            .map(|number| self.prepare(100_000 + number))
            .collect()
    }

    /// As many as go, by several connections; how long all took.
    pub(crate) fn many(&self, name: &str, mails: &[Vec<u8>]) -> Duration {
        let there = self.sink.mails().len();
        let next = AtomicUsize::new(0);
        let begin = Instant::now();
        let sent: BTreeMap<usize, Instant> = std::thread::scope(|scope| {
            let senders: Vec<_> = (0..SENDERS)
                .map(|_| scope.spawn(|| self.give_all(&next, mails)))
                .collect();
            senders
                .into_iter()
                .flat_map(|one| one.join().unwrap())
                .collect()
        });
        let came = self.sink.wait(there + mails.len());
        let came = &came[there..];
        let last = came.iter().map(|mail| mail.at).max().unwrap();
        let took = last - begin;
        #[allow(clippy::cast_precision_loss, reason = "a few hundred messages")]
        let rate = mails.len() as f64 / took.as_secs_f64();
        println!(
            "{name}: {rate:.1} messages/s, {} by {SENDERS} senders",
            mails.len()
        );
        let waits: Vec<Duration> = came
            .iter()
            .map(|mail| {
                let opened = self.reader.open(&self.gateway, &armored(&mail.data));
                assert!(opened.signature_good, "a signature is not good");
                let text = String::from_utf8_lossy(&opened.text);
                let (_, number) = text.split_once("message ").unwrap();
                let (number, _) = number.split_once('.').unwrap();
                let number: usize = number.parse().unwrap();
                mail.at.saturating_duration_since(sent[&(number - 100_000)])
            })
            .collect();
        let name = format!("{name}: acknowledgement to delivery, all at once");
        measure::times(&name, &waits);
        took
    }

    fn give_all(&self, next: &AtomicUsize, mails: &[Vec<u8>]) -> Vec<(usize, Instant)> {
        let mut smtp = self.connect();
        let mut sent = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(mail) = mails.get(number) else {
                return sent;
            };
            Self::give(&mut smtp, mail);
            sent.push((number, Instant::now()));
        }
    }
}
