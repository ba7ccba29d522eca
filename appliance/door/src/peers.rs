//! How much one peer may have of a door: connections at one time, requests in
//! a minute. A peer is its certificate; by mail, where none is asked for, its
//! address (of IPv6 the /64 that one host commonly has).

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use chancery_message::{Inbound, PeerEvidence, TransportEvidence};
use chancery_pipeline::ports::{
    Ask, BoxFuture, Chunks, DoorRefusal, Gate, GateError, Reply, TooMany,
};

use crate::gate::DoorGate;

const MINUTE: Duration = Duration::from_secs(60);
/// Peers that are remembered before those that are gone are looked for.
const REMEMBERED: usize = 1024;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Who {
    Certificate([u8; 32]),
    Address(IpAddr),
}

impl Who {
    /// None for a mail server of the same machine: it speaks for many.
    fn of(peer: &PeerEvidence) -> Option<Self> {
        match &peer.transport {
            TransportEvidence::MutualTls { certificate, .. } => {
                Some(Self::Certificate(certificate.fingerprint))
            }
            TransportEvidence::ServerTls { .. } | TransportEvidence::Local => {
                Self::at(&peer.address)
            }
        }
    }

    fn at(address: &str) -> Option<Self> {
        let ip = address.parse::<SocketAddr>().ok()?.ip().to_canonical();
        Some(Self::Address(match ip {
            IpAddr::V4(_) => ip,
            IpAddr::V6(six) => {
                let net = u128::from(six) & !u128::from(u64::MAX);
                IpAddr::V6(net.into())
            }
        }))
    }
}

#[derive(Debug)]
struct Account {
    connections: u32,
    since: Instant,
    requests: u32,
    told: bool,
}

/// The accounts of a door's peers.
#[derive(Debug)]
pub(crate) struct Peers {
    connections: u32,
    requests: u32,
    accounts: Mutex<HashMap<Who, Account>>,
}

/// A connection that is counted until this is dropped.
#[derive(Debug)]
pub(crate) struct Counted {
    peers: Arc<Peers>,
    who: Option<Who>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(who) = &self.who {
            self.peers.account(who, Instant::now(), |account| {
                account.connections = account.connections.saturating_sub(1);
            });
        }
    }
}

impl Peers {
    /// At most so many connections of one peer, and requests in a minute.
    pub(crate) fn new(connections: u32, requests: u32) -> Self {
        Self {
            connections,
            requests,
            accounts: Mutex::default(),
        }
    }

    fn account<T>(&self, who: &Who, now: Instant, then: impl FnOnce(&mut Account) -> T) -> T {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if accounts.len() >= REMEMBERED && !accounts.contains_key(who) {
            accounts.retain(|_, one| {
                one.connections > 0 || now.saturating_duration_since(one.since) < MINUTE
            });
        }
        then(accounts.entry(who.clone()).or_insert(Account {
            connections: 0,
            since: now,
            requests: 0,
            told: false,
        }))
    }

    /// Counts a connection of a proven peer; none where it has too many.
    pub(crate) fn connect(self: &Arc<Self>, peer: &PeerEvidence) -> Option<Counted> {
        self.count(Who::of(peer))
    }

    /// Counts a connection from an address (`address:port`).
    pub(crate) fn connect_from(self: &Arc<Self>, address: &str) -> Option<Counted> {
        self.count(Who::at(address))
    }

    fn count(self: &Arc<Self>, who: Option<Who>) -> Option<Counted> {
        let counted = who.as_ref().is_none_or(|who| {
            self.account(who, Instant::now(), |account| {
                let free = account.connections < self.connections;
                if free {
                    account.connections += 1;
                }
                free
            })
        });
        counted.then(|| Counted {
            peers: Arc::clone(self),
            who,
        })
    }

    /// Counts a request.
    pub(crate) fn admit(&self, peer: &PeerEvidence, now: Instant) -> Result<(), TooMany> {
        let Some(who) = Who::of(peer) else {
            return Ok(());
        };
        self.account(&who, now, |account| {
            let gone = now.saturating_duration_since(account.since);
            if gone >= MINUTE {
                (account.since, account.requests, account.told) = (now, 0, false);
            }
            if account.requests < self.requests {
                account.requests += 1;
                return Ok(());
            }
            Err(TooMany {
                retry_after: (MINUTE.saturating_sub(gone).as_secs() + 1).min(60),
                first: !std::mem::replace(&mut account.told, true),
            })
        })
    }

    /// What a peer with too many connections is told; recorded once a minute.
    pub(crate) fn crowded(&self, peer: &PeerEvidence, now: Instant) -> TooMany {
        let first = Who::of(peer).is_some_and(|who| {
            self.account(&who, now, |account| {
                if now.saturating_duration_since(account.since) >= MINUTE {
                    (account.since, account.requests, account.told) = (now, 0, false);
                }
                !std::mem::replace(&mut account.told, true)
            })
        });
        TooMany {
            retry_after: 5,
            first,
        }
    }
}

/// The gate as a peer with too many connections sees it: every request is refused.
pub(crate) struct Crowded {
    pub(crate) gate: Arc<DoorGate>,
    pub(crate) peers: Arc<Peers>,
}

impl Gate for Crowded {
    fn submit(&self, _: Inbound, _: Bytes) -> BoxFuture<'_, Result<Reply, GateError>> {
        Box::pin(async { Err(GateError::Busy) })
    }

    fn upload<'a>(
        &'a self,
        _: PeerEvidence,
        _: String,
        _: Option<u64>,
        _: &'a mut dyn Chunks,
    ) -> BoxFuture<'a, Result<Reply, GateError>> {
        Box::pin(async { Err(GateError::Busy) })
    }

    fn ask(&self, _: PeerEvidence, _: Ask) -> BoxFuture<'_, Result<Reply, GateError>> {
        Box::pin(async { Err(GateError::Busy) })
    }

    fn admit(&self, peer: &PeerEvidence) -> Result<(), TooMany> {
        Err(self.peers.crowded(peer, Instant::now()))
    }

    fn refused(&self, refusal: DoorRefusal) -> BoxFuture<'_, ()> {
        self.gate.refused(refusal)
    }
}

#[cfg(test)]
mod tests {
    use chancery_message::{CertificateEvidence, Channel, Timestamp};

    use super::*;

    fn peer(certificate: u8) -> PeerEvidence {
        PeerEvidence {
            channel: Channel::Rest,
            transport: TransportEvidence::MutualTls {
                certificate: CertificateEvidence {
                    fingerprint: [certificate; 32],
                    spki: [0; 32],
                    not_after: Timestamp::from_micros(0),
                    key: "ecdsa_secp256r1_sha256".to_owned(),
                },
                group: String::new(),
            },
            address: "192.0.2.1:1".to_owned(),
        }
    }

    #[test]
    fn requests_are_bounded_by_the_minute_for_each_certificate() {
        let peers = Peers::new(9, 3);
        let start = Instant::now();
        for _ in 0..3 {
            assert_eq!(peers.admit(&peer(1), start), Ok(()));
        }
        let later = start + Duration::from_secs(20);
        let refused = |first| {
            Err(TooMany {
                retry_after: 41,
                first,
            })
        };
        assert_eq!(peers.admit(&peer(1), later), refused(true));
        assert_eq!(
            peers.admit(&peer(1), later),
            refused(false),
            "recorded once"
        );
        assert_eq!(peers.admit(&peer(2), later), Ok(()), "another certificate");
        assert_eq!(peers.admit(&peer(1), start + MINUTE), Ok(()));
    }

    #[test]
    fn connections_are_bounded_until_they_end() {
        let peers = Arc::new(Peers::new(2, 9));
        let (one, _two) = (peers.connect(&peer(1)), peers.connect(&peer(1)));
        assert!(one.is_some());
        assert!(peers.connect(&peer(1)).is_none());
        assert!(peers.connect(&peer(2)).is_some(), "another certificate");
        drop(one);
        assert!(peers.connect(&peer(1)).is_some());
    }

    #[test]
    fn addresses_are_counted_by_host_and_local_mail_is_not() {
        let peers = Arc::new(Peers::new(1, 1));
        let held = [
            peers.connect_from("192.0.2.1:1000"),
            peers.connect_from("[2001:db8::1]:1000"),
        ];
        assert!(held.iter().all(Option::is_some));
        assert!(peers.connect_from("192.0.2.1:2000").is_none());
        assert!(peers.connect_from("[::ffff:192.0.2.1]:2000").is_none());
        assert!(peers.connect_from("[2001:db8::2]:1000").is_none());
        assert!(peers.connect_from("[2001:db8:0:1::2]:1000").is_some());
        let local: Vec<_> = (0..3).map(|_| peers.connect_from("local")).collect();
        assert!(local.iter().all(Option::is_some));
    }
}
