//! One tour through a node by every channel, with the programs that partners
//! really use: `gpg`, `swaks`, `curl`, and `chancery` itself.
//!
//! ```text
//! gpg + swaks ──► mail ─┬─► SIENA-style inbox (curl)
//!                       └─► REST inbox (chancery inbox)
//! chancery send ─► REST ┬─► SMTP receiver (gpg opens it, signature good)
//!                       └─► REST inbox, after two officers
//! curl ──────────► SIENA ─► REST inbox, SMTP receiver
//! ```

use std::path::Path;

use chancery_world::command::until_some;
use chancery_world::mail::{armored, date, inner_with, outer, swaks};
use chancery_world::node::DOMAIN;
use chancery_world::search::Search;
use chancery_world::siena::{element, message};
use chancery_world::{Gpg, Node, Setup, Siena, Sink, told};
use serde_json::Value;

/// Who writes mail, and from where.
pub const WRITER: (&str, &str) = ("eeas-intcen", "intcen@eeas.example");
/// What both sides may have.
pub const R_UE: &str = "RESTREINT UE/EU RESTRICTED";
const C_UE_H3: &str = "CONFIDENTIEL UE/EU CONFIDENTIAL H3";

/// A node with all doors and its partners' ends.
#[derive(Debug)]
pub struct World {
    /// The node, running.
    pub node: Node,
    /// The mail participant's keys.
    pub gpg: Gpg,
    /// Where its mail arrives.
    pub sink: Sink,
    /// The fingerprint of the gateway's OpenPGP certificate.
    pub gateway_key: String,
    /// The end of the SIENA-style exchange.
    pub europol: Siena,
    canaries: Vec<String>,
}

impl World {
    /// Makes and starts the node, on this database and token.
    pub fn start(setup: Setup) -> Self {
        let sink = Sink::start();
        let gpg = Gpg::new(WRITER.1);
        let zones = vec!["mail", "siena", "rest"];
        let mut node = Node::new(&Setup { zones, ..setup }.relaying_to(&sink));
        for id in ["cert-eu", "csirt-alpha", "eu-military-staff"] {
            node.enroll(id, "rest");
        }
        node.enroll("europol-ec3", "siena");
        node.enroll_mail(WRITER.0, &gpg, WRITER.1);
        node.start();
        let gateway_key = gpg.import(&node.openpgp());
        let europol = node.siena("europol-ec3");
        Self {
            node,
            gpg,
            sink,
            gateway_key,
            europol,
            canaries: Vec::new(),
        }
    }

    /// A word that stands nowhere else.
    fn canary(&mut self) -> String {
        let word = format!("canary{:016x}", rand::random::<u64>());
        self.canaries.push(word.clone());
        word
    }

    /// The whole tour.
    pub fn tour(&mut self) {
        self.mail_to_siena();
        self.mail_to_rest();
        self.rest_to_mail();
        self.siena_to_rest();
        self.siena_to_mail();
        self.rest_to_rest_after_review();
    }

    /// Sends a mail with an attachment; the canaries in subject, text, file name and file.
    fn mail(&mut self, to: &str, id: &str) -> [String; 4] {
        let words = [(); 4].map(|()| self.canary());
        let [subject, text, name, file] = &words;
        let inside = inner_with(
            R_UE,
            &format!("Report {subject}"),
            &format!("A fictitious report.\nThe word is {text}."),
            (&format!("{name}.txt"), file.as_bytes()),
        );
        let sealed = self.gpg.seal(&self.gateway_key, &inside);
        let to = format!("{to}@{DOMAIN}");
        let mail = outer(WRITER.1, &to, id, &date(), &sealed);
        let sent = swaks(self.node.smtp(), &self.node.ca(), WRITER.1, &to, &mail);
        assert!(sent.status.success(), "swaks: {}", told(&sent));
        words
    }

    fn mail_to_siena(&mut self) {
        let [subject, text, name, file] = self.mail("europol-ec3", "tour-1");
        let [id] = &self.europol.list(60).unwrap()[..] else {
            panic!("not one delivery waits")
        };
        let fetched = self.europol.fetch(id);
        assert_eq!(fetched.status, 200, "{fetched:?}");
        let says = |word: &str| fetched.body.contains(word);
        assert!(says(&subject) && says(&text) && says(&name), "{fetched:?}");
        assert_eq!(element(&fetched.body, "marking").as_deref(), Some(R_UE));
        let (_, attached) = fetched.body.split_once("<attachments>").unwrap();
        assert_eq!(element(attached, "marking").as_deref(), Some(R_UE));
        let saved = self.node.path("from-siena");
        assert_eq!(self.europol.attachment(id, 0, &saved).status, 200);
        assert_eq!(std::fs::read_to_string(saved).unwrap(), file);
        assert_eq!(self.europol.acknowledge(id).status, 200);
        assert!(self.europol.list(0).unwrap().is_empty());
    }

    fn mail_to_rest(&mut self) {
        let words = self.mail("eu-military-staff", "tour-2");
        self.rest_takes("eu-military-staff", &words);
    }

    /// What waits first in a REST inbox is fetched, saved and acknowledged with
    /// `chancery inbox`; its subject, text, file name and file bear these words.
    fn rest_takes(&self, who: &str, words: &[String; 4]) -> Value {
        let listed = self.node.user(who, &["inbox", "--wait", "60"], "");
        let first = &listed["deliveries"][0];
        let id = first["delivery"].as_str().expect("something waits");
        assert!(first["subject"].as_str().unwrap().contains(&words[0]));
        let folder = self.node.path(&format!("{who}/{id}"));
        let save = folder.display().to_string();
        let fetched = self
            .node
            .user(who, &["inbox", "--fetch", id, "--save", &save], "");
        assert!(fetched["body"].as_str().unwrap().contains(&words[1]));
        let text = std::fs::read_to_string(folder.join("message.txt")).unwrap();
        assert!(text.contains(&words[1]));
        let file = folder.join(format!("0-{}.txt", words[2]));
        assert_eq!(std::fs::read_to_string(file).unwrap(), words[3]);
        let _done = self.node.user(who, &["inbox", "--ack", id], "");
        fetched
    }

    /// Writes with `chancery send`; its answer, and the words. The file's label
    /// is `own`, where there is one.
    fn rest_sends(
        &mut self,
        who: &str,
        to: &str,
        label: &str,
        own: Option<&str>,
        more: &[&str],
    ) -> (Value, [String; 4]) {
        let words = [(); 4].map(|()| self.canary());
        let file = self.node.path(&format!("{}.txt", words[2]));
        std::fs::write(&file, &words[3]).unwrap();
        let (subject, file) = (format!("Note {}", words[0]), file.display().to_string());
        let mut all = vec![
            "send",
            "-",
            "--to",
            to,
            "--label",
            label,
            "--subject",
            &subject,
            "--attach",
            &file,
            "--no-personal-data",
        ];
        all.extend(more);
        let own = own.map(|own| format!("{}.txt={own}", words[2]));
        if let Some(own) = &own {
            all.extend(["--attach-label", own]);
        }
        let input = format!("A fictitious note.\nThe word is {}.\n", words[1]);
        (self.node.user(who, &all, &input), words)
    }

    fn rest_to_mail(&mut self) {
        let more = ["--purpose", "cyber-crisis"];
        // The file's label raises that of the message.
        let (sent, words) = self.rest_sends("cert-eu", WRITER.0, "NC", Some("R-UE"), &more);
        assert_eq!(sent["marking"], R_UE, "{sent}");
        let text = self.mail_arrives(1, &words);
        let row = format!("Attached:      {}.txt, {R_UE}", words[2]);
        assert!(text.contains(&row), "{text}");
        assert_eq!(text.matches("SIO-Label:").count(), 2, "{text}");
        self.ends_as(&sent, "cert-eu", "completed");
    }

    /// The receiver's last mail: `gpg` opens it, calls the gateway's signature
    /// good, and finds these words. Answers what it opened.
    fn mail_arrives(&self, count: usize, words: &[String]) -> String {
        let mails = self.sink.wait(count);
        let mail = mails.last().unwrap();
        assert_eq!(mail.from, format!("gateway@{DOMAIN}"));
        assert_eq!(mail.to, WRITER.1);
        assert!(
            Search::new(&refs(words)).within(&mail.data).is_empty(),
            "nothing of the content is outside of the encrypted part"
        );
        let opened = self.gpg.open(&self.gateway_key, &armored(&mail.data));
        assert!(opened.signature_good);
        let seen = Search::new(&refs(words)).within(&opened.text);
        for word in words {
            let there = seen.iter().any(|form| form.contains(word.as_str()));
            assert!(there, "{word} did not arrive");
        }
        String::from_utf8_lossy(&opened.text).into_owned()
    }

    /// Sends by SIENA-style exchange, with an uploaded attachment.
    fn siena_sends(&mut self, to: &str) -> ([String; 4], String) {
        let words = [(); 4].map(|()| self.canary());
        let upload = self.europol.upload(words[3].as_bytes());
        let name = format!("{}.txt", words[2]);
        let document = message(
            to,
            R_UE,
            &format!("Request {}", words[0]),
            &format!("A fictitious request. The word is {}.", words[1]),
            Some((&upload, &name)),
        );
        let answer = self.europol.send(&document, Some(&words[0]));
        assert_eq!(answer.status, 202, "{answer:?}");
        (words, element(&answer.body, "messageId").expect("an id"))
    }

    fn siena_to_rest(&mut self) {
        let (words, id) = self.siena_sends("csirt-alpha");
        let fetched = self.rest_takes("csirt-alpha", &words);
        assert_eq!(fetched["message"], id.as_str());
        assert_eq!(fetched["attachments"][0]["marking"], R_UE);
    }

    fn siena_to_mail(&mut self) {
        let (words, _) = self.siena_sends(WRITER.0);
        let _text = self.mail_arrives(2, &words);
    }

    fn rest_to_rest_after_review(&mut self) {
        let more = ["--purpose", "law-enforcement"];
        let (sent, words) = self.rest_sends("csirt-alpha", "cert-eu", C_UE_H3, None, &more);
        assert_eq!(sent["recipients"][0]["verdict"], "review", "{sent}");
        let id = sent["id"].as_str().unwrap();
        let open = self.node.officer("anna", &["review", "list"]);
        let case = open
            .iter()
            .find(|case| case["message"] == id)
            .and_then(|case| case["case"].as_str())
            .expect("a case");
        let shown = self
            .node
            .officer("anna", &["review", "show", case, "--why", "duty officer"]);
        assert!(shown[0]["body"].as_str().unwrap().contains(&words[1]));
        for officer in ["anna", "bruno"] {
            let _voted = self.node.officer(officer, &["review", "approve", case]);
        }
        self.rest_takes("cert-eu", &words);
        self.ends_as(&sent, "csirt-alpha", "completed");
    }

    /// The sender sees how it ended.
    fn ends_as(&self, sent: &Value, who: &str, state: &str) {
        let id = sent["id"].as_str().unwrap();
        until_some(&format!("{id} to be {state}"), || {
            let status = self.node.user(who, &["status", id], "");
            (status["recipients"][0]["state"] == state).then_some(())
        });
    }

    /// No word of any message stands in the node's folder, its log lines, its
    /// exported log, or these further places: not now, and not when all is stopped.
    /// The log verifies.
    pub fn nothing_stands_anywhere(mut self, more: &[&Path]) {
        let log = self.node.sound_log();
        let canaries = refs(&self.canaries);
        let search = Search::new(&canaries);
        assert!(search.within(log.as_bytes()).is_empty());
        let (folder, lines) = (self.node.path("node"), self.node.path("node.log"));
        let mut places: Vec<&Path> = vec![&folder, &lines];
        places.extend(more);
        assert_eq!(search.below(&places), Vec::<String>::new());
        // What the log does tell.
        let told = |kind: &str| log.matches(kind).count();
        assert_eq!(told("\"message.sealed\""), 6);
        assert_eq!(told("\"release.completed\""), 6);
        assert_eq!(told("\"review.voted\""), 2);
        self.node.stop();
        assert_eq!(search.below(&places), Vec::<String>::new());
    }
}

fn refs(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}
