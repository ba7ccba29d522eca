//! Whether each key does what it is for, and its public half is its own.

use chancery_hsm_api::{KeyError, KeyErrorKind, KeyInfo, WrapScheme};
use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::elliptic_curve::sec1::ToEncodedPoint as _;
use zeroize::Zeroizing;

use crate::Token;
use crate::fault::Fault;
use crate::pool::Call;
use crate::template::Purpose;

impl Token {
    /// Uses each key once and checks the outcome outside the token.
    pub(crate) fn test_keys(&self, keys: &[KeyInfo]) -> Result<(), KeyError> {
        for key in keys {
            let what = format!("test the key {}", key.role);
            self.pool
                .run(&what, |call| self.test_key(call, key, &what))?;
        }
        Ok(())
    }

    fn test_key(&self, call: &Call<'_>, key: &KeyInfo, what: &str) -> Result<(), Fault> {
        let (role, generation) = (&key.role, key.generation);
        let good = match Purpose::of(role, WrapScheme::AesKw) {
            Purpose::Wrap(_) => return self.try_kek(call, role, generation),
            Purpose::Mac => {
                let one = self.mac_with(call, role, generation, b"one")?;
                let again = self.mac_with(call, role, generation, b"one")?;
                let two = self.mac_with(call, role, generation, b"two")?;
                one == again && one != two
            }
            Purpose::Sign => {
                let mut digest = [0; 32];
                self.randomness.fill(call.session()?, &mut digest)?;
                let signature = self.sign_with(call, role, generation, &digest)?;
                let point = self.keys.public(call, role, generation)?;
                VerifyingKey::from_sec1_bytes(&point)
                    .and_then(|key| {
                        key.verify_prehash(&digest, &Signature::from_slice(&signature)?)
                    })
                    .is_ok()
            }
            Purpose::Agree => {
                let mut seed = Zeroizing::new([0; 32]);
                self.randomness.fill(call.session()?, &mut *seed)?;
                // A random number is a private key but once in 2^32 times.
                let Ok(ours) = p256::SecretKey::from_slice(&*seed) else {
                    return Ok(());
                };
                let ephemeral = ours.public_key().to_encoded_point(false);
                let theirs = self.agree_with(call, role, generation, ephemeral.as_bytes())?;
                let point = self.keys.public(call, role, generation)?;
                p256::PublicKey::from_sec1_bytes(&point).is_ok_and(|point| {
                    let shared =
                        p256::ecdh::diffie_hellman(ours.to_nonzero_scalar(), point.as_affine());
                    shared.raw_secret_bytes().as_slice() == theirs.expose()
                })
            }
        };
        if good {
            Ok(())
        } else {
            let detail = "the key does not do what it is for, or its public half is another's";
            Err(KeyError::new(KeyErrorKind::Config, what, detail).into())
        }
    }
}
