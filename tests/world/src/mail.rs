//! A partner's mail: PGP/MIME around what `gpg` made, sent by the real `swaks`.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};

use base64::prelude::{BASE64_STANDARD, Engine as _};

use crate::command::piped;

/// The part that is signed and encrypted: the label stands in its first line.
pub fn inner(marking: &str, subject: &str, text: &str) -> Vec<u8> {
    format!(
        "Content-Type: text/plain; charset=utf-8; protected-headers=\"v1\"\r\nSubject: {subject}\r\n\r\n{}\r\n",
        crlf(&format!("{marking}\n\n{text}"))
    )
    .into_bytes()
}

/// The same with a file attached, which has a label of its own, this marking too.
pub fn inner_with(marking: &str, subject: &str, text: &str, file: (&str, &[u8])) -> Vec<u8> {
    let lines = BASE64_STANDARD
        .encode(file.1)
        .as_bytes()
        .chunks(76)
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect::<Vec<_>>()
        .join("\r\n");
    format!(
        "Content-Type: multipart/mixed; boundary=\"inner-part\"; protected-headers=\"v1\"\r\nSubject: {subject}\r\n\r\n\
         --inner-part\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{}\r\n\
         --inner-part\r\nContent-Type: application/octet-stream\r\nSIO-Label: marking=\"{marking}\"\r\n\
         Content-Disposition: attachment; filename=\"{}\"\r\nContent-Transfer-Encoding: base64\r\n\r\n{lines}\r\n\
         --inner-part--\r\n",
        crlf(&format!("{marking}\n\n{text}")),
        file.0
    )
    .into_bytes()
}

/// The PGP/MIME mail around it (RFC 3156). `id` is its Message-ID's left half.
pub fn outer(from: &str, to: &str, id: &str, date: &str, armored: &[u8]) -> Vec<u8> {
    let armored = crlf(&String::from_utf8_lossy(armored));
    format!(
        "From: {from}\r\nTo: {to}\r\nDate: {date}\r\nMessage-ID: <{id}@partner.example>\r\nSubject: ...\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=\"b-{id}\"\r\n\r\n\
         --b-{id}\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n\r\n\
         --b-{id}\r\nContent-Type: application/octet-stream; name=\"encrypted.asc\"\r\n\r\n{armored}\r\n\
         --b-{id}--\r\n"
    )
    .into_bytes()
}

/// The time as a mail says it, asked of the system.
pub fn date() -> String {
    let output = Command::new("date").args(["-u", "-R"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn crlf(text: &str) -> String {
    text.lines().collect::<Vec<_>>().join("\r\n")
}

/// The ASCII-armored message in a mail.
pub fn armored(mail: &[u8]) -> Vec<u8> {
    const BEGIN: &str = "-----BEGIN PGP MESSAGE-----";
    const END: &str = "-----END PGP MESSAGE-----";
    let text = String::from_utf8_lossy(mail);
    let begin = text.find(BEGIN).expect("the mail is not PGP/MIME");
    let end = text.find(END).expect("the mail is not PGP/MIME");
    format!("{}\n", &text[begin..end + END.len()]).into_bytes()
}

/// Sends a mail with the real `swaks`: by SMTP with STARTTLS, which must be
/// there and must show a certificate of this authority.
pub fn swaks(door: SocketAddr, ca: &Path, from: &str, to: &str, mail: &[u8]) -> Output {
    let mut command = Command::new("swaks");
    command
        .args(["--server", &door.ip().to_string()])
        .args(["--port", &door.port().to_string()])
        .args(["--helo", "mail.partner.example", "--from", from, "--to", to])
        .args(["--tls", "--tls-verify", "--tls-ca-path"])
        .arg(ca)
        .args(["--timeout", "60s", "--silent", "2", "--data", "-"]);
    // swaks ends lines itself.
    let text = String::from_utf8_lossy(mail).replace("\r\n", "\n");
    piped(command, text.as_bytes())
}
