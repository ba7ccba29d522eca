//! Keys in memory, for tests of the protocol alone.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "each test file uses its part, and a test may end where it fails"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use chancery_hsm_api::{
    Capability, CheckpointRequest, ContentKey, ContentKeys, DoorZone, Inventory, KekId, KeyError,
    KeyErrorKind, KeyInfo, KeyLife, KeyRole, MacUse, Macs, NoteSigning, PgpDecryption, PgpSigning,
    PublicKeys, Randomness, SharedSecret, TlsSigning, TokenHealth, WrapScheme, WrappedKey,
};
use chancery_hsm_custodian::{Book, ChainLog, Limits, Recorder, Server};
use hmac::{Hmac, Mac as _};
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use p256::ecdsa::{Signature, SigningKey};
use sha2::Sha256;

/// The origin of the log in these tests.
pub(crate) const ORIGIN: &str = "chancery/test";

#[derive(Clone, Debug, Default)]
pub(crate) struct SoftKeys {
    /// Answers every signature with another one.
    pub(crate) lying: bool,
    /// What outlives a restart of the custodian.
    pub(crate) token: Arc<Mutex<SoftToken>>,
}

/// The first generation of everything is there.
#[derive(Debug, Default)]
pub(crate) struct SoftToken {
    /// After so many more effects everything fails, as after a kill.
    pub(crate) fuse: Fuse,
    pub(crate) later: BTreeSet<(KeyRole, u32)>,
    pub(crate) gone: BTreeSet<(KeyRole, u32)>,
    pub(crate) chosen: BTreeMap<KeyRole, u32>,
}

/// How many durable effects are left before the process is dead; none: it lives.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fuse(pub(crate) Arc<Mutex<Option<u32>>>);

impl Fuse {
    pub(crate) fn burn(&self) -> bool {
        let mut left = self.0.lock().unwrap();
        match left.as_mut() {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }

    fn spend(&self) -> Result<(), KeyError> {
        if self.burn() {
            return Ok(());
        }
        let what = "use the token";
        Err(KeyError::new(KeyErrorKind::DeviceLost, what, "killed"))
    }
}

impl SoftKeys {
    fn chosen(&self, role: &KeyRole) -> u32 {
        *self.token.lock().unwrap().chosen.get(role).unwrap_or(&1)
    }

    pub(crate) fn has(&self, role: &KeyRole, generation: u32) -> bool {
        let token = self.token.lock().unwrap();
        let place = (role.clone(), generation);
        (generation == 1 || token.later.contains(&place)) && !token.gone.contains(&place)
    }

    fn need(&self, role: &KeyRole, generation: u32) -> Result<(), KeyError> {
        if self.has(role, generation) {
            return Ok(());
        }
        let detail = format!("no generation {generation} of {role}");
        Err(KeyError::new(KeyErrorKind::Unknown, "use a key", detail))
    }
}

impl KeyLife for SoftKeys {
    fn make_key(&self, role: &KeyRole, generation: u32) -> Result<KeyInfo, KeyError> {
        let fuse = self.token.lock().unwrap().fuse.clone();
        fuse.spend()?;
        let mut token = self.token.lock().unwrap();
        token.gone.remove(&(role.clone(), generation));
        token.later.insert((role.clone(), generation));
        Ok(KeyInfo {
            role: role.clone(),
            generation,
            public: None,
        })
    }

    fn destroy_key(&self, role: &KeyRole, generation: u32) -> Result<(), KeyError> {
        let fuse = self.token.lock().unwrap().fuse.clone();
        fuse.spend()?;
        let mut token = self.token.lock().unwrap();
        token.later.remove(&(role.clone(), generation));
        token.gone.insert((role.clone(), generation));
        Ok(())
    }

    fn use_generation(&self, role: &KeyRole, generation: u32) {
        let mut token = self.token.lock().unwrap();
        token.chosen.insert(role.clone(), generation);
    }
}

pub(crate) fn secret(role: &KeyRole) -> SigningKey {
    SigningKey::from_slice(&hmac(b"secret", role.to_string().as_bytes())).unwrap()
}

fn hmac(key: &[u8], data: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(data);
    mac.finalize().into_bytes().into()
}

fn xored(a: &[u8], b: [u8; 32]) -> [u8; 32] {
    let mut out = b;
    for (out, a) in out.iter_mut().zip(a) {
        *out ^= a;
    }
    out
}

impl SoftKeys {
    fn wrap(&self, key: &ContentKey, kek: &KekId) -> WrappedKey {
        let generation = self.chosen(&KeyRole::Kek(kek.clone()));
        let name = format!("{kek}#{generation}");
        let mut blob = xored(key.expose(), hmac(name.as_bytes(), b"pad")).to_vec();
        blob.extend_from_slice(&hmac(name.as_bytes(), &blob)[..8]);
        WrappedKey {
            kek: kek.clone(),
            generation,
            scheme: WrapScheme::AesKw,
            blob,
        }
    }

    fn sign(&self, role: &KeyRole, digest: &[u8]) -> [u8; 64] {
        let mut digest = digest[..32].to_vec();
        if self.lying {
            digest[0] ^= 1;
        }
        let signature: Signature = secret(role).sign_prehash(&digest).unwrap();
        signature.to_bytes().into()
    }
}

impl ContentKeys for SoftKeys {
    fn new_content_key(&self, kek: &KekId) -> Result<(ContentKey, WrappedKey), KeyError> {
        let key = ContentKey::new([7; 32]);
        let wrapped = self.wrap(&key, kek);
        Ok((key, wrapped))
    }

    fn unwrap_key(&self, wrapped: &WrappedKey) -> Result<ContentKey, KeyError> {
        self.need(&KeyRole::Kek(wrapped.kek.clone()), wrapped.generation)?;
        let name = format!("{}#{}", wrapped.kek, wrapped.generation);
        if wrapped.blob.len() != 40
            || wrapped.blob[32..] != hmac(name.as_bytes(), &wrapped.blob[..32])[..8]
        {
            return Err(KeyError::new(
                KeyErrorKind::Data,
                "unwrap a content key",
                "changed",
            ));
        }
        Ok(ContentKey::new(xored(
            &wrapped.blob[..32],
            hmac(name.as_bytes(), b"pad"),
        )))
    }

    fn rewrap_key(&self, wrapped: &WrappedKey, to: &KekId) -> Result<WrappedKey, KeyError> {
        Ok(self.wrap(&self.unwrap_key(wrapped)?, to))
    }
}

impl Macs for SoftKeys {
    fn mac(&self, usage: MacUse, data: &[u8]) -> Result<[u8; 32], KeyError> {
        self.mac_of(usage, self.chosen(&KeyRole::Mac(usage)), data)
    }

    fn mac_of(&self, usage: MacUse, generation: u32, data: &[u8]) -> Result<[u8; 32], KeyError> {
        let role = KeyRole::Mac(usage);
        self.need(&role, generation)?;
        Ok(hmac(format!("{role}#{generation}").as_bytes(), data))
    }
}

impl Randomness for SoftKeys {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), KeyError> {
        buffer.fill(0xa5);
        Ok(())
    }
}

impl NoteSigning for SoftKeys {
    fn sign_note(&self, text: &[u8]) -> Result<[u8; 64], KeyError> {
        let mut text = text.to_vec();
        if self.lying {
            text.push(b'!');
        }
        let signature: Signature = secret(&KeyRole::AuditCheckpoint).sign(&text);
        Ok(signature.to_bytes().into())
    }
}

impl PgpSigning for SoftKeys {
    fn pgp_sign(&self, digest: &[u8]) -> Result<[u8; 64], KeyError> {
        // As the token does.
        if !matches!(digest.len(), 32 | 48 | 64) {
            let detail = "a digest has 32, 48 or 64 bytes";
            return Err(KeyError::new(KeyErrorKind::Data, "sign a digest", detail));
        }
        Ok(self.sign(&KeyRole::PgpSign, digest))
    }
}

impl PgpDecryption for SoftKeys {
    fn pgp_agree(&self, ephemeral: &[u8]) -> Result<SharedSecret, KeyError> {
        Ok(SharedSecret::new(hmac(b"agree", ephemeral).to_vec()))
    }
}

impl TlsSigning for SoftKeys {
    fn tls_sign(&self, zone: DoorZone, message: &[u8]) -> Result<[u8; 64], KeyError> {
        let signature: Signature = secret(&KeyRole::Tls(zone)).sign(message);
        Ok(signature.to_bytes().into())
    }
}

impl PublicKeys for SoftKeys {
    fn public_key(&self, role: &KeyRole) -> Result<Vec<u8>, KeyError> {
        if !role.is_key_pair() {
            let what = "give a public key";
            return Err(KeyError::new(KeyErrorKind::Unknown, what, "no key pair"));
        }
        Ok(secret(role)
            .verifying_key()
            .to_encoded_point(false)
            .as_bytes()
            .to_vec())
    }
}

impl Inventory for SoftKeys {
    fn keys(&self) -> Result<Vec<KeyInfo>, KeyError> {
        Ok(Vec::new())
    }

    fn capabilities(&self) -> Vec<Capability> {
        Vec::new()
    }

    fn health(&self) -> TokenHealth {
        TokenHealth {
            label: "soft".to_owned(),
            serial: "0".to_owned(),
            model: "test".to_owned(),
            working: true,
            sessions: 1,
            renewals: 0,
            last_failure: None,
        }
    }
}

/// A server over its folder, as after a start.
pub(crate) fn server(folder: &std::path::Path, keys: SoftKeys, limits: Limits) -> Server<SoftKeys> {
    let log = Arc::new(ChainLog::open(&folder.join("custodian.log"), || 1).unwrap());
    let book = Book::open(&folder.join("checkpoints.json"), ORIGIN, log.as_ref()).unwrap();
    let recorder: Arc<dyn Recorder> = log;
    Server::new(keys, book, recorder, limits)
}

/// A log of so many leaves: all hashes, and the roots of every size.
pub(crate) struct Tree {
    hashes: Vec<tlog_tiles::tlog::Hash>,
}

impl tlog_tiles::tlog::HashReader for Tree {
    fn read_hashes(
        &self,
        indexes: &[u64],
    ) -> Result<Vec<tlog_tiles::tlog::Hash>, tlog_tiles::tlog::Error> {
        Ok(indexes
            .iter()
            .map(|i| self.hashes[usize::try_from(*i).unwrap()])
            .collect())
    }
}

impl Tree {
    pub(crate) fn new(leaves: u64, salt: u8) -> Self {
        let mut tree = Self { hashes: Vec::new() };
        for n in 0..leaves {
            let mut leaf = n.to_be_bytes().to_vec();
            leaf.push(if n >= 3 { salt } else { 0 });
            let more = tlog_tiles::tlog::stored_hashes(n, &leaf, &tree).unwrap();
            tree.hashes.extend(more);
        }
        tree
    }

    pub(crate) fn root(&self, size: u64) -> [u8; 32] {
        tlog_tiles::tlog::tree_hash(size, self).unwrap().0
    }

    /// The request for a checkpoint at `size`, after one at `last`.
    pub(crate) fn request(&self, last: u64, size: u64) -> CheckpointRequest {
        let consistency = if last == 0 {
            Vec::new()
        } else {
            let proof = tlog_tiles::tlog::prove_tree(size, last, self).unwrap();
            proof.into_iter().map(|hash| hash.0).collect()
        };
        CheckpointRequest {
            origin: ORIGIN.to_owned(),
            size,
            root: self.root(size),
            consistency,
        }
    }
}
