//! One server at a time.
//!
//! On one machine, and over network file systems that pass locks on, the lock file decides: the
//! operating system drops the lock however the process ends. Who has it is written beside it, on
//! some systems a locked file cannot be read.
//!
//! That note is a lease too, for machines that share a disk and not its locks: another machine
//! takes over only when the lease has run out, and who was taken over commits nothing more,
//! because every commit looks whether the note is still its own.

use std::fmt;

use uuid::Uuid;
use vab_chain::UtcTime;

use super::layout;
use crate::storage::{Action, Lock, Storage, StorageError, StorageErrorKind};

/// How long a lease holds without being renewed, in microseconds: one minute.
const LEASE: i64 = 60_000_000;

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
}

/// The note beside the lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) owner: Owner,
    /// Which start of a server wrote it.
    instance: Uuid,
    /// When the lease ends.
    until: UtcTime,
}

/// The longest note that is read, in bytes.
const LIMIT: u64 = 4096;

impl Note {
    pub(super) fn to_text(&self) -> String {
        let line = |text: &str| text.replace(['\r', '\n'], " ");
        format!(
            "process {}\nhost {}\nsince {}\ninstance {}\nuntil {}\n",
            line(&self.owner.process),
            line(&self.owner.host),
            self.owner.since.as_micros(),
            self.instance,
            self.until.as_micros(),
        )
    }

    pub(super) fn from_text(text: &str) -> Option<Self> {
        let field = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
        };
        let time = |name| Some(UtcTime::from_micros(field(name)?.parse().ok()?));
        Some(Self {
            owner: Owner {
                process: field("process")?.to_owned(),
                host: field("host")?.to_owned(),
                since: time("since")?,
            },
            instance: field("instance")?.parse().ok()?,
            until: time("until")?,
        })
    }

    fn read(storage: &dyn Storage) -> Result<Option<Self>, StorageError> {
        let bytes = storage.read(&layout::owner_note(), LIMIT)?;
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        Ok(text.and_then(|text| Self::from_text(&text)))
    }

    fn write(&self, storage: &dyn Storage) -> Result<(), StorageError> {
        storage.replace(&layout::owner_note(), self.to_text().as_bytes())
    }
}

/// The right to write a repository, held until it is dropped.
#[derive(Debug)]
pub(super) struct Tenure {
    _lock: Box<dyn Lock>,
    owner: Owner,
    instance: Uuid,
}

impl Tenure {
    /// Takes the lock and the lease; the inner error says who has them.
    pub(super) fn take(
        storage: &dyn Storage,
        owner: Owner,
        now: UtcTime,
    ) -> Result<Result<Self, Option<Owner>>, StorageError> {
        let Some(lock) = storage.lock(&layout::server_lock())? else {
            // Who it is matters less than that somebody is there.
            let note = Note::read(storage).ok().flatten();
            return Ok(Err(note.map(|note| note.owner)));
        };
        // On this machine the lock has just said that nobody is there.
        let elsewhere = Note::read(storage)?.filter(|note| note.owner.host != owner.host);
        if let Some(note) = elsewhere.filter(|note| holds(note, now)) {
            return Ok(Err(Some(note.owner)));
        }
        let tenure = Self {
            _lock: lock,
            owner,
            instance: Uuid::new_v4(),
        };
        tenure.renew(storage, now)?;
        Ok(Ok(tenure))
    }

    /// Lets the lease begin anew.
    pub(super) fn renew(&self, storage: &dyn Storage, now: UtcTime) -> Result<(), StorageError> {
        let until = UtcTime::from_micros(now.as_micros().saturating_add(LEASE));
        Note {
            owner: self.owner.clone(),
            instance: self.instance,
            until,
        }
        .write(storage)
    }

    /// Checks that no other server has taken over.
    ///
    /// # Errors
    /// When one has, or the note cannot be read.
    pub(super) fn check(&self, storage: &dyn Storage) -> Result<(), StorageError> {
        let wrong = match Note::read(storage)? {
            Some(note) if note.instance == self.instance => return Ok(()),
            Some(note) => format!("the repository was taken over by {}", note.owner),
            None => "the note of its owner is gone".to_owned(),
        };
        let path = format!("{}/{}", storage.location(), layout::owner_note());
        let mut error = StorageError::new(Action::Write, path, std::io::Error::other(wrong));
        error.kind = StorageErrorKind::TakenOver;
        Err(error)
    }

    /// Says that the repository is free, for other machines.
    pub(super) fn release(&self, storage: &dyn Storage) {
        if self.check(storage).is_ok() {
            // Without it, another machine waits for the end of the lease.
            let _ = storage.remove(&layout::owner_note());
        }
    }
}

/// Whether a lease holds at `now`. One that ends later than any lease can was written by a clock
/// that is wrong, and holds no longer than others from now on: it is taken as ended.
fn holds(note: &Note, now: UtcTime) -> bool {
    let left = note.until.micros_since(now);
    left > 0 && left <= 2 * LEASE
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

    fn note(until: i64) -> Note {
        Note {
            owner: Owner {
                process: "vab serve (pid 7)".to_owned(),
                host: "backup01".to_owned(),
                since: UtcTime::from_micros(1),
            },
            instance: Uuid::from_u128(9),
            until: UtcTime::from_micros(until),
        }
    }

    #[test]
    fn a_note_goes_both_ways() {
        assert_eq!(Note::from_text(&note(5).to_text()), Some(note(5)));
        assert_eq!(Note::from_text("process"), None);
    }

    #[test]
    fn a_lease_ends() {
        assert!(holds(&note(LEASE), UtcTime::from_micros(0)));
        assert!(!holds(&note(LEASE), UtcTime::from_micros(LEASE)));
        assert!(!holds(&note(1000 * LEASE), UtcTime::from_micros(0)));
    }
}
