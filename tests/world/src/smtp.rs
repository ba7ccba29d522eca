//! A partner's mail server that keeps its connection: SMTP with STARTTLS, one
//! mail after the other.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};

type Stream = StreamOwned<ClientConnection, TcpStream>;

/// The connection, inside TLS.
#[derive(Debug)]
pub struct Smtp {
    stream: BufReader<Stream>,
}

impl Smtp {
    /// Connects; the server must show a certificate of this authority for `name`.
    pub fn connect(door: SocketAddr, ca: &Path, name: &str) -> Self {
        let stream = TcpStream::connect(door).unwrap();
        stream.set_nodelay(true).unwrap();
        let wait = Some(Duration::from_secs(120));
        stream.set_read_timeout(wait).unwrap();
        let mut plain = BufReader::new(stream);
        expect(&mut plain, "220");
        for line in ["EHLO mail.partner.example", "STARTTLS"] {
            plain
                .get_mut()
                .write_all(format!("{line}\r\n").as_bytes())
                .unwrap();
            expect(&mut plain, "2");
        }
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(ca).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let tls = ClientConnection::new(Arc::new(config), name).unwrap();
        let stream = BufReader::new(StreamOwned::new(tls, plain.into_inner()));
        let mut smtp = Self { stream };
        smtp.say("EHLO mail.partner.example", "250");
        smtp
    }

    /// Gives a mail, which must be taken. No line of it may begin with a dot.
    pub fn send(&mut self, from: &str, to: &str, mail: &[u8]) {
        self.say(&format!("MAIL FROM:<{from}>"), "250");
        self.say(&format!("RCPT TO:<{to}>"), "250");
        self.say("DATA", "354");
        self.stream.get_mut().write_all(mail).unwrap();
        self.say(".", "250");
    }

    fn say(&mut self, line: &str, wanted: &str) {
        let stream = self.stream.get_mut();
        stream.write_all(format!("{line}\r\n").as_bytes()).unwrap();
        stream.flush().unwrap();
        expect(&mut self.stream, wanted);
    }
}

/// Reads an answer, which must begin so.
fn expect(stream: &mut BufReader<impl std::io::Read>, wanted: &str) {
    loop {
        let mut line = String::new();
        let _read = stream.read_line(&mut line).unwrap();
        assert!(line.starts_with(wanted), "{line:?} instead of {wanted}");
        if line.as_bytes().get(3) != Some(&b'-') {
            return;
        }
    }
}
