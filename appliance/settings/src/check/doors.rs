//! The doors: addresses, certificates, names.

use std::net::SocketAddr;

use crate::check::files::{certificates, plain};
use crate::{Door, Finding, Listen, MailDoor, Settings};

impl Settings {
    pub(super) fn check_doors(&self, found: &mut Vec<Finding>) {
        if self.doors.zones().is_empty() {
            found.push(Finding::weak(
                "doors",
                "no door is open: nothing comes in or goes out",
            ));
        }
        let mut listening: Vec<(String, SocketAddr)> = Vec::new();
        if let Some(mail) = &self.doors.mail {
            check_mail(mail, found);
            listening.extend(
                mail.smtp
                    .map(|address| ("doors.mail.smtp".to_owned(), address)),
            );
            if let Some(Listen::Tcp(address)) = &mail.lmtp {
                listening.push(("doors.mail.lmtp".to_owned(), *address));
            }
        }
        for (zone, door) in [("siena", &self.doors.siena), ("rest", &self.doors.rest)] {
            if let Some(door) = door {
                check_door(&format!("doors.{zone}"), door, found);
                listening.push((format!("doors.{zone}.listen"), door.listen));
            }
        }
        if let Some(address) = self.metrics.listen {
            if !address.ip().is_loopback() {
                found.push(Finding::wrong(
                    "metrics.listen",
                    "health and numbers are for this machine alone: use 127.0.0.1 or ::1",
                ));
            }
            listening.push(("metrics.listen".to_owned(), address));
        }
        for (place, (at, address)) in listening.iter().enumerate() {
            let taken = listening
                .iter()
                .take(place)
                .find(|(_, other)| other == address && address.port() != 0);
            if let Some((other, _)) = taken {
                found.push(Finding::wrong(
                    at.clone(),
                    format!("the same address and port as {other}: choose another"),
                ));
            }
        }
    }
}

fn check_door(at: &str, door: &Door, found: &mut Vec<Finding>) {
    certificates(&format!("{at}.certificate"), &door.certificate, found);
    certificates(&format!("{at}.client_ca"), &door.client_ca, found);
    match &door.crl {
        Some(path) => {
            plain(&format!("{at}.crl"), path, found);
        }
        None => found.push(Finding::weak(
            format!("{at}.crl"),
            "without revocation lists a revoked certificate is good until it expires",
        )),
    }
}

fn check_mail(mail: &MailDoor, found: &mut Vec<Finding>) {
    let at = |option: &str| format!("doors.mail.{option}");
    if mail.smtp.is_none() && mail.lmtp.is_none() {
        found.push(Finding::wrong(
            at("smtp"),
            "mail has no way in: set smtp or lmtp",
        ));
    }
    match &mail.lmtp {
        Some(Listen::Tcp(address)) if !address.ip().is_loopback() => found.push(Finding::wrong(
            at("lmtp"),
            "LMTP has no TLS and is for a mail server of this machine alone: use unix:PATH or 127.0.0.1",
        )),
        Some(Listen::Unix(path)) if path.parent().is_none_or(|folder| !folder.is_dir()) => {
            found.push(Finding::wrong(at("lmtp"), "the folder of the socket does not exist"));
        }
        _ => {}
    }
    if !is_domain(&mail.hostname) {
        found.push(Finding::wrong(at("hostname"), "it is not a domain name"));
    }
    if mail.domains.is_empty() || !mail.domains.iter().all(|domain| is_domain(domain)) {
        found.push(Finding::wrong(
            at("domains"),
            "name at least one domain, each in lower case, for example `gateway.example.eu`",
        ));
    }
    certificates(&at("certificate"), &mail.certificate, found);
    let is_address = mail.relay_host.parse::<std::net::IpAddr>().is_ok();
    if !is_address && !is_domain(&mail.relay_host) {
        found.push(Finding::wrong(
            at("relay_host"),
            "it is neither a domain name nor an address",
        ));
    }
    if mail.relay_port == 0 {
        found.push(Finding::wrong(at("relay_port"), "a port is 1 to 65535"));
    }
    match &mail.relay_ca {
        Some(path) => certificates(&at("relay_ca"), path, found),
        None => found.push(Finding::weak(
            at("relay_ca"),
            "the relay may show a certificate of any authority that the system trusts",
        )),
    }
    let (user, domain) = mail.sender.rsplit_once('@').unwrap_or_default();
    if user.is_empty() || !user.is_ascii() || !is_domain(domain) {
        found.push(Finding::wrong(at("sender"), "it is not a mail address"));
    }
}

/// A host name of labels (RFC 1123), in lower case.
fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
    };
    text.len() <= 253 && text.split('.').all(label)
}
