//! The certificates of senders, asked of core.

use std::time::Duration;

use chancery_ipc::Client;
use chancery_pipeline::ports::{SenderCertificates, SendersError};
use chancery_pipeline::protocol::{Certificates, ReaderToCore};
use tokio::runtime::Handle;

const DEADLINE: Duration = Duration::from_secs(10);

/// Asks core, from inside `block_in_place`.
#[derive(Debug)]
pub(crate) struct CoreSenders {
    core: Client,
    runtime: Handle,
}

impl CoreSenders {
    pub(crate) const fn new(core: Client, runtime: Handle) -> Self {
        Self { core, runtime }
    }
}

impl SenderCertificates for CoreSenders {
    fn certificates_for(&self, address: &str) -> Result<Vec<Vec<u8>>, SendersError> {
        let request = ReaderToCore::CertificatesFor(address.to_owned());
        let answer = self
            .runtime
            .block_on(self.core.call::<_, Certificates>(&request, DEADLINE))
            .map_err(|error| SendersError(error.to_string()))?;
        Ok(answer.certificates)
    }
}
