//! What the token can do: for each purpose the plans by which it can be served,
//! the best first, and whether the token has what a plan needs. That it says so
//! is not believed: each plan that is chosen was tried with a key that is
//! thrown away.

use chancery_hsm_api::{Capability, KeyError, KeyErrorKind, KeyRole, WrapScheme};
use cryptoki::mechanism::MechanismType;
use cryptoki::object::{Attribute, ObjectHandle};
use cryptoki::session::Session;
use p256::elliptic_curve::sec1::ToEncodedPoint as _;

use crate::fault::{Fault, class, name};
use crate::pool::Call;
use crate::template::{Purpose, hidden_half, public_half};
use crate::wrap::Kek;
use crate::{Quirks, Token};

/// The plans: purpose, who is served, what it needs. For one purpose the first
/// that works is chosen.
fn plans() -> Vec<(Purpose, &'static str)> {
    let wraps = WrapScheme::ALL.map(|scheme| (Purpose::Wrap(scheme), "kek"));
    let others = [
        (Purpose::Mac, "mac/index, mac/row"),
        (Purpose::Sign, "audit/checkpoint, pgp/sign, tls"),
        (Purpose::Agree, "pgp/decrypt"),
    ];
    wraps.into_iter().chain(others).collect()
}

/// The mechanisms that a plan needs.
const fn needs(purpose: Purpose) -> [MechanismType; 2] {
    let make = match purpose {
        Purpose::Wrap(WrapScheme::RsaOaepSha1) => MechanismType::RSA_PKCS_KEY_PAIR_GEN,
        Purpose::Wrap(_) => MechanismType::AES_KEY_GEN,
        Purpose::Mac => MechanismType::GENERIC_SECRET_KEY_GEN,
        Purpose::Sign | Purpose::Agree => MechanismType::ECC_KEY_PAIR_GEN,
    };
    [make, purpose.mechanism()]
}

/// A plan's name: that of the scheme, or of its mechanism.
fn plan_name(purpose: Purpose) -> String {
    match purpose {
        Purpose::Wrap(scheme) => scheme.to_string(),
        Purpose::Mac => "hmac-sha256".to_owned(),
        Purpose::Sign => "ecdsa-p256".to_owned(),
        Purpose::Agree => "ecdh-p256".to_owned(),
    }
}

impl Token {
    /// Probes the token: which plans it can serve. With `all`, plans that come
    /// after the chosen one are tried too, which may make an RSA key.
    pub(crate) fn probe(&self, all: bool) -> Result<Vec<Capability>, KeyError> {
        let listed = self.pool.mechanisms()?;
        let mut found: Vec<Capability> = Vec::new();
        for (purpose, roles) in plans() {
            let missing: Vec<String> = needs(purpose)
                .iter()
                .filter(|one| !listed.contains(one))
                .map(ToString::to_string)
                .collect();
            let served = found.iter().any(|one| one.roles == roles && one.chosen);
            let mut row = Capability {
                roles: roles.to_owned(),
                plan: plan_name(purpose),
                mechanisms: needs(purpose).iter().map(ToString::to_string).collect(),
                works: None,
                missing,
                failure: None,
                chosen: false,
            };
            if row.missing.is_empty() && (all || !served) {
                let tried = self.try_plan(purpose);
                row.works = Some(tried.is_ok());
                row.chosen = tried.is_ok() && !served;
                row.failure = tried.err();
            }
            found.push(row);
        }
        Ok(found)
    }

    /// The purpose that new keys of a role are made for.
    ///
    /// # Errors
    /// [`KeyErrorKind::Unsupported`], naming the mechanism that is missing.
    pub(crate) fn purpose_for(&self, role: &KeyRole) -> Result<Purpose, KeyError> {
        let fits = |purpose: Purpose| match (purpose, role) {
            (Purpose::Wrap(scheme), KeyRole::Kek(_)) => Purpose::of(role, scheme) == purpose,
            _ => Purpose::of(role, WrapScheme::AesKw) == purpose,
        };
        let rows: Vec<(Purpose, &Capability)> = plans()
            .into_iter()
            .zip(&self.capabilities)
            .filter(|((purpose, _), _)| fits(*purpose))
            .map(|((purpose, _), row)| (purpose, row))
            .collect();
        if let Some((purpose, _)) = rows.iter().find(|(_, row)| row.chosen) {
            return Ok(*purpose);
        }
        let why: Vec<String> = rows.iter().map(|(_, row)| row.why_not()).collect();
        let detail = format!("this token cannot serve {role}: {}", why.join("; "));
        Err(KeyError::new(
            KeyErrorKind::Unsupported,
            "choose a plan",
            detail,
        ))
    }

    /// Makes a key for the length of a test, and uses it.
    fn try_plan(&self, purpose: Purpose) -> Result<(), String> {
        let what = "try what the token can do";
        self.pool
            .run(what, |call| {
                let session = call.session()?;
                let tried = make_for_a_test(session, purpose, self.quirks()).and_then(|made| {
                    let tried = self.try_made(call, purpose, &made);
                    for object in made {
                        if session.destroy_object(object).is_err() {
                            call.spoil();
                        }
                    }
                    tried
                });
                match tried {
                    Ok(()) => Ok(Ok(())),
                    // What was lost is looked for again; what the token cannot
                    // do is an answer.
                    Err(Fault::Module(error)) if !class(&error).is_loss() => Ok(Err(name(&error))),
                    Err(Fault::Key(error)) => Ok(Err(error.detail)),
                    Err(fault) => Err(fault),
                }
            })
            .map_err(|error| error.detail)?
    }

    fn try_made(
        &self,
        call: &Call<'_>,
        purpose: Purpose,
        made: &[ObjectHandle],
    ) -> Result<(), Fault> {
        let (Some(wraps), Some(key)) = (made.first(), made.last()) else {
            return Ok(());
        };
        let session = call.session()?;
        match purpose {
            Purpose::Wrap(scheme) => {
                let kek = Kek {
                    scheme,
                    wraps: *wraps,
                    unwraps: *key,
                };
                self.try_wrapping(call, &kek, "a key made for a test")
            }
            Purpose::Mac => self.mac_by(session, *key, b"test").map(|_| ()),
            Purpose::Sign => self.sign_by(session, *key, &[7; 32]).map(|_| ()),
            Purpose::Agree => {
                // The base point: a public key like any other.
                let point = p256::AffinePoint::GENERATOR.to_encoded_point(false);
                self.agree_by(call, *key, point.as_bytes()).map(|_| ())
            }
        }
    }
}

fn make_for_a_test(
    session: &Session,
    purpose: Purpose,
    quirks: Quirks,
) -> Result<Vec<ObjectHandle>, Fault> {
    let passing = |mut template: Vec<Attribute>| {
        for attribute in &mut template {
            if let Attribute::Token(value) = attribute {
                *value = false;
            }
        }
        template
    };
    let label = "chancery probe";
    let hidden = passing(hidden_half(purpose, label, quirks));
    let mechanism = purpose.generation();
    if purpose.is_pair() {
        let public = passing(public_half(purpose, label));
        let (public, private) = session.generate_key_pair(&mechanism, &public, &hidden)?;
        Ok(vec![public, private])
    } else {
        Ok(vec![session.generate_key(&mechanism, &hidden)?])
    }
}
