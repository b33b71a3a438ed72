//! Who is at the other end.

use std::fmt;
use std::io;
use std::str::FromStr;

use super::socket::Socket;
use crate::pipe::UserError;

/// A user of this machine: a number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct User(u32);

impl From<u32> for User {
    fn from(number: u32) -> Self {
        Self(number)
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for User {
    type Err = UserError;

    fn from_str(text: &str) -> Result<Self, UserError> {
        text.parse().map(Self).map_err(|_| UserError {
            text: text.to_owned(),
            wanted: "the number that `id -u` shows",
        })
    }
}

/// The user at the other end, if that one is not trusted.
pub(in crate::pipe) fn stranger(socket: &Socket, trusted: &[User]) -> io::Result<Option<User>> {
    let own = rustix::process::geteuid().as_raw();
    let user = socket.peer_user()?.map(User);
    Ok(user.filter(|user| user.0 != own && user.0 != 0 && !trusted.contains(user)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_a_number() {
        assert_eq!("1000".parse(), Ok(User::from(1000)));
        let error = "postgres".parse::<User>().unwrap_err();
        assert!(error.to_string().contains("id -u"), "{error}");
    }

    #[test]
    fn oneself_is_no_stranger() {
        let (near, _far) = Socket::pair().unwrap();
        assert_eq!(stranger(&near, &[]).unwrap(), None);
    }
}
