//! Ports for servers that must be told theirs.

use std::hash::{BuildHasher as _, RandomState};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// Ports that nobody uses now, all different. They lie below those that the
/// system gives to outgoing connections, so that none of these takes one before
/// its server does.
pub fn free<const N: usize>() -> [SocketAddr; N] {
    let mut at = RandomState::new().hash_one(std::process::id());
    let mut held = Vec::new();
    let mut ports = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)); N];
    for port in &mut ports {
        *port = loop {
            at = at.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let number = 12_000 + u16::try_from((at >> 33) % 20_000).unwrap();
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, number));
            if let Ok(listener) = TcpListener::bind(address) {
                // Held until all are found, so that they differ.
                held.push(listener);
                break address;
            }
        };
    }
    ports
}
