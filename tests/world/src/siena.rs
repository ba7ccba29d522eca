//! A partner of the SIENA-style exchange: the real `curl` over mutual TLS.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{piped, told};

/// One participant's end.
#[derive(Clone, Debug)]
pub struct Siena {
    url: String,
    folder: PathBuf,
    name: String,
}

/// What the door answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status; 0 when there was none.
    pub status: u16,
    /// The document.
    pub body: String,
}

impl Siena {
    /// From the client profile that `chancery participant enroll` wrote.
    pub fn new(profile: &Path) -> Self {
        let text = std::fs::read_to_string(profile).unwrap();
        let url = text
            .lines()
            .find_map(|line| line.strip_prefix("url = \"")?.strip_suffix('"'))
            .unwrap();
        Self {
            url: url.to_owned(),
            folder: profile.parent().unwrap().to_owned(),
            name: profile.file_stem().unwrap().to_str().unwrap().to_owned(),
        }
    }

    fn curl(&self, path: &str, more: &[&str], body: Option<&[u8]>) -> Answer {
        let file = |name: String| self.folder.join(name);
        let mut command = Command::new("curl");
        command
            .args(["--silent", "--show-error", "--max-time", "90", "--cacert"])
            .arg(file("ca.pem".to_owned()))
            .arg("--cert")
            .arg(file(format!("{}.pem", self.name)))
            .arg("--key")
            .arg(file(format!("{}.key", self.name)))
            .args(["--write-out", "\n%{http_code}"])
            .args(more);
        if body.is_some() {
            command.args(["--data-binary", "@-"]);
        }
        command.arg(format!("{}{path}", self.url));
        let output = piped(command, body.unwrap_or_default());
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (body, status) = text.rsplit_once('\n').unwrap_or(("", ""));
        let broken = format!("curl: {}", told(&output));
        Answer {
            status: status.parse().unwrap_or_default(),
            body: if output.status.success() {
                body.to_owned()
            } else {
                broken
            },
        }
    }

    /// Sends a document; with a key it may be sent again.
    pub fn send(&self, document: &str, key: Option<&str>) -> Answer {
        let key = key.map(|key| format!("Idempotency-Key: {key}"));
        let mut more = vec!["--header", "Content-Type: application/xml"];
        if let Some(key) = &key {
            more.extend(["--header", key]);
        }
        self.curl("/messages", &more, Some(document.as_bytes()))
    }

    /// What waits: the ids of the deliveries, in order.
    pub fn list(&self, wait: u32) -> Result<Vec<String>, Answer> {
        let answer = self.curl(&format!("/inbox?wait={wait}&limit=200"), &[], None);
        if answer.status != 200 {
            return Err(answer);
        }
        Ok(answer
            .body
            .split("<entry ")
            .skip(1)
            .filter_map(|entry| attribute(entry, "delivery"))
            .collect())
    }

    /// Fetches a delivery.
    pub fn fetch(&self, id: &str) -> Answer {
        self.curl(&format!("/inbox/{id}"), &[], None)
    }

    /// Fetches the bytes of an attachment, into a file.
    pub fn attachment(&self, id: &str, number: usize, file: &Path) -> Answer {
        let out = file.display().to_string();
        self.curl(
            &format!("/inbox/{id}/attachments/{number}"),
            &["--output", &out],
            None,
        )
    }

    /// Acknowledges it.
    pub fn acknowledge(&self, id: &str) -> Answer {
        self.curl(&format!("/inbox/{id}/ack"), &["--request", "POST"], None)
    }

    /// Passes a delivery on.
    pub fn forward(&self, id: &str, document: &str) -> Answer {
        let more = ["--header", "Content-Type: application/xml"];
        let path = format!("/messages/{id}/forward");
        self.curl(&path, &more, Some(document.as_bytes()))
    }

    /// Answers a delivery.
    pub fn reply(&self, id: &str, document: &str) -> Answer {
        let more = ["--header", "Content-Type: application/xml"];
        let path = format!("/messages/{id}/reply");
        self.curl(&path, &more, Some(document.as_bytes()))
    }

    /// The requests that wait for its consent.
    pub fn consents(&self) -> Vec<String> {
        let answer = self.curl("/consents", &[], None);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer
            .body
            .split("<consent ")
            .skip(1)
            .filter_map(|one| attribute(one, "request"))
            .collect()
    }

    /// Answers one of them: `grant` or `refuse`.
    pub fn consent(&self, request: &str, answer: &str) -> Answer {
        let path = format!("/consents/{request}/{answer}");
        self.curl(&path, &["--request", "POST"], None)
    }

    /// Uploads bytes; the attachment's id.
    pub fn upload(&self, bytes: &[u8]) -> String {
        let more = ["--header", "Content-Type: application/octet-stream"];
        let answer = self.curl("/attachments", &more, Some(bytes));
        attribute(&answer.body, "id").unwrap_or_else(|| panic!("{answer:?}"))
    }
}

/// A message of this channel. `attachment` is the id of an uploaded one, with
/// its name; it has a label of its own, this marking too.
pub fn message(
    to: &str,
    marking: &str,
    subject: &str,
    text: &str,
    attachment: Option<(&str, &str)>,
) -> String {
    let attached = attachment.map_or_else(String::new, |(id, name)| {
        format!("<attachments><attachment name=\"{name}\"><classification>{marking}</classification><uploaded>{id}</uploaded></attachment></attachments>")
    });
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<message xmlns=\"urn:chancery:siena-style:1\" version=\"1\">\
         <kind>information</kind><caseReference>TEST-1</caseReference>\
         <classification>{marking}</classification><handlingCodes><code>H0</code></handlingCodes>\
         <evaluation source=\"B\" information=\"2\"/><purpose>law-enforcement</purpose>\
         <personalData>false</personalData>\
         <recipients><recipient role=\"to\">{to}</recipient></recipients>\
         <subject>{subject}</subject><text>{text}</text>{attached}</message>\n"
    )
}

/// The text of the first element of this name, as it stands. The gateway's
/// documents have one form; this end needs no parser.
pub fn element(document: &str, name: &str) -> Option<String> {
    let (_, after) = document.split_once(&format!("<{name}"))?;
    let (_, inner) = after.split_once('>')?;
    let (text, _) = inner.split_once(&format!("</{name}>"))?;
    Some(text.to_owned())
}

/// The first attribute of this name.
pub fn attribute(document: &str, name: &str) -> Option<String> {
    let (_, value) = document.split_once(&format!("{name}=\""))?;
    value.split_once('"').map(|(value, _)| value.to_owned())
}
