//! One connection: performs what the session asks for, keeps the clock.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use chancery_message::{Channel, Inbound, Operation, PeerEvidence, TransportEvidence};
use chancery_pipeline::ports::{BoxFuture, DoorRefusal, Gate, TooMany};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

use super::limits::Settings;
use super::reply;
use super::session::{Action, Message, Session, Stage};

/// A connection as the listener sees it.
pub trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for T {}

/// A boxed [`Stream`].
pub type BoxStream = Box<dyn Stream>;

/// Starts TLS on a connection; the door implements it.
pub trait Upgrade: Send + Sync {
    /// Does the server's side of the handshake. No plain byte may be read
    /// after it; an error ends the connection.
    fn upgrade(
        &self,
        stream: BoxStream,
    ) -> BoxFuture<'_, io::Result<(BoxStream, TransportEvidence)>>;
}

/// What all connections of one listener share.
pub struct Door {
    /// The listener.
    pub settings: Settings,
    /// The gateway.
    pub gate: Arc<dyn Gate>,
    /// STARTTLS; none where it is not offered (LMTP on a local socket).
    pub upgrade: Option<Arc<dyn Upgrade>>,
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// One connection.
#[derive(Debug)]
pub struct Connection {
    /// Its listener.
    pub door: Arc<Door>,
    /// Where it came from, for the record: `address:port`, or `local`.
    pub address: String,
    /// What the transport proved before the first byte; none for plain SMTP,
    /// which then must say STARTTLS.
    pub transport: Option<TransportEvidence>,
    /// Becomes true when the door closes: the peer is told between commands.
    pub shutdown: watch::Receiver<bool>,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By a reply: QUIT, or a refusal that closes.
    Closed,
    /// The peer went away.
    Gone,
    /// The peer was silent for too long.
    TimedOut,
    /// The TLS handshake failed.
    Handshake,
    /// The door is closing.
    Shutdown,
}

/// Largest amount read at once.
const READ: usize = 64 * 1024;

/// Serves one connection until it ends. A message counts as taken only when
/// its positive reply was written; what the gateway holds it holds even if the
/// peer is gone by then.
pub async fn serve_connection(stream: BoxStream, connection: Connection) -> Ended {
    let Connection {
        door,
        address,
        transport,
        mut shutdown,
    } = connection;
    let limits = door.settings.limits;
    let secured = matches!(
        transport,
        Some(TransportEvidence::MutualTls { .. } | TransportEvidence::ServerTls { .. })
    );
    let mut driver = Driver {
        stream,
        door: &door,
        address,
        transport,
        input: BytesMut::new(),
    };
    let mut session = Session::new(&door.settings, door.upgrade.is_some(), secured);
    let mut message_end: Option<Instant> = None;
    loop {
        while let Some(action) = session.advance(&mut driver.input) {
            driver.record(&mut session).await;
            if driver.flush(&mut session, limits.command).await.is_err() {
                return Ended::Gone;
            }
            match action {
                Action::Close => {
                    driver.close().await;
                    return Ended::Closed;
                }
                Action::Upgrade => match driver.upgrade(limits.handshake).await {
                    Some(upgraded) => {
                        driver = upgraded;
                        session.secured();
                    }
                    None => return Ended::Handshake,
                },
                Action::Submit(message) => {
                    if let Err(many) = driver.door.gate.admit(&driver.peer()) {
                        return driver.too_many(session, many).await;
                    }
                    let answer = driver.submit(*message, limits.submit).await;
                    session.answered(answer);
                }
            }
        }
        driver.record(&mut session).await;
        if driver.flush(&mut session, limits.command).await.is_err() {
            return Ended::Gone;
        }
        let now = Instant::now();
        let until = match session.stage() {
            Stage::Command => {
                message_end = None;
                now + limits.command
            }
            Stage::Data => {
                let end = *message_end.get_or_insert(now + limits.message);
                end.min(now + limits.data_block)
            }
        };
        let waits_for_command = session.stage() == Stage::Command;
        driver
            .input
            .reserve(READ.min(limits.message_bytes.max(4096)));
        let read = tokio::select! {
            biased;
            () = closing(&mut shutdown), if waits_for_command => {
                session.close_with(reply::SHUTDOWN);
                let _gone = driver.flush(&mut session, Duration::from_secs(5)).await;
                driver.close().await;
                return Ended::Shutdown;
            }
            read = timeout_at(until, driver.stream.read_buf(&mut driver.input)) => read,
        };
        match read {
            Ok(Ok(0) | Err(_)) => return Ended::Gone,
            Ok(Ok(_)) => {}
            Err(_) => {
                session.close_with(reply::TIMEOUT);
                let _gone = driver.flush(&mut session, Duration::from_secs(5)).await;
                driver.close().await;
                return Ended::TimedOut;
            }
        }
    }
}

/// Tells a peer with too many connections so, instead of a greeting.
pub async fn turn_away(mut stream: BoxStream) {
    let (code, text) = reply::TOO_MANY;
    let told = async {
        stream
            .write_all(format!("{code} {text}\r\n").as_bytes())
            .await?;
        stream.shutdown().await
    };
    // It may be gone already; nothing depends on it.
    let _gone = timeout(Duration::from_secs(5), told).await;
}

/// Ends when the door closes; never where nobody is left to close it.
async fn closing(shutdown: &mut watch::Receiver<bool>) {
    if shutdown.wait_for(|closing| *closing).await.is_err() {
        std::future::pending::<()>().await;
    }
}

struct Driver<'a> {
    stream: BoxStream,
    door: &'a Door,
    address: String,
    transport: Option<TransportEvidence>,
    input: BytesMut,
}

impl<'a> Driver<'a> {
    /// The peer as far as the transport proved it; without TLS it proved nothing.
    fn peer(&self) -> PeerEvidence {
        PeerEvidence {
            channel: Channel::Mail,
            transport: self.transport.clone().unwrap_or(TransportEvidence::Local),
            address: self.address.clone(),
        }
    }

    async fn record(&self, session: &mut Session<'_>) {
        for reason in session.take_refusals() {
            let refusal = DoorRefusal {
                peer: self.peer(),
                reason: reason.to_owned(),
            };
            self.door.gate.refused(refusal).await;
        }
    }

    /// Says that the peer asks for too much, and closes.
    async fn too_many(mut self, mut session: Session<'_>, many: TooMany) -> Ended {
        if many.first {
            let refusal = DoorRefusal {
                peer: self.peer(),
                reason: "too-many-requests".to_owned(),
            };
            self.door.gate.refused(refusal).await;
        }
        session.close_with(reply::TOO_MANY);
        let _gone = self.flush(&mut session, Duration::from_secs(5)).await;
        self.close().await;
        Ended::Closed
    }

    async fn flush(&mut self, session: &mut Session<'_>, within: Duration) -> io::Result<()> {
        let output = session.take_output();
        if output.is_empty() {
            return Ok(());
        }
        let write = async {
            self.stream.write_all(&output).await?;
            self.stream.flush().await
        };
        timeout(within, write)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    async fn upgrade(self, within: Duration) -> Option<Self> {
        let upgrade = self.door.upgrade.as_ref()?;
        let (stream, evidence) = timeout(within, upgrade.upgrade(self.stream))
            .await
            .ok()?
            .ok()?;
        Some(Driver {
            stream,
            transport: Some(evidence),
            input: BytesMut::new(),
            ..self
        })
    }

    async fn submit(
        &self,
        message: Message,
        within: Duration,
    ) -> Option<Result<chancery_pipeline::ports::Reply, chancery_pipeline::ports::GateError>> {
        let inbound = Inbound {
            peer: self.peer(),
            operation: Operation::Send,
            idempotency_key: None,
            envelope_to: message.to,
            envelope_from: message.from,
        };
        timeout(within, self.door.gate.submit(inbound, message.bytes))
            .await
            .ok()
    }

    async fn close(mut self) {
        // The peer may be gone already; nothing depends on it.
        let _gone = timeout(Duration::from_secs(5), self.stream.shutdown()).await;
    }
}
