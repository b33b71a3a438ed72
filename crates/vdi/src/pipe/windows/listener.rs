//! How both sides get a connection.

use std::fs::OpenOptions;
use std::io;
use std::mem;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{AsHandle, OwnedHandle};
use std::path::Path;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use super::descriptor::Descriptor;
use super::event::Event;
use super::instance::instance;
use super::operation::{Ended, Wait};
use super::place::{Place, pipe_of};
use super::socket::{End, Socket};
use super::user::User;
use crate::clock::Deadline;
use crate::name::DeviceName;
use crate::pipe::token::random;
use crate::sync::lock;

/// The pipe that engines connect to.
#[derive(Debug)]
pub(in crate::pipe) struct Listener {
    name: String,
    access: Descriptor,
    /// The end that nobody is connected to yet.
    next: Mutex<OwnedHandle>,
    event: Event,
}

impl Listener {
    pub(in crate::pipe) fn open(place: &Place, users: &[User]) -> io::Result<Self> {
        let listener = Self::make(Descriptor::of_pipe(users)?)?;
        place.publish(&listener.name)?;
        Ok(listener)
    }

    fn make(access: Descriptor) -> io::Result<Self> {
        let id = u128::from_le_bytes(random());
        let name = format!(r"\\.\pipe\vab-vdi-{id:032x}");
        Ok(Self {
            next: Mutex::new(instance(&name, &access, true)?),
            name,
            access,
            event: Event::new()?,
        })
    }

    /// The next connection; `None` when none came in time, or the wait was ended.
    pub(in crate::pipe) fn accept(
        &self,
        wake: &Wake,
        deadline: Deadline,
    ) -> io::Result<Option<Socket>> {
        let mut next = lock(&self.next);
        let wait = Wait {
            pipe: next.as_handle(),
            event: &self.event,
            stop: &wake.0,
            deadline,
        };
        match wait.connection()? {
            Ended::Done(_) | Ended::Cut => {}
            Ended::TimedOut | Ended::Stopped => return Ok(None),
        }
        // There is always one that nobody is connected to, so that nobody finds the set busy for
        // long.
        let connected = mem::replace(&mut *next, instance(&self.name, &self.access, false)?);
        Socket::new(connected, End::Made).map(Some)
    }
}

/// How long to sleep before trying again.
const PAUSE: Duration = Duration::from_millis(1);
const ERROR_PIPE_BUSY: i32 = 231;
const SECURITY_IDENTIFICATION: u32 = 0x1_0000;
const FILE_FLAG_OVERLAPPED: u32 = 0x4000_0000;
/// To read and write data and attributes, and to ask for the owner; not to make other ends.
const ACCESS: u32 = 0x1 | 0x2 | 0x80 | 0x100 | 0x2_0000 | 0x10_0000;

/// Connects to the set, if its file is there. The other side learns who this is, and cannot act
/// in its name.
pub(in crate::pipe) fn connect(
    folder: &Path,
    name: &DeviceName,
    deadline: Deadline,
) -> io::Result<Socket> {
    loop {
        match dial(&pipe_of(folder, name)?) {
            Err(error) if error.raw_os_error() == Some(ERROR_PIPE_BUSY) => {}
            result => return Socket::new(result?, End::Connected),
        }
        if deadline.left() == Some(Duration::ZERO) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        thread::sleep(PAUSE);
    }
}

fn dial(pipe: &str) -> io::Result<OwnedHandle> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).access_mode(ACCESS);
    options.custom_flags(FILE_FLAG_OVERLAPPED);
    options.security_qos_flags(SECURITY_IDENTIFICATION);
    options.open(pipe).map(OwnedHandle::from)
}

/// Ends waits for connections, once and for all.
#[derive(Debug)]
pub(in crate::pipe) struct Wake(Event);

impl Wake {
    pub(in crate::pipe) fn new() -> io::Result<Self> {
        Event::new().map(Self)
    }

    pub(in crate::pipe) fn wake(&self) {
        self.0.set();
    }
}

/// Two ends of a pipe: its maker's, and that of whoever connected.
#[cfg(test)]
pub(super) fn pair() -> io::Result<(Socket, Socket)> {
    let listener = Listener::make(Descriptor::of_pipe(&[])?)?;
    let far = Socket::new(dial(&listener.name)?, End::Connected)?;
    let near = listener.accept(&Wake::new()?, Deadline::after(None))?;
    Ok((near.ok_or(io::ErrorKind::NotConnected)?, far))
}

#[cfg(test)]
mod tests {
    use super::super::account;
    use super::super::descriptor::tests::expected;
    use super::super::wine_lacks;
    use super::*;

    fn listener() -> Listener {
        Listener::make(Descriptor::of_pipe(&[]).unwrap()).unwrap()
    }

    #[test]
    fn nobody_can_make_a_pipe_that_there_is() {
        if wine_lacks("keep the first end of a pipe apart") {
            return;
        }
        let listener = listener();
        assert!(instance(&listener.name, &listener.access, true).is_err());
    }

    #[test]
    fn a_wait_can_time_out_be_ended_and_go_on() {
        let (listener, wake) = (listener(), Wake::new().unwrap());
        let soon = Deadline::after(Some(Duration::from_millis(5)));
        assert!(listener.accept(&wake, soon).unwrap().is_none());
        let _far = dial(&listener.name).unwrap();
        let never = Deadline::after(None);
        assert!(listener.accept(&wake, never).unwrap().is_some());
        wake.wake();
        assert!(listener.accept(&wake, never).unwrap().is_none());
    }

    #[test]
    fn who_came_and_left_is_a_connection_that_ended() {
        let (listener, wake) = (listener(), Wake::new().unwrap());
        drop(dial(&listener.name).unwrap());
        let never = Deadline::after(None);
        let socket = listener.accept(&wake, never).unwrap().unwrap();
        assert_eq!(socket.receive(&mut [0], never).unwrap(), Some(0));
        let _far = dial(&listener.name).unwrap();
        assert!(listener.accept(&wake, never).unwrap().is_some());
    }

    /// Whether the system looks at the list is another question, which the next test asks.
    #[test]
    fn the_system_has_the_list_that_the_pipe_was_made_with() {
        let others: [User; 1] = ["S-1-5-21-1-2-3-1001".parse().unwrap()];
        let listener = Listener::make(Descriptor::of_pipe(&others).unwrap()).unwrap();
        let list = account::allowed_on(&lock(&listener.next)).unwrap();
        // The system may have said in full what may be done with a pipe at all.
        let in_full = |mask| if mask == 0x1000_0000 { 0x1f_01ff } else { mask };
        let plain = |list: Vec<(User, u32)>| -> Vec<_> {
            list.into_iter()
                .map(|(user, mask)| (user, in_full(mask)))
                .collect()
        };
        assert_eq!(list.map(plain), Some(plain(expected(&others))));
    }

    #[test]
    fn who_is_not_on_the_list_is_refused_by_the_system() {
        if wine_lacks("look at the access lists of pipes") {
            return;
        }
        // Nobody is this user.
        let access = Descriptor::parse("D:P(A;;GA;;;S-1-5-21-1-2-3-4)").unwrap();
        let listener = Listener::make(access).unwrap();
        let error = dial(&listener.name).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    }
}
