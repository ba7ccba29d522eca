//! The first officers: their keys, encrypted under a passphrase, and the
//! public halves in `officers.toml`.

use std::collections::BTreeMap;
use std::path::Path;

use chancery_policy::directory::{Officer, Role};
use chancery_policy::widening::QUORUM;
use p256::ecdsa::SigningKey;
use p256::elliptic_curve::rand_core::{CryptoRng, Error, RngCore};
use p256::pkcs8::{EncodePrivateKey as _, EncodePublicKey as _, LineEnding};
use zeroize::Zeroizing;

use crate::failure::{Failure, failed};
use crate::files;
use crate::own_key::OfficerKey;
use crate::signing::Signer;

/// The operating system's randomness, for libraries that want a generator.
pub(crate) struct System;

impl RngCore for System {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, buffer: &mut [u8]) {
        // A system without randomness must make no keys.
        if getrandom::fill(buffer).is_err() {
            std::process::abort();
        }
    }

    fn try_fill_bytes(&mut self, buffer: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(buffer);
        Ok(())
    }
}

impl CryptoRng for System {}

/// A passphrase of 128 random bits.
pub(crate) fn passphrase() -> Zeroizing<String> {
    let mut bytes = Zeroizing::new([0; 16]);
    System.fill_bytes(&mut *bytes);
    Zeroizing::new(hex::encode(*bytes))
}

/// Makes a key for every officer: the private one into `folder/ID.key`, the
/// public one into its entry. The keys of the first security officers, who sign
/// what the node is founded with.
pub(crate) fn make_keys(
    officers: &mut [Officer],
    folder: &Path,
    passphrase: &str,
) -> Result<Vec<Signer>, Failure> {
    let mut signers = Vec::new();
    let mut made: BTreeMap<String, String> = BTreeMap::new();
    for officer in officers {
        let name = officer.id.to_string();
        // An officer may have several versions, each with its days: one key.
        let public = match made.get(&name) {
            Some(public) => public.clone(),
            None => {
                let (key, public) = make_key(officer, folder, passphrase)?;
                if officer.roles.contains(&Role::Security) && signers.len() < QUORUM {
                    signers.push(Signer {
                        id: officer.id.clone(),
                        key: OfficerKey::File(key),
                    });
                }
                made.entry(name).or_insert(public).clone()
            }
        };
        officer.key = Some(public);
    }
    Ok(signers)
}

/// One officer's key; the public half, PEM.
fn make_key(
    officer: &Officer,
    folder: &Path,
    passphrase: &str,
) -> Result<(SigningKey, String), Failure> {
    let what = format!("the key of {}", officer.id);
    let key = SigningKey::random(&mut System);
    let pem = key
        .to_pkcs8_encrypted_pem(System, passphrase, LineEnding::LF)
        .map_err(failed(&what))?;
    files::create(
        &folder.join(format!("{}.key", officer.id)),
        0o400,
        pem.as_bytes(),
    )?;
    let public = key
        .verifying_key()
        .to_public_key_pem(LineEnding::LF)
        .map_err(failed(&what))?;
    Ok((key, public))
}
