//! A fresh token, and the keys that a node needs in it.

use std::collections::BTreeSet;

use chancery_hsm_api::{KeyError, KeyErrorKind, KeyInfo, KeyRole};
use cryptoki::object::ObjectHandle;
use cryptoki::session::{Session, UserType};

use crate::fault::{Fault, told};
use crate::keys::find_hidden;
use crate::module::identity;
use crate::template::{Purpose, hidden_half, public_half};
use crate::{Module, Pin, Quirks, Token, TokenIdentity, names};

const INITIALISE: &str = "initialise the token";

impl Module {
    /// Initialises an empty token: label, security officer's PIN, user PIN. If
    /// that was interrupted before the user PIN was set, it is set now. A token
    /// with a user PIN is never touched.
    ///
    /// # Errors
    /// [`KeyErrorKind::Config`] when there is no empty token, when one of that
    /// label is there already, or when both PINs are the same.
    pub fn initialise(
        &self,
        label: &str,
        officer: &Pin,
        user: &Pin,
    ) -> Result<TokenIdentity, KeyError> {
        let fail = |error| told(INITIALISE, &error);
        let wrong = |detail: String| KeyError::new(KeyErrorKind::Config, INITIALISE, detail);
        check_label(label).map_err(|why| wrong(why.to_owned()))?;
        if officer.is_same(user) {
            return Err(wrong(
                "the security officer and the user need different PINs".to_owned(),
            ));
        }
        let slots = self.slots()?;
        match slots
            .iter()
            .find(|(_, info)| info.token_initialized() && info.label() == label)
        {
            Some((_, info)) if info.user_pin_initialized() => {
                return Err(wrong(format!(
                    "a token with the label `{label}` is there already"
                )));
            }
            Some(_) => {}
            None => {
                let empty = slots.iter().find(|(_, info)| !info.token_initialized());
                let (slot, _) =
                    empty.ok_or_else(|| wrong("the module shows no empty token".to_owned()))?;
                self.context()
                    .init_token(*slot, officer.auth(), label)
                    .map_err(fail)?;
            }
        }
        // The slot's number may have changed.
        let (slot, _) = self.find(label, None)?;
        let session = self.context().open_rw_session(slot).map_err(fail)?;
        session
            .login(UserType::So, Some(officer.auth()))
            .map_err(fail)?;
        session.init_pin(user.auth()).map_err(fail)?;
        session.logout().map_err(fail)?;
        drop(session);
        let (_, info) = self.find(label, None)?;
        Ok(identity(&info))
    }
}

impl Token {
    /// Makes the first key of each role that has none yet, checks what the
    /// token made of the template, tries it, and tells all keys. Keys that are
    /// there stay as they are.
    ///
    /// # Errors
    /// Those of the token; a key that came out otherwise than it was asked for
    /// is destroyed again.
    pub fn provision(&self, roles: &BTreeSet<KeyRole>) -> Result<Vec<KeyInfo>, KeyError> {
        let there: BTreeSet<KeyRole> = self.look()?.into_iter().map(|key| key.role).collect();
        let session = self.pool.writing_session("make keys")?;
        for role in roles.difference(&there) {
            let what = format!("make the key {role}");
            let purpose = self.purpose_for(role)?;
            self.make(&session, role, 1, purpose)
                .map_err(|fault| match fault {
                    Fault::Key(error) => error,
                    Fault::Module(error) => told(&what, &error),
                })?;
            tracing::info!(%role, "made a key");
        }
        drop(session);
        let keys = self.look()?;
        self.test_keys(&keys)?;
        Ok(keys)
    }

    /// Changes the user PIN from the one that this token was opened with.
    ///
    /// # Errors
    /// [`KeyErrorKind::Config`] when both are the same or the token refuses; then
    /// the old one still holds.
    pub fn change_pin(&self, new: &Pin) -> Result<(), KeyError> {
        let what = "change the PIN";
        let old = self.pool.pin();
        if old.is_same(new) {
            let detail = "the new PIN is the old one";
            return Err(KeyError::new(KeyErrorKind::Config, what, detail));
        }
        let session = self.pool.writing_session(what)?;
        session
            .set_pin(old.auth(), new.auth())
            .map_err(|error| told(what, &error))
    }

    pub(crate) fn make(
        &self,
        session: &Session,
        role: &KeyRole,
        generation: u32,
        purpose: Purpose,
    ) -> Result<(), Fault> {
        let quirks = self.quirks();
        let label = names::label(role, generation);
        let made = generate(session, purpose, &label, quirks)?;
        match find_hidden(session, &label, purpose, quirks) {
            Ok(_) => Ok(()),
            Err(fault) => {
                // Nothing was ever done with it.
                for half in made {
                    session.destroy_object(half)?;
                }
                Err(fault)
            }
        }
    }
}

fn generate(
    session: &Session,
    purpose: Purpose,
    label: &str,
    quirks: Quirks,
) -> Result<Vec<ObjectHandle>, Fault> {
    let mechanism = purpose.generation();
    let hidden = hidden_half(purpose, label, quirks);
    if purpose.is_pair() {
        let public = public_half(purpose, label);
        let (public, private) = session.generate_key_pair(&mechanism, &public, &hidden)?;
        Ok(vec![public, private])
    } else {
        Ok(vec![session.generate_key(&mechanism, &hidden)?])
    }
}

fn check_label(label: &str) -> Result<(), &'static str> {
    // PKCS#11 pads labels to 32 bytes with blanks.
    if !(1..=32).contains(&label.len()) {
        return Err("a token's label has 1 to 32 bytes");
    }
    if !label.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("a token's label has visible ASCII characters alone");
    }
    Ok(())
}
