//! A key's life in the token: made, chosen, destroyed.

use chancery_hsm_api::{KeyError, KeyErrorKind, KeyInfo, KeyLife, KeyRole};
use cryptoki::object::{Attribute, ObjectClass};

use crate::fault::{Fault, told};
use crate::{Token, names};

impl KeyLife for Token {
    fn make_key(&self, role: &KeyRole, generation: u32) -> Result<KeyInfo, KeyError> {
        let what = format!("make the key {}", names::label(role, generation));
        if generation == 0 {
            let detail = "generations are counted from 1";
            return Err(KeyError::new(KeyErrorKind::Config, what, detail));
        }
        if self
            .look()?
            .iter()
            .any(|key| key.role == *role && key.generation == generation)
        {
            let detail = "the token has it already";
            return Err(KeyError::new(KeyErrorKind::Config, what, detail));
        }
        let purpose = self.purpose_for(role)?;
        let session = self.pool.writing_session(&what)?;
        self.make(&session, role, generation, purpose)
            .map_err(|fault| spoken(&what, fault))?;
        drop(session);
        let made = self
            .look()?
            .into_iter()
            .find(|key| key.role == *role && key.generation == generation)
            .ok_or_else(|| {
                let detail = "the token does not show what it has made";
                KeyError::new(KeyErrorKind::DeviceLost, &what, detail)
            })?;
        self.test_keys(std::slice::from_ref(&made))?;
        Ok(made)
    }

    fn destroy_key(&self, role: &KeyRole, generation: u32) -> Result<(), KeyError> {
        let label = names::label(role, generation);
        let what = format!("destroy the key {label}");
        let session = self.pool.writing_session(&what)?;
        // The secret first: a public key alone opens nothing.
        for class in [
            ObjectClass::SECRET_KEY,
            ObjectClass::PRIVATE_KEY,
            ObjectClass::PUBLIC_KEY,
        ] {
            let template = [
                Attribute::Class(class),
                Attribute::Token(true),
                Attribute::Label(label.as_bytes().to_vec()),
                Attribute::Id(names::id(&label)),
            ];
            let found = session
                .find_objects(&template)
                .map_err(|error| told(&what, &error))?;
            for object in found {
                session
                    .destroy_object(object)
                    .map_err(|error| told(&what, &error))?;
            }
        }
        drop(session);
        self.keys.forget(&label);
        Ok(())
    }

    fn use_generation(&self, role: &KeyRole, generation: u32) {
        self.keys.choose(role, generation);
    }
}

fn spoken(what: &str, fault: Fault) -> KeyError {
    match fault {
        Fault::Key(error) => error,
        Fault::Module(error) => told(what, &error),
    }
}
