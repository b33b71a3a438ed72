//! A connected socket whose calls end in time.

#[cfg(target_os = "linux")]
use std::io::IoSliceMut;
use std::io::{self, IoSlice};
#[cfg(target_os = "linux")]
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::AsFd;
#[cfg(target_os = "linux")]
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
#[cfg(target_os = "linux")]
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, SendAncillaryMessage, recvmsg};
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, recv, sendmsg};

use crate::clock::Deadline;

/// A connection to the other side. Reads and writes never block beyond their deadline.
#[derive(Debug)]
pub(in crate::pipe) struct Socket(UnixStream);

/// Neither waits nor lets a signal kill the process.
const SEND: SendFlags = {
    let flags = SendFlags::DONTWAIT;
    #[cfg(not(target_vendor = "apple"))]
    let flags = flags.union(SendFlags::NOSIGNAL);
    flags
};

impl Socket {
    pub(super) fn new(stream: UnixStream) -> Self {
        Self(stream)
    }

    /// Two ends.
    #[cfg(test)]
    pub(in crate::pipe) fn pair() -> io::Result<(Self, Self)> {
        UnixStream::pair().map(|(near, far)| (Self(near), Self(far)))
    }

    /// For a wait for several sockets.
    pub(super) fn stream(&self) -> &UnixStream {
        &self.0
    }

    /// Some bytes; 0 at the end of the stream, `None` when none came in time.
    pub(in crate::pipe) fn receive(
        &self,
        into: &mut [u8],
        deadline: Deadline,
    ) -> io::Result<Option<usize>> {
        loop {
            match recv(&self.0, &mut *into, RecvFlags::DONTWAIT) {
                Ok((count, _)) => return Ok(Some(count)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    if deadline.has_passed() || !ready(&self.0, PollFlags::IN, deadline)? {
                        return Ok(None);
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Sends all of both parts.
    pub(in crate::pipe) fn send(
        &self,
        head: &[u8],
        body: &[u8],
        deadline: Deadline,
    ) -> io::Result<()> {
        let mut sent = 0;
        while sent < head.len() + body.len() {
            let parts = [
                IoSlice::new(head.get(sent..).unwrap_or_default()),
                IoSlice::new(
                    body.get(sent.saturating_sub(head.len())..)
                        .unwrap_or_default(),
                ),
            ];
            match sendmsg(&self.0, &parts, &mut SendAncillaryBuffer::default(), SEND) {
                Ok(count) => sent += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    if !ready(&self.0, PollFlags::OUT, deadline)? {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Sends a word with a descriptor.
    #[cfg(target_os = "linux")]
    pub(super) fn send_descriptor(
        &self,
        word: &[u8],
        descriptor: BorrowedFd<'_>,
        deadline: Deadline,
    ) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let descriptors = [descriptor];
        loop {
            let mut control = SendAncillaryBuffer::new(&mut space);
            control.push(SendAncillaryMessage::ScmRights(&descriptors));
            match sendmsg(&self.0, &[IoSlice::new(word)], &mut control, SEND) {
                Ok(count) if count == word.len() => return Ok(()),
                Ok(_) => return Err(io::ErrorKind::WriteZero.into()),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    if !ready(&self.0, PollFlags::OUT, deadline)? {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Receives the word with one descriptor; others that come with it are closed.
    #[cfg(target_os = "linux")]
    pub(super) fn receive_descriptor(
        &self,
        word: &[u8],
        deadline: Deadline,
    ) -> io::Result<OwnedFd> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        let mut said = vec![0; word.len()];
        loop {
            let mut control = RecvAncillaryBuffer::new(&mut space);
            match recvmsg(
                &self.0,
                &mut [IoSliceMut::new(&mut said)],
                &mut control,
                flags,
            ) {
                Ok(message) if message.bytes == word.len() => {
                    let mut found = control.drain().filter_map(|message| match message {
                        RecvAncillaryMessage::ScmRights(mut rights) => rights.next(),
                        _ => None,
                    });
                    let found = found.next().filter(|_| said == word);
                    return found.ok_or_else(|| io::ErrorKind::InvalidData.into());
                }
                Ok(_) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    if !ready(&self.0, PollFlags::IN, deadline)? {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Cuts the connection, which wakes both sides. What was sent before still arrives.
    pub(in crate::pipe) fn cut(&self) {
        // It is cut already if this fails.
        let _ = self.0.shutdown(Shutdown::Both);
    }

    /// The user at the other end, where the system tells.
    pub(super) fn peer_user(&self) -> io::Result<Option<u32>> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        return Ok(Some(
            rustix::net::sockopt::socket_peercred(&self.0)?.uid.as_raw(),
        ));
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        return Ok(None);
    }
}

/// Waits until something can be done with `fd`; false when it could not in time.
fn ready(fd: &impl AsFd, flags: PollFlags, deadline: Deadline) -> io::Result<bool> {
    any_ready(&mut [PollFd::new(fd, flags)], deadline)
}

/// Waits until something can be done with one of them; false when it could not in time.
pub(super) fn any_ready(fds: &mut [PollFd<'_>], deadline: Deadline) -> io::Result<bool> {
    loop {
        let left = deadline.left();
        let limit = left.map(|left| Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        });
        match poll(fds, limit.as_ref()) {
            Ok(count) => return Ok(count > 0),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
