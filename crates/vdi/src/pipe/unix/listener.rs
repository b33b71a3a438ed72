//! How both sides get a connection.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use rustix::event::{PollFd, PollFlags};

use super::place::{Place, socket_path};
use super::socket::{Socket, any_ready};
use super::user::User;
use crate::clock::Deadline;
use crate::name::DeviceName;

/// The socket that engines connect to.
#[derive(Debug)]
pub(in crate::pipe) struct Listener(UnixListener);

impl Listener {
    pub(in crate::pipe) fn open(place: &Place, users: &[User]) -> io::Result<Self> {
        // Without others, the file itself keeps them out.
        let mode = if users.is_empty() { 0o600 } else { 0o666 };
        let listener = UnixListener::bind(place.socket_path())?;
        fs::set_permissions(place.socket_path(), fs::Permissions::from_mode(mode))?;
        listener.set_nonblocking(true)?;
        Ok(Self(listener))
    }

    /// The next connection; `None` when none came in time, or the wait was ended.
    pub(in crate::pipe) fn accept(
        &self,
        wake: &Wake,
        deadline: Deadline,
    ) -> io::Result<Option<Socket>> {
        loop {
            let mut fds = [
                PollFd::new(&self.0, PollFlags::IN),
                PollFd::new(wake.near.stream(), PollFlags::IN),
            ];
            if !any_ready(&mut fds, deadline)? {
                return Ok(None);
            }
            let [_, woken] = fds;
            if !woken.revents().is_empty() {
                return Ok(None);
            }
            match self.0.accept() {
                Ok((stream, _)) => return Ok(Some(Socket::new(stream))),
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Connects to the set, if its socket is there.
pub(in crate::pipe) fn connect(
    folder: &Path,
    name: &DeviceName,
    _deadline: Deadline,
) -> io::Result<Socket> {
    UnixStream::connect(socket_path(folder, name)).map(Socket::new)
}

/// Ends waits for connections, once and for all.
#[derive(Debug)]
pub(in crate::pipe) struct Wake {
    /// Cut to wake.
    near: Socket,
    _far: UnixStream,
}

impl Wake {
    pub(in crate::pipe) fn new() -> io::Result<Self> {
        let (near, far) = UnixStream::pair()?;
        let near = Socket::new(near);
        Ok(Self { near, _far: far })
    }

    pub(in crate::pipe) fn wake(&self) {
        self.near.cut();
    }
}

/// Errors of an accept that are the peer's, not the listener's.
fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, Interrupted, WouldBlock};
    matches!(error.kind(), WouldBlock | Interrupted | ConnectionAborted)
}
