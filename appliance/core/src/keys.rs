//! The custodian, as core asks it.

use std::sync::Arc;
use std::time::Duration;

use chancery_hsm_custodian::CustodyClient;
use chancery_ipc::blocking::Channel;

/// A client over core's link. Calls may block up to the deadline: make them on
/// blocking threads.
pub(crate) fn client(channel: Channel, deadline: Duration) -> Arc<CustodyClient> {
    Arc::new(CustodyClient::new(move |request| {
        channel.roundtrip(request, deadline)
    }))
}
