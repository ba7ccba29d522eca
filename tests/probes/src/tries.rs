//! What would be tried on the machine. Each of these can be done by the same
//! user outside the sandbox: the test does them, so that a denial says something.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use chancery_settings::{Place, Settings};
use cryptoki::context::Pkcs11;
use cryptoki::error::Error;

/// Tries that concern the network alone.
pub const NETWORK: [&str; 3] = ["connect", "listen", "datagram"];

/// Everything, one after the other.
#[must_use]
pub fn all(settings: &Settings) -> Vec<(&'static str, io::Result<()>)> {
    let database = match settings.database.place() {
        Ok(Place::Sqlite(file)) => file,
        Ok(Place::Postgres { folder, .. }) => folder,
        Err(_) => PathBuf::new(),
    };
    let token = &settings.custodian.token;
    let store = token.store.clone().unwrap_or_default();
    let pin = match &settings.custodian.pin {
        chancery_settings::PinSource::File(file) => file.clone(),
        chancery_settings::PinSource::Credential(_) => PathBuf::new(),
    };
    let port = settings.doors.rest.as_ref().map(|door| door.listen);
    vec![
        ("read-database", File::open(&database).map(drop)),
        (
            "write-database",
            OpenOptions::new().write(true).open(&database).map(drop),
        ),
        ("list-data", fs::read_dir(&settings.node.data).map(drop)),
        ("load-module", load(&token.module)),
        ("list-token", fs::read_dir(&store).map(drop)),
        ("read-pin", fs::read(&pin).map(drop)),
        ("run-program", run()),
        (
            "officers-socket",
            UnixStream::connect(settings.node.run.join("admin.sock")).map(drop),
        ),
        ("connect", connect(port)),
        ("listen", TcpListener::bind("127.0.0.1:0").map(drop)),
        ("datagram", UdpSocket::bind("127.0.0.1:0").map(drop)),
    ]
}

/// Loads the PKCS#11 module into this process.
fn load(module: &PathBuf) -> io::Result<()> {
    match Pkcs11::new(module) {
        Ok(_) => Ok(()),
        // Loaded; what it lacks was found later.
        Err(Error::MissingSymbol(_)) => Ok(()),
        Err(error) => Err(io::Error::other(error.to_string())),
    }
}

fn run() -> io::Result<()> {
    Command::new("/bin/true")
        .stdin(Stdio::null())
        .status()
        .map(drop)
}

fn connect(port: Option<SocketAddr>) -> io::Result<()> {
    let port = port.ok_or_else(|| io::Error::other("there is no port to connect to"))?;
    match TcpStream::connect_timeout(&port, Duration::from_secs(5)) {
        // Nobody listens yet, but the network was reached.
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        other => other.map(drop),
    }
}
