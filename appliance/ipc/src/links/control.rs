//! The control socket between the supervisor and a daemon: a sequenced-packet
//! socket, so that a message and the descriptor that belongs to it stay
//! together.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::{Errno, IoSlice, IoSliceMut};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::codec;

/// Longest message.
const LONGEST: usize = 512;

/// What this end of a link does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
pub enum Role {
    /// It asks.
    Client,
    /// It answers.
    Server,
}

/// From the supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) enum Order {
    /// A new connection; its descriptor comes with the message.
    Link { tag: String, role: Role },
    /// Finish and end.
    Stop,
    /// Read again what may be read again.
    Reload,
}

/// To the supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) enum Notice {
    /// The daemon serves.
    Ready,
}

/// Both ends of a new control socket, closed on exec.
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::net::socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )?)
}

/// Both ends of a new link, closed on exec.
pub(crate) fn link_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::net::socketpair(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?)
}

/// Whether `fd` is such a socket.
pub(crate) fn is_control(fd: impl AsFd) -> bool {
    let fd = fd.as_fd();
    matches!(
        rustix::net::sockopt::socket_domain(fd),
        Ok(AddressFamily::UNIX)
    ) && matches!(
        rustix::net::sockopt::socket_type(fd),
        Ok(SocketType::SEQPACKET)
    )
}

/// Sends one message, and a descriptor with it; never waits.
pub(crate) fn send<T: Serialize>(
    socket: impl AsFd,
    message: &T,
    carry: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    let bytes = codec::encode(message).map_err(io::Error::from)?;
    let carried: Vec<BorrowedFd<'_>> = carry.into_iter().collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut extra = SendAncillaryBuffer::new(&mut space);
    if !carried.is_empty() {
        // INVARIANT: the space is for one descriptor, and it is one.
        let fits = extra.push(SendAncillaryMessage::ScmRights(&carried));
        debug_assert!(fits, "space for one descriptor");
    }
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    loop {
        match rustix::net::sendmsg(socket.as_fd(), &[IoSlice::new(&bytes)], &mut extra, flags) {
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
            Ok(_) => return Ok(()),
        }
    }
}

/// The next message and its descriptor; `None` when the other end is closed.
pub(crate) fn receive<T: DeserializeOwned>(
    socket: impl AsFd,
) -> io::Result<Option<(T, Option<OwnedFd>)>> {
    let mut bytes = [0; LONGEST];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut extra = RecvAncillaryBuffer::new(&mut space);
    let got = loop {
        let mut buffers = [IoSliceMut::new(&mut bytes)];
        match rustix::net::recvmsg(
            socket.as_fd(),
            &mut buffers,
            &mut extra,
            RecvFlags::CMSG_CLOEXEC,
        ) {
            Err(Errno::INTR) => {}
            Err(Errno::CONNRESET) => return Ok(None),
            Err(error) => return Err(error.into()),
            Ok(got) => break got,
        }
    };
    let mut carried = None;
    for message in extra.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            carried = descriptors.last();
        }
    }
    if got.bytes == 0 {
        return Ok(None);
    }
    if got
        .flags
        .intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC)
    {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a control message is too long",
        ));
    }
    let message =
        codec::decode(bytes.get(..got.bytes).unwrap_or_default()).map_err(io::Error::from)?;
    Ok(Some((message, carried)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_descriptor_travels_with_its_message() {
        let (here, there) = pair().unwrap();
        assert!(is_control(&here));
        let (mut near, far) = UnixStream::pair().unwrap();
        assert!(!is_control(&near));
        let order = Order::Link {
            tag: "core.door-mail".into(),
            role: Role::Server,
        };
        send(&here, &order, Some(far.as_fd())).unwrap();
        send(&here, &Order::Stop, None).unwrap();
        drop((here, far));

        let (got, carried) = receive::<Order>(&there).unwrap().unwrap();
        assert_eq!(got, order);
        let mut far = UnixStream::from(carried.unwrap());
        assert!(
            rustix::io::fcntl_getfd(&far)
                .unwrap()
                .contains(rustix::io::FdFlags::CLOEXEC)
        );
        near.write_all(b"x").unwrap();
        let mut byte = [0];
        far.read_exact(&mut byte).unwrap();

        let (got, carried) = receive::<Order>(&there).unwrap().unwrap();
        assert!(got == Order::Stop && carried.is_none());
        assert!(receive::<Order>(&there).unwrap().is_none());
    }

    #[test]
    fn who_does_not_read_is_noticed_without_waiting() {
        let (here, _there) = pair().unwrap();
        let full = (0..100_000).find_map(|_| send(&here, &Order::Reload, None).err());
        assert_eq!(full.unwrap().kind(), io::ErrorKind::WouldBlock);
    }
}
