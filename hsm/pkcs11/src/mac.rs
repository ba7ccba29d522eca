//! Keyed digests.

use chancery_hsm_api::{KeyError, KeyErrorKind, KeyRole, MacUse, Macs};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;

use crate::Token;
use crate::fault::Fault;
use crate::pool::Call;

const WHAT: &str = "compute a keyed digest";

impl Macs for Token {
    fn mac(&self, usage: MacUse, data: &[u8]) -> Result<[u8; 32], KeyError> {
        let role = KeyRole::Mac(usage);
        let generation = self.keys.newest(&role);
        self.pool
            .run(WHAT, |call| self.mac_with(call, &role, generation, data))
    }

    fn mac_of(&self, usage: MacUse, generation: u32, data: &[u8]) -> Result<[u8; 32], KeyError> {
        let role = KeyRole::Mac(usage);
        self.pool
            .run(WHAT, |call| self.mac_with(call, &role, generation, data))
    }
}

impl Token {
    pub(crate) fn mac_with(
        &self,
        call: &Call<'_>,
        role: &KeyRole,
        generation: u32,
        data: &[u8],
    ) -> Result<[u8; 32], Fault> {
        let key = self.keys.hidden(call, role, generation)?;
        self.mac_by(call.session()?, key, data)
    }

    #[allow(clippy::unused_self, reason = "reads as what the token does")]
    pub(crate) fn mac_by(
        &self,
        session: &Session,
        key: ObjectHandle,
        data: &[u8],
    ) -> Result<[u8; 32], Fault> {
        let mac = session.sign(&Mechanism::Sha256Hmac, key, data)?;
        mac.try_into().map_err(|_| {
            let detail = "the token's digest has another length than 32 bytes";
            KeyError::new(KeyErrorKind::Unsupported, WHAT, detail).into()
        })
    }
}
