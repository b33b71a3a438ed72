//! Who is at the other end.

use std::fmt;
use std::io;
use std::os::windows::io::AsHandle;
use std::str::FromStr;

use super::account;
use super::process;
use super::socket::{End, Socket};
use crate::pipe::UserError;

/// A user or a group of this machine: a security identifier (`S-1-5-…`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct User(String);

/// The system itself.
const SYSTEM: &str = "S-1-5-18";
/// The group of the administrators, which also owns what they make.
pub(super) const ADMINISTRATORS: &str = "S-1-5-32-544";
/// The most parts of an identifier behind its authority.
const MAX_PARTS: usize = 15;

impl User {
    /// The text of the identifier.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// An identifier that the system gave.
    pub(super) fn known(identifier: String) -> Self {
        Self(identifier)
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for User {
    type Err = UserError;

    fn from_str(text: &str) -> Result<Self, UserError> {
        let error = || UserError {
            text: text.to_owned(),
            wanted: "the security identifier that `whoami /user` shows, S-1-5-…",
        };
        let mut parts = text.strip_prefix("S-1-").ok_or_else(error)?.split('-');
        let number = |text: &str, most| text.parse().ok().filter(|number: &u64| *number <= most);
        let authority = parts.next().and_then(|part| number(part, (1 << 48) - 1));
        let parts: Option<Vec<_>> = parts.map(|part| number(part, u32::MAX.into())).collect();
        match (authority, parts) {
            (Some(authority), Some(parts)) if (1..=MAX_PARTS).contains(&parts.len()) => {
                let numbers = [1, authority].into_iter().chain(parts);
                let words = ["S".into()]
                    .into_iter()
                    .chain(numbers.map(|n| n.to_string()));
                Ok(Self(words.collect::<Vec<_>>().join("-")))
            }
            _ => Err(error()),
        }
    }
}

/// The user at the other end, if that one is not trusted.
///
/// Whoever connected is on the access list of the pipe, which the system has checked; where the
/// process may be looked at, its user is checked too. Of the maker of a pipe the owner is checked,
/// which nobody can choose freely.
pub(in crate::pipe) fn stranger(socket: &Socket, trusted: &[User]) -> io::Result<Option<User>> {
    let own = &account::own()?.user;
    let is_trusted = |user: &User| {
        user == own || matches!(user.as_str(), SYSTEM | ADMINISTRATORS) || trusted.contains(user)
    };
    let Some(pipe) = socket.pipe() else {
        return Err(io::ErrorKind::NotConnected.into());
    };
    let user = match socket.end() {
        End::Connected => account::owner(&pipe)?,
        End::Made => match process::client(&pipe, process::LOOK_AT) {
            Ok(process) => match account::of(process.as_handle()) {
                Ok(account) if account.is_administrator => return Ok(None),
                Ok(account) => account.user,
                Err(error) if is_denied(&error) => return Ok(None),
                Err(error) => return Err(error),
            },
            Err(error) if is_denied(&error) => return Ok(None),
            Err(error) => return Err(error),
        },
    };
    Ok(Some(user).filter(|user| !is_trusted(user)))
}

/// It is somebody with more rights than this process has, or with other ones: the list decides.
fn is_denied(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_a_security_identifier() {
        let text = "S-1-5-21-1004336348-1177238915-682003330-512";
        assert_eq!(text.parse::<User>().unwrap().as_str(), text);
        for text in [
            "",
            "postgres",
            "S-1-5",
            "S-1-5-",
            "S-1-5-x",
            "S-1-5-4294967296",
            "S-2-5-1",
        ] {
            assert!(text.parse::<User>().is_err(), "{text}");
        }
        // What would change the meaning of an access list is no identifier.
        assert!("S-1-5-1)(A;;GA;;;WD".parse::<User>().is_err());
        let error = "x".parse::<User>().unwrap_err();
        assert!(error.to_string().contains("whoami /user"), "{error}");
    }

    #[test]
    fn oneself_is_no_stranger() {
        let (near, far) = Socket::pair().unwrap();
        assert_eq!(stranger(&near, &[]).unwrap(), None);
        assert_eq!(stranger(&far, &[]).unwrap(), None);
    }
}
