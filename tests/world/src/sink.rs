//! The far end of a partner's mail: a small SMTP receiver that takes mail only
//! after STARTTLS, and keeps it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;

use crate::certificate::Own;

/// A mail that came.
#[derive(Clone, Debug)]
pub struct Mail {
    /// The envelope's sender.
    pub from: String,
    /// The envelope's recipient.
    pub to: String,
    /// The mail.
    pub data: Vec<u8>,
    /// When all of it was there.
    pub at: Instant,
}

/// The receiver.
#[derive(Debug)]
pub struct Sink {
    address: SocketAddr,
    folder: TempDir,
    kept: Arc<Kept>,
    stop: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct Kept {
    mails: Mutex<Vec<Mail>>,
    news: Condvar,
}

impl Sink {
    /// Listens on a port of its own, with a certificate for `localhost` and
    /// 127.0.0.1 that is its own authority.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Another user may have to read it.
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder.path(), open).unwrap();
        let own = Own::new();
        let _ca = own.write(folder.path());
        let (chain, key) = own.der();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let sink = Self {
            address: listener.local_addr().unwrap(),
            folder,
            kept: Arc::default(),
            stop: Arc::default(),
        };
        let (kept, stop) = (Arc::clone(&sink.kept), Arc::clone(&sink.stop));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if stop.load(Ordering::Acquire) {
                    return;
                }
                let (config, kept) = (Arc::clone(&config), Arc::clone(&kept));
                // A peer that goes away in the middle is no matter.
                std::thread::spawn(move || serve(stream, config, &kept).ok());
            }
        });
        sink
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The authority of its certificate, PEM.
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// All mails so far.
    pub fn mails(&self) -> Vec<Mail> {
        self.kept.mails.lock().unwrap().clone()
    }

    /// The mails, when there are so many.
    pub fn wait(&self, count: usize) -> Vec<Mail> {
        let until = Instant::now() + Duration::from_secs(120);
        let mut mails = self.kept.mails.lock().unwrap();
        while mails.len() < count {
            let left = until.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "{} mails instead of {count} came",
                mails.len()
            );
            mails = self.kept.news.wait_timeout(mails, left).unwrap().0;
        }
        mails.clone()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // The listener looks once more, and ends.
        drop(TcpStream::connect(self.address));
    }
}

/// Speaks SMTP until STARTTLS, and then once more inside.
fn serve(stream: TcpStream, config: Arc<ServerConfig>, kept: &Kept) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(120)))?;
    let mut plain = BufReader::new(stream);
    say(&mut plain, "220 partner.example")?;
    loop {
        let line = read_line(&mut plain)?;
        match word(&line).as_str() {
            "EHLO" => say(&mut plain, "250-partner.example\r\n250 STARTTLS")?,
            "STARTTLS" => break say(&mut plain, "220 go on")?,
            "QUIT" => return say(&mut plain, "221 bye"),
            _ => say(&mut plain, "530 5.7.0 STARTTLS first")?,
        }
    }
    // What was sent before the handshake is not taken as said inside.
    assert!(plain.buffer().is_empty(), "something came before TLS");
    let tls = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut inside = BufReader::new(StreamOwned::new(tls, plain.into_inner()));
    let (mut from, mut to) = (String::new(), String::new());
    loop {
        let line = read_line(&mut inside)?;
        match word(&line).as_str() {
            "EHLO" => say(
                &mut inside,
                "250-partner.example\r\n250-8BITMIME\r\n250 SIZE 100000000",
            )?,
            "MAIL" => {
                from = path(&line);
                say(&mut inside, "250 2.1.0 ok")?;
            }
            "RCPT" => {
                to = path(&line);
                say(&mut inside, "250 2.1.5 ok")?;
            }
            "DATA" => {
                say(&mut inside, "354 go on")?;
                let data = read_data(&mut inside)?;
                kept.mails.lock().unwrap().push(Mail {
                    from: std::mem::take(&mut from),
                    to: std::mem::take(&mut to),
                    data,
                    at: Instant::now(),
                });
                kept.news.notify_all();
                say(&mut inside, "250 2.0.0 taken")?;
            }
            "RSET" | "NOOP" => say(&mut inside, "250 2.0.0 ok")?,
            "QUIT" => return say(&mut inside, "221 bye"),
            _ => say(&mut inside, "500 5.5.1 what")?,
        }
    }
}

fn say<S: Read + Write>(stream: &mut BufReader<S>, line: &str) -> std::io::Result<()> {
    let stream = stream.get_mut();
    stream.write_all(format!("{line}\r\n").as_bytes())?;
    stream.flush()
}

fn read_line(from: &mut impl BufRead) -> std::io::Result<String> {
    let mut line = String::new();
    if from.read_line(&mut line)? == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}

fn read_data(from: &mut impl BufRead) -> std::io::Result<Vec<u8>> {
    let mut data = Vec::new();
    loop {
        let mut line = Vec::new();
        if from.read_until(b'\n', &mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if line == b".\r\n" {
            return Ok(data);
        }
        data.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
    }
}

fn word(line: &str) -> String {
    let end = line.find(' ').unwrap_or(line.len());
    line[..end].to_ascii_uppercase()
}

fn path(line: &str) -> String {
    let begin = line.find('<').map_or(0, |at| at + 1);
    let end = line.find('>').unwrap_or(line.len());
    line[begin..end].to_owned()
}
