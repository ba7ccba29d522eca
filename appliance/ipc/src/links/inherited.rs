//! Sockets from systemd: those to serve are inherited, those to ask are
//! connected by path, readiness is told to `NOTIFY_SOCKET`.

use std::collections::HashMap;
use std::env;
use std::fs::Permissions;
use std::io;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::path::Path;
use std::time::Duration;

use listenfd::ListenFd;
use tokio::net::UnixStream;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Command, LinksError, Tag};

/// Between two tries.
pub(super) const PAUSE: Duration = Duration::from_millis(200);

const AF_INET6: i32 = 10;
const SOCK_STREAM: i32 = 1;

/// A socket to serve, and the uid of who alone may connect to it.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) listener: UnixListener,
    pub(super) uid: Option<u32>,
}

/// What systemd handed over.
pub(super) struct Inherited {
    pub(super) listeners: HashMap<Tag, Listener>,
    pub(super) ports: HashMap<String, TcpListener>,
    pub(super) notify: Option<Notify>,
}

/// Takes the inherited sockets; `None` when systemd did not start this process.
pub(super) fn take() -> Result<Option<Inherited>, LinksError> {
    let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
    let notify = Notify::from_env()?;
    let mut sockets = ListenFd::from_env();
    if sockets.len() == 0 && notify.is_none() {
        return Ok(None);
    }
    let mut inherited = Inherited {
        listeners: HashMap::new(),
        ports: HashMap::new(),
        notify,
    };
    let mut names = names.split(':');
    for index in 0..sockets.len() {
        let name = names.next().ok_or(LinksError::Name)?;
        if let Ok(Some(listener)) = sockets.take_unix_listener(index) {
            let tag = Tag::new(name).map_err(|_| LinksError::Name)?;
            let uid = uid_of_client(&tag)?;
            inherited.listeners.insert(tag, Listener { listener, uid });
            continue;
        }
        let port = match sockets.take_tcp_listener(index) {
            Ok(port) => port,
            Err(_) => sockets.take_custom(index, AF_INET6, SOCK_STREAM, "TCP socket")?,
        };
        if let Some(port) = port {
            inherited.ports.insert(name.to_owned(), port);
        }
    }
    Ok(Some(inherited))
}

/// A socket at `path` that its owner alone may use. What a process before this
/// one left there is replaced.
pub(super) fn bind(path: &Path) -> io::Result<Listener> {
    match std::fs::symlink_metadata(path) {
        Ok(there) if there.file_type().is_socket() => std::fs::remove_file(path)?,
        Ok(_) => {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "something that is not a socket is where the socket belongs: remove it",
            ));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(Listener {
        listener,
        uid: Some(rustix::process::geteuid().as_raw()),
    })
}

/// Connects by path; tries again while the server is not there.
pub(super) async fn connect(path: &Path) -> io::Result<UnixStream> {
    loop {
        match UnixStream::connect(path).await {
            Ok(stream) => return Ok(stream),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(error),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// The signals that are orders. Kept between two orders, so that none is lost
/// while the first is carried out.
#[derive(Debug)]
pub(super) struct Signals {
    term: Signal,
    int: Signal,
    hup: Signal,
}

// === impl Signals ===

impl Signals {
    /// Takes the signals over; until then they end the process themselves.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            hup: signal(SignalKind::hangup())?,
        })
    }

    pub(super) async fn next(&mut self) -> Command {
        tokio::select! {
            _ = self.term.recv() => Command::Stop,
            _ = self.int.recv() => Command::Stop,
            _ = self.hup.recv() => Command::Reload,
        }
    }
}

/// The uid that may use a link that is served by path: that of the user
/// `chancery-CLIENT`, for a link `SERVER.CLIENT` or `SERVER.CLIENT.ROLE` whose
/// client is a process of the node. `None` where the socket's group alone decides.
fn uid_of_client(tag: &Tag) -> Result<Option<u32>, LinksError> {
    let client = tag.as_str().split('.').nth(1).unwrap_or_default();
    let ours = client == "core" || client.starts_with("door-") || client.starts_with("reader-");
    if !ours {
        return Ok(None);
    }
    let user = format!("chancery-{client}");
    let users = std::fs::read_to_string("/etc/passwd")?;
    let uid = uid_in(&users, &user).ok_or(LinksError::User(user))?;
    Ok(Some(uid))
}

fn uid_in(users: &str, user: &str) -> Option<u32> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(user))
            .then(|| fields.nth(1)?.parse().ok())
            .flatten()
    })
}

/// Where to say that the daemon is ready. Opened before the sandbox, which may
/// forbid to make sockets.
#[derive(Debug)]
pub(super) struct Notify(UnixDatagram);

// === impl Notify ===

impl Notify {
    fn from_env() -> io::Result<Option<Self>> {
        let Some(path) = env::var_os("NOTIFY_SOCKET") else {
            return Ok(None);
        };
        let address = match path.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            _ => SocketAddr::from_pathname(&path)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&address)?;
        Ok(Some(Self(socket)))
    }

    pub(super) fn ready(&self) -> io::Result<()> {
        self.0.send(b"READY=1").map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_their_whole_name() {
        let users = "root:x:0:0::/root:/bin/sh\nchancery-core:x:401:401::/:/bin/false\n\
                     chancery-core2:x:402:402::/:/bin/false\nbroken\nchancery-x:x:y:1::\n";
        assert_eq!(uid_in(users, "chancery-core"), Some(401));
        assert_eq!(uid_in(users, "chancery-core2"), Some(402));
        assert_eq!(uid_in(users, "chancery"), None);
        assert_eq!(uid_in(users, "chancery-x"), None);
        assert_eq!(uid_in(users, "broken"), None);
    }

    #[test]
    fn a_process_of_the_node_needs_its_user() {
        let known = |tag| uid_of_client(&Tag::fixed(tag));
        assert!(matches!(known("core.admin"), Ok(None)));
        let missing = known("custodian.door-nowhere");
        assert!(matches!(missing, Err(LinksError::User(user)) if user == "chancery-door-nowhere"));
    }
}
