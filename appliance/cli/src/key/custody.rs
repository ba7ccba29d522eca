//! The custodian's officers' socket, as these commands ask it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use chancery_hsm_api::KeyError;
use chancery_hsm_custodian::CustodyClient;
use chancery_ipc::{Limits, Side, connection};
use chancery_settings::Settings;
use tokio::net::UnixStream;

use crate::failure::{Failure, failed};

/// Where a unit puts the socket on an appliance.
const UNIT: &str = "/run/chancery/custodian.admin.sock";

/// How long one order may take: a token that makes keys is slow.
const DEADLINE: Duration = Duration::from_secs(60);

/// A client of the running node's custodian.
pub(crate) fn client(settings: &Settings) -> CustodyClient {
    let socket = socket(settings);
    CustodyClient::new(move |request| roundtrip(&socket, request)).with_patience(Duration::ZERO)
}

fn socket(settings: &Settings) -> PathBuf {
    let own = settings.custodian.state_dir.join("admin.sock");
    if own.exists() || !Path::new(UNIT).exists() {
        own
    } else {
        UNIT.into()
    }
}

fn roundtrip(socket: &Path, request: &[u8]) -> io::Result<Vec<u8>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let ended = |error: chancery_ipc::Error| io::Error::other(error.to_string());
    runtime.block_on(async {
        let asked = async {
            let stream = UnixStream::connect(socket).await?;
            let (caller, _incoming) = connection(stream, Side::Client, Limits::secret());
            let exchange = caller
                .open_bytes(Bytes::copy_from_slice(request))
                .await
                .map_err(ended)?;
            let (send, mut receive) = (exchange.send, exchange.receive);
            send.finish().map_err(ended)?;
            let answer = receive.header_bytes().await.map_err(ended)?;
            Ok(answer.to_vec())
        };
        tokio::time::timeout(DEADLINE, asked)
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    })
}

/// What an error of the custodian says to who typed.
pub(crate) fn told(error: KeyError) -> Failure {
    use chancery_hsm_api::KeyErrorKind;
    if error.kind == KeyErrorKind::Unreachable {
        failed("does the node run?")(error)
    } else {
        Failure::new(error.detail)
    }
}
