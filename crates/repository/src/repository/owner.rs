//! One server at a time.
//!
//! The lock file is locked through the operating system, which drops the lock however the
//! process ends. Who has it is written beside it, for the message to the second server: on some
//! systems a locked file cannot be read.

use std::fmt;

use vab_chain::UtcTime;

use super::layout;
use crate::storage::{Lock, Storage, StorageError};

/// Who has a repository open for writing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The process, in words.
    pub process: String,
    /// The machine.
    pub host: String,
    /// Since when, on the repository's clock.
    pub since: UtcTime,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {} since {}", self.process, self.host, self.since)
    }
}

impl Owner {
    /// This process on this machine.
    pub fn this_process(now: UtcTime) -> Self {
        Self {
            process: format!("process {}", std::process::id()),
            host: host(),
            since: now,
        }
    }

    fn to_text(&self) -> String {
        let line = |text: &str| text.replace(['\r', '\n'], " ");
        format!(
            "process {}\nhost {}\nsince {}\n",
            line(&self.process),
            line(&self.host),
            self.since.as_micros()
        )
    }

    fn from_text(text: &str) -> Option<Self> {
        let field = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
        };
        Some(Self {
            process: field("process")?.to_owned(),
            host: field("host")?.to_owned(),
            since: UtcTime::from_micros(field("since")?.parse().ok()?),
        })
    }
}

/// The longest note about an owner that is read, in bytes.
const LIMIT: u64 = 4096;

/// Takes the server lock.
pub(super) fn take(
    storage: &dyn Storage,
    owner: &Owner,
) -> Result<Result<Box<dyn Lock>, Option<Owner>>, StorageError> {
    let note = layout::owner_note();
    let Some(lock) = storage.lock(&layout::server_lock())? else {
        // Who it is matters less than that somebody is there.
        let text = storage.read(&note, LIMIT).ok().flatten();
        let text = text.and_then(|bytes| String::from_utf8(bytes).ok());
        return Ok(Err(text.and_then(|text| Owner::from_text(&text))));
    };
    storage.replace(&note, owner.to_text().as_bytes())?;
    Ok(Ok(lock))
}

#[cfg(unix)]
fn host() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

#[cfg(not(unix))]
fn host() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_else(|_| "this machine".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_goes_both_ways() {
        let owner = Owner {
            process: "vab serve (pid 7)".to_owned(),
            host: "backup01".to_owned(),
            since: UtcTime::from_micros(1),
        };
        assert_eq!(Owner::from_text(&owner.to_text()), Some(owner));
        assert_eq!(Owner::from_text("process"), None);
    }
}
