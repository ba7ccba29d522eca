//! What was agreed on with the relay. lettre does not tell; but it takes the
//! process's cryptography, and there each key exchange is seen when it is
//! completed, by the task that does the handshake.

use std::cell::Cell;
use std::sync::Once;

use rustls::crypto::{
    ActiveKeyExchange, CryptoProvider, SharedSecret, SupportedKxGroup, aws_lc_rs,
};
use rustls::{Error, NamedGroup, ProtocolVersion, SupportedProtocolVersion};

/// A TLS session with the relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Agreed {
    pub(super) group: NamedGroup,
    pub(super) tls13: bool,
}

impl Agreed {
    /// The group as the cryptographic policy names it.
    pub(super) fn group(self) -> String {
        format!("{:?}", self.group)
    }
}

tokio::task_local! {
    static SEEN: Cell<Option<Agreed>>;
}

static INSTALL: Once = Once::new();

/// Hybrids first, as at the doors.
pub(super) fn install() {
    INSTALL.call_once(|| {
        let groups = [
            aws_lc_rs::kx_group::X25519MLKEM768,
            aws_lc_rs::kx_group::SECP256R1MLKEM768,
            aws_lc_rs::kx_group::X25519,
            aws_lc_rs::kx_group::SECP256R1,
            aws_lc_rs::kx_group::SECP384R1,
        ];
        // Where another came first nothing is seen, and nothing that needs a
        // certain session is sent.
        let _first = CryptoProvider {
            kx_groups: groups
                .into_iter()
                // Once in a process, for as long as it lives.
                .map(|group| &*Box::leak(Box::new(Watched(group))) as &dyn SupportedKxGroup)
                .collect(),
            ..aws_lc_rs::default_provider()
        }
        .install_default();
    });
}

/// Does a handshake, and says what was agreed on in it.
pub(super) async fn watch<T>(handshake: impl Future<Output = T>) -> (T, Option<Agreed>) {
    SEEN.scope(Cell::new(None), async {
        let done = handshake.await;
        (done, SEEN.with(Cell::get))
    })
    .await
}

fn saw(group: NamedGroup, tls13: bool) {
    // Outside of a watched handshake nobody asks.
    let _nobody = SEEN.try_with(|seen| seen.set(Some(Agreed { group, tls13 })));
}

#[derive(Debug)]
struct Watched(&'static dyn SupportedKxGroup);

impl SupportedKxGroup for Watched {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        Ok(Box::new(Started(self.0.start()?)))
    }

    fn name(&self) -> NamedGroup {
        self.0.name()
    }

    fn fips(&self) -> bool {
        self.0.fips()
    }

    fn usable_for_version(&self, version: ProtocolVersion) -> bool {
        self.0.usable_for_version(version)
    }
}

struct Started(Box<dyn ActiveKeyExchange>);

impl ActiveKeyExchange for Started {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        let group = self.0.group();
        let secret = self.0.complete(peer)?;
        saw(group, true);
        Ok(secret)
    }

    fn complete_for_tls_version(
        self: Box<Self>,
        peer: &[u8],
        version: &SupportedProtocolVersion,
    ) -> Result<SharedSecret, Error> {
        let group = self.0.group();
        let secret = self.0.complete_for_tls_version(peer, version)?;
        saw(group, version.version == ProtocolVersion::TLSv1_3);
        Ok(secret)
    }

    fn hybrid_component(&self) -> Option<(NamedGroup, &[u8])> {
        self.0.hybrid_component()
    }

    fn complete_hybrid_component(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        let group = self
            .0
            .hybrid_component()
            .map_or_else(|| self.0.group(), |(group, _)| group);
        let secret = self.0.complete_hybrid_component(peer)?;
        saw(group, true);
        Ok(secret)
    }

    fn pub_key(&self) -> &[u8] {
        self.0.pub_key()
    }

    fn group(&self) -> NamedGroup {
        self.0.group()
    }
}
