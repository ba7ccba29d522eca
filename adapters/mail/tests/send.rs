//! Sending: our sender against our listener over real TLS, and against relays
//! that misbehave.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests"
)]
#![forbid(unsafe_code)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chancery_mail::wire::send::{Relay, RelayError, Sender, Timeouts};
use chancery_mail::wire::{Connection, Door, Limits, Protocol, Settings, serve_connection};
use chancery_message::TransportEvidence;
use chancery_pipeline::protocol::{MailSent, RelaySession, SendMail};
use support::gate::Memory;
use support::tls::{Pki, Tls, pki};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

fn relay(port: u16, ca_pem: Vec<u8>) -> Relay {
    Relay {
        host: "127.0.0.1".to_owned(),
        port,
        tls_name: Some("relay.example".to_owned()),
        hello_name: "gateway.example".to_owned(),
        ca_pem,
        timeouts: Timeouts {
            connect: Duration::from_secs(20),
            command: Duration::from_secs(5),
            message: Duration::from_secs(5),
            ..Timeouts::default()
        },
        idle: 1,
    }
}

fn head() -> SendMail {
    SendMail {
        from: "gateway@gateway.example".to_owned(),
        to: "liaison@relay.example".to_owned(),
        deadline_ms: 30_000,
        session: RelaySession {
            groups: vec!["X25519MLKEM768".to_owned()],
            tls13: true,
        },
    }
}

/// Our own listener as the relay.
async fn listener(pki: &Pki) -> (u16, Arc<Memory>) {
    let gate = Arc::new(Memory::default());
    let door = Arc::new(Door {
        settings: Settings {
            protocol: Protocol::Smtp,
            hostname: "relay.example".to_owned(),
            domains: vec!["relay.example".to_owned()],
            limits: Limits::default(),
        },
        gate: Arc::clone(&gate) as Arc<dyn chancery_pipeline::ports::Gate>,
        upgrade: Some(Arc::new(Tls(Arc::clone(&pki.server)))),
    });
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (_open, closing) = watch::channel(false);
        loop {
            let (stream, peer) = socket.accept().await.unwrap();
            let connection = Connection {
                door: Arc::clone(&door),
                address: peer.to_string(),
                transport: None,
                shutdown: closing.clone(),
            };
            tokio::spawn(serve_connection(Box::new(stream), connection));
        }
    });
    (port, gate)
}

#[tokio::test]
async fn mail_arrives_as_it_was_rendered() {
    let pki = pki("relay.example");
    let (port, gate) = listener(&pki).await;
    let sender = Sender::new(relay(port, pki.ca_pem.clone())).unwrap();
    // SMTP-006: lines that another server might take for commands.
    let mails = [
        "Subject: [...]\r\n\r\n.\r\nMAIL FROM:<x@y.example>\r\n..\r\nFrom me\r\n",
        ".\r\n",
        "a\r\n\r\n\r\n",
    ];
    for mail in mails {
        let sent = sender
            .send(&head(), Bytes::from_static(mail.as_bytes()))
            .await;
        let MailSent::Accepted { reply } = sent else {
            panic!("{sent:?}");
        };
        assert_eq!(reply, "250 2.0.0 accepted as 7");
    }
    let bodies = gate.bodies();
    assert_eq!(bodies.len(), 3);
    for (body, mail) in bodies.iter().zip(mails) {
        assert_eq!(std::str::from_utf8(body).unwrap(), mail);
    }
    let submitted = gate.submitted.lock().unwrap();
    assert!(matches!(
        submitted[0].0.peer.transport,
        TransportEvidence::ServerTls { .. }
    ));
    assert_eq!(submitted[0].0.envelope_to, ["liaison@relay.example"]);
}

#[tokio::test]
async fn a_large_mail_goes_through() {
    let pki = pki("relay.example");
    let (port, gate) = listener(&pki).await;
    let sender = Sender::new(relay(port, pki.ca_pem.clone())).unwrap();
    let mail = Bytes::from(format!("{}.\r\n", "x".repeat(76) + "\r\n").repeat(20_000));
    let sent = sender.send(&head(), mail.clone()).await;
    assert!(matches!(sent, MailSent::Accepted { .. }), "{sent:?}");
    assert!(gate.bodies()[0] == mail);
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let pki = pki("relay.example");
    let (port, gate) = listener(&pki).await;
    let sender = Sender::new(relay(port, pki.ca_pem.clone())).unwrap();
    let mail = || Bytes::from_static(b"x\r\n");
    let elsewhere = SendMail {
        to: "a@elsewhere.example".to_owned(),
        ..head()
    };
    let sent = sender.send(&elsewhere, mail()).await;
    let MailSent::Permanent { reason } = sent else {
        panic!("{sent:?}");
    };
    assert!(reason.contains("550"), "{reason}");
    // The connection is still good for the next one.
    let sent = sender.send(&head(), mail()).await;
    assert!(matches!(sent, MailSent::Accepted { .. }), "{sent:?}");

    for bad in ["a\nb\r\n", "a\rb\r\n", "a", "a\0\r\n", ""] {
        let sent = sender
            .send(&head(), Bytes::from_static(bad.as_bytes()))
            .await;
        assert!(matches!(sent, MailSent::Permanent { .. }), "{bad:?}");
    }
    let late = SendMail {
        deadline_ms: 0,
        ..head()
    };
    let sent = sender.send(&late, mail()).await;
    assert!(matches!(sent, MailSent::Temporary { .. }), "{sent:?}");
    let injected = SendMail {
        to: "a@b.example>\r\nDATA".to_owned(),
        ..head()
    };
    assert!(matches!(
        sender.send(&injected, mail()).await,
        MailSent::Permanent { .. }
    ));
    assert_eq!(gate.bodies().len(), 1);
}

#[tokio::test]
async fn an_unknown_ca_and_another_name_are_refused() {
    let right = pki("relay.example");
    let other = pki("relay.example");
    let (port, gate) = listener(&right).await;
    let sender = Sender::new(relay(port, other.ca_pem)).unwrap();
    let sent = sender.send(&head(), Bytes::from_static(b"x\r\n")).await;
    assert!(matches!(sent, MailSent::Temporary { .. }), "{sent:?}");
    let mut named = relay(port, right.ca_pem.clone());
    named.tls_name = Some("another.example".to_owned());
    let sender = Sender::new(named).unwrap();
    let sent = sender.send(&head(), Bytes::from_static(b"x\r\n")).await;
    assert!(matches!(sent, MailSent::Temporary { .. }), "{sent:?}");
    assert!(gate.bodies().is_empty());
    let no_ca = Sender::new(relay(port, b"nothing".to_vec()));
    assert!(matches!(no_ca, Err(RelayError::Ca(_))));
    let mut odd = relay(port, right.ca_pem);
    odd.hello_name = "x\r\ny".to_owned();
    assert!(matches!(Sender::new(odd), Err(RelayError::Hello(_))));
}

#[tokio::test]
async fn a_relay_without_tls_gets_nothing() {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    let relay_side = tokio::spawn(async move {
        let (stream, _) = socket.accept().await.unwrap();
        let mut stream = BufStream::new(stream);
        stream.write_all(b"220 relay.example\r\n").await.unwrap();
        stream.flush().await.unwrap();
        let mut all = String::new();
        stream.read_line(&mut all).await.unwrap();
        stream.write_all(b"250 relay.example\r\n").await.unwrap();
        stream.flush().await.unwrap();
        stream.read_to_string(&mut all).await.unwrap();
        all
    });
    let sender = Sender::new(relay(port, pki("relay.example").ca_pem)).unwrap();
    let sent = sender
        .send(&head(), Bytes::from_static(b"secret\r\n"))
        .await;
    assert!(matches!(sent, MailSent::Temporary { .. }), "{sent:?}");
    let said = relay_side.await.unwrap();
    assert!(!said.contains("MAIL") && !said.contains("secret"), "{said}");
}

/// How a misbehaving relay ends a conversation after TLS and EHLO.
#[derive(Clone, Copy, PartialEq)]
enum End {
    /// Closes after MAIL.
    AtMail,
    /// Closes when it has read the message, without a reply.
    AfterDot,
    /// Says nothing more when it has read the message.
    SilentAfterDot,
    /// Answers DATA's end with 451.
    Later,
    /// Answers DATA's end with 554.
    Never,
    /// Answers MAIL with a line that has no end.
    Floods,
}

async fn misbehaving(pki: &Pki, end: End) -> u16 {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    let acceptor = TlsAcceptor::from(Arc::clone(&pki.server));
    tokio::spawn(async move {
        let (stream, _) = socket.accept().await.unwrap();
        conversation(stream, acceptor, end).await;
    });
    port
}

async fn conversation(mut stream: TcpStream, acceptor: TlsAcceptor, end: End) {
    let mut buffer = [0u8; 512];
    stream.write_all(b"220 relay.example\r\n").await.unwrap();
    assert!(stream.read(&mut buffer).await.unwrap() > 0);
    stream
        .write_all(b"250-relay.example\r\n250 STARTTLS\r\n")
        .await
        .unwrap();
    assert!(stream.read(&mut buffer).await.unwrap() > 0);
    stream.write_all(b"220 go\r\n").await.unwrap();
    let mut stream = BufStream::new(acceptor.accept(stream).await.unwrap());
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return;
        }
        match line.get(..4).unwrap_or_default() {
            "MAIL" if end == End::AtMail => return,
            "MAIL" if end == End::Floods => {
                // 10 MiB in one line, until the other side has enough.
                let part = vec![b'2'; 64 * 1024];
                for _ in 0..160 {
                    if stream.write_all(&part).await.is_err() || stream.flush().await.is_err() {
                        return;
                    }
                }
            }
            "DATA" => {
                stream.write_all(b"354 go\r\n").await.unwrap();
                stream.flush().await.unwrap();
                let mut line = String::new();
                while line != ".\r\n" {
                    line.clear();
                    stream.read_line(&mut line).await.unwrap();
                }
                let reply = match end {
                    End::Later => "451 4.3.0 later\r\n",
                    End::Never => "554 5.0.0 never \u{1b}[31m\r\n",
                    End::SilentAfterDot => {
                        tokio::time::sleep(Duration::from_secs(30)).await;
                        return;
                    }
                    _ => return,
                };
                stream.write_all(reply.as_bytes()).await.unwrap();
            }
            _ => stream.write_all(b"250 ok\r\n").await.unwrap(),
        }
        if stream.flush().await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn what_the_relay_holds_is_told_truly() {
    let pki = pki("relay.example");
    for end in [
        End::AtMail,
        End::AfterDot,
        End::SilentAfterDot,
        End::Later,
        End::Never,
        End::Floods,
    ] {
        let port = misbehaving(&pki, end).await;
        let mut settings = relay(port, pki.ca_pem.clone());
        settings.timeouts.message = Duration::from_secs(1);
        let sender = Sender::new(settings).unwrap();
        let sent = sender.send(&head(), Bytes::from_static(b"x\r\n")).await;
        match end {
            End::AtMail | End::Later | End::Floods => {
                assert!(matches!(sent, MailSent::Temporary { .. }), "{sent:?}");
            }
            End::AfterDot | End::SilentAfterDot => {
                assert!(matches!(sent, MailSent::Unknown { .. }), "{sent:?}");
            }
            End::Never => {
                let MailSent::Permanent { reason } = sent else {
                    panic!("{sent:?}");
                };
                assert!(
                    !reason.contains('\u{1b}') && reason.len() <= 200,
                    "{reason}"
                );
            }
        }
    }
}

/// A server that agrees on this group alone, by this version.
fn only(pki: &Pki, group: &'static dyn rustls::crypto::SupportedKxGroup, tls13: bool) -> Pki {
    let mut config = rustls::ServerConfig::clone(&pki.server);
    let provider = rustls::crypto::CryptoProvider {
        kx_groups: vec![group],
        ..rustls::crypto::aws_lc_rs::default_provider()
    };
    let versions: &[&rustls::SupportedProtocolVersion] = if tls13 {
        &[&rustls::version::TLS13]
    } else {
        &[&rustls::version::TLS12]
    };
    let resolver = Arc::clone(&config.cert_resolver);
    config = rustls::ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    Pki {
        ca_pem: pki.ca_pem.clone(),
        server: Arc::new(config),
    }
}

#[tokio::test]
async fn mail_goes_only_over_a_session_that_its_level_allows() {
    use rustls::crypto::aws_lc_rs::kx_group;
    let pki = pki("relay.example");
    let wants = |groups: &[&str], tls13| SendMail {
        session: RelaySession {
            groups: groups.iter().map(|&group| group.to_owned()).collect(),
            tls13,
        },
        ..head()
    };
    let hybrid = wants(&["X25519MLKEM768"], true);
    let classical = wants(&["X25519MLKEM768", "X25519", "secp256r1"], true);
    let old = wants(&["X25519MLKEM768", "X25519", "secp256r1"], false);
    let nothing = wants(&[], false);
    let mail = Bytes::from_static(b"Subject: x\r\n\r\nx\r\n");
    for (group, tls13, allowed, barred) in [
        (
            kx_group::X25519,
            true,
            vec![&classical, &old],
            vec![&hybrid, &nothing],
        ),
        (kx_group::SECP256R1, true, vec![&classical], vec![&hybrid]),
        (
            kx_group::SECP256R1,
            false,
            vec![&old],
            vec![&classical, &hybrid],
        ),
        (
            kx_group::X25519MLKEM768,
            true,
            vec![&hybrid, &classical, &old],
            vec![&nothing],
        ),
    ] {
        let server = only(&pki, group, tls13);
        let (port, gate) = listener(&server).await;
        let sender = Sender::new(relay(port, pki.ca_pem.clone())).unwrap();
        for head in &barred {
            let sent = sender.send(head, mail.clone()).await;
            let MailSent::Permanent { reason } = &sent else {
                panic!("{group:?} {tls13}: {sent:?}")
            };
            assert!(
                reason.contains("message's level"),
                "{group:?} {tls13}: {reason}"
            );
        }
        assert!(gate.bodies().is_empty(), "not an octet");
        for head in &allowed {
            let sent = sender.send(head, mail.clone()).await;
            assert!(
                matches!(sent, MailSent::Accepted { .. }),
                "{group:?} {tls13}: {sent:?}"
            );
        }
        // A connection that was kept is looked at as well.
        for head in &barred {
            assert!(matches!(
                sender.send(head, mail.clone()).await,
                MailSent::Permanent { .. }
            ));
        }
    }
}
