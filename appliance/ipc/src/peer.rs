//! Who is at the other end.

use std::os::fd::AsFd;

/// The uid of the process at the other end of a Unix socket (`SO_PEERCRED`):
/// who connected, or for a socket pair who made it. A second check beside the
/// socket itself.
///
/// # Errors
/// When the kernel does not say.
pub fn peer_uid(socket: impl AsFd) -> std::io::Result<u32> {
    Ok(rustix::net::sockopt::socket_peercred(socket)?.uid.as_raw())
}
