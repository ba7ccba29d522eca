//! The role table: who may ask what. What is not named here is refused.

use std::fmt;

use chancery_hsm_api::{DoorZone, KeyRole};
use serde::{Deserialize, Serialize};

use crate::Request;

/// Who asks, as its socket proves it; never what it says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Client {
    /// `chancery-core`.
    Core,
    /// `chancery-door` of a zone.
    Door(DoorZone),
    /// `chancery-reader` of a zone.
    Reader(DoorZone),
    /// An officer's command, by way of the supervisor.
    Admin,
}

impl Client {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Core,
        Self::Door(DoorZone::Mail),
        Self::Door(DoorZone::Siena),
        Self::Door(DoorZone::Rest),
        Self::Reader(DoorZone::Mail),
        Self::Reader(DoorZone::Siena),
        Self::Reader(DoorZone::Rest),
        Self::Admin,
    ];
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Core => f.write_str("core"),
            Self::Door(zone) => write!(f, "door/{zone}"),
            Self::Reader(zone) => write!(f, "reader/{zone}"),
            Self::Admin => f.write_str("admin"),
        }
    }
}

/// True if that client may ask that.
#[must_use]
pub fn may(client: Client, request: &Request) -> bool {
    match request {
        // Content keys, digests, the log and outgoing mail are core's.
        Request::NewContentKey(_)
        | Request::UnwrapKey(_)
        | Request::RewrapKey { .. }
        | Request::Mac { .. }
        | Request::Random(_)
        | Request::LastCheckpoint(_)
        | Request::SignCheckpoint(_)
        | Request::PgpSign(_)
        | Request::Blobs { .. } => client == Client::Core,
        // Incoming mail is opened where it is read.
        Request::PgpAgree(_) => client == Client::Reader(DoorZone::Mail),
        // A door speaks TLS with its own certificate alone.
        Request::TlsSign { zone, .. } => client == Client::Door(*zone),
        Request::PublicKey(role) => match client {
            // A secret key has none: whoever asks for it wants something else.
            Client::Core => role.is_key_pair(),
            // Public parts leave by a ceremony alone.
            Client::Admin => false,
            Client::Door(zone) => *role == KeyRole::Tls(zone),
            Client::Reader(DoorZone::Mail) => *role == KeyRole::PgpDecrypt,
            Client::Reader(DoorZone::Siena | DoorZone::Rest) => false,
        },
        Request::Keys => client == Client::Core,
        Request::Status | Request::LogHead | Request::Cards | Request::Capabilities => {
            matches!(client, Client::Core | Client::Admin)
        }
        // What it carries is proven by the custodians' own signatures.
        Request::Roster | Request::Perform(_) => client == Client::Admin,
    }
}
