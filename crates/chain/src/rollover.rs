//! When a backup goes into a new file, and when it is appended to the current one.

use std::fmt;
use std::time::Duration;

use crate::{BackupKind, UtcTime};

/// How long a file takes new sessions, counted from its creation: 24 hours.
///
/// A file that is exactly this old still takes one.
pub const FILE_OPEN_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// Settings that every session in one file shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FileSettings {
    /// Whether payloads are encrypted.
    pub encrypted: bool,
    /// Version of the container format.
    pub format_version: u16,
}

/// The file that a database's last session was appended to, on the extent that was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CurrentFile {
    /// When the file was created, on the repository's clock.
    pub created: UtcTime,
    /// What it was created with.
    pub settings: FileSettings,
}

/// Where a session's blocks go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileDecision {
    /// To the end of the database's current file.
    Append,
    /// Into a new file.
    NewFile(NewFileReason),
}

/// Why a new file is begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NewFileReason {
    /// The database has no file on this extent yet.
    NoFile,
    /// A full backup always begins a file.
    Full {
        /// Whether it is a copy-only full.
        copy_only: bool,
    },
    /// The current file was created more than 24 hours ago.
    OlderThan24h {
        /// How long ago.
        age: Duration,
    },
    /// The setting for encryption is no longer the one the current file was created with.
    EncryptionChanged {
        /// The setting from now on.
        encrypted: bool,
    },
    /// The current file has another version of the container format.
    FormatChanged {
        /// The current file's version.
        from: u16,
        /// The version to write.
        to: u16,
    },
}

/// Decides whether a backup begins a new file or is appended to the current one.
///
/// `current` is the database's newest file on the extent that the session goes to; `now` is the
/// repository's clock. A new file is begun for every full, when there is no file, when the
/// settings changed, and when the current file was created strictly more than 24 hours ago.
/// A clock that was set back makes a file look younger than it is, or not yet created: such a
/// file is appended to, and is left behind at the next full at the latest.
///
/// ```
/// use vab_chain::{BackupKind, CurrentFile, FileDecision, FileSettings, UtcTime, next_file};
///
/// let settings = FileSettings { encrypted: false, format_version: 1 };
/// let created: UtcTime = "2026-11-22T08:00:00Z".parse()?;
/// let current = CurrentFile { created, settings };
/// let decide = |now: &str| -> Result<FileDecision, vab_chain::ParseTimeError> {
///     Ok(next_file(BackupKind::Log, false, Some(&current), &settings, now.parse()?))
/// };
/// assert_eq!(decide("2026-11-23T08:00:00Z")?, FileDecision::Append);
/// assert_eq!(
///     decide("2026-11-23T08:03:00Z")?.to_string(),
///     "new file: the current one was created 24 h 03 min ago, which is more than 24 hours"
/// );
/// # Ok::<(), vab_chain::ParseTimeError>(())
/// ```
pub fn next_file(
    kind: BackupKind,
    copy_only: bool,
    current: Option<&CurrentFile>,
    wanted: &FileSettings,
    now: UtcTime,
) -> FileDecision {
    match reason_for_new_file(kind, copy_only, current, *wanted, now) {
        Some(reason) => FileDecision::NewFile(reason),
        None => FileDecision::Append,
    }
}

fn reason_for_new_file(
    kind: BackupKind,
    copy_only: bool,
    current: Option<&CurrentFile>,
    wanted: FileSettings,
    now: UtcTime,
) -> Option<NewFileReason> {
    if kind == BackupKind::Full {
        return Some(NewFileReason::Full { copy_only });
    }
    let Some(current) = current else {
        return Some(NewFileReason::NoFile);
    };
    if current.settings.encrypted != wanted.encrypted {
        return Some(NewFileReason::EncryptionChanged {
            encrypted: wanted.encrypted,
        });
    }
    if current.settings.format_version != wanted.format_version {
        return Some(NewFileReason::FormatChanged {
            from: current.settings.format_version,
            to: wanted.format_version,
        });
    }
    let age = u64::try_from(now.micros_since(current.created))
        .map_or(Duration::ZERO, Duration::from_micros);
    (age > FILE_OPEN_FOR).then_some(NewFileReason::OlderThan24h { age })
}

impl fmt::Display for FileDecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Append => f.write_str("append to the current file"),
            Self::NewFile(reason) => write!(f, "new file: {reason}"),
        }
    }
}

impl fmt::Display for NewFileReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFile => f.write_str("the database has no file here yet"),
            Self::Full { copy_only: false } => f.write_str("a full backup always begins one"),
            Self::Full { copy_only: true } => {
                f.write_str("a full backup always begins one, copy-only too")
            }
            Self::OlderThan24h { age } => {
                let minutes = age.as_secs() / 60;
                write!(
                    f,
                    "the current one was created {} h {:02} min ago, which is more than 24 hours",
                    minutes / 60,
                    minutes % 60
                )
            }
            Self::EncryptionChanged { encrypted: true } => {
                f.write_str("the current one is not encrypted, and encryption is on now")
            }
            Self::EncryptionChanged { encrypted: false } => {
                f.write_str("the current one is encrypted, and encryption is off now")
            }
            Self::FormatChanged { from, to } => write!(
                f,
                "the current one has format version {from}, and version {to} is written now"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: FileSettings = FileSettings {
        encrypted: false,
        format_version: 1,
    };
    const DAY: i64 = 24 * 60 * 60 * 1_000_000;

    fn decide(kind: BackupKind, age_micros: i64) -> FileDecision {
        let current = CurrentFile {
            created: UtcTime::from_micros(5 * DAY),
            settings: SETTINGS,
        };
        let now = UtcTime::from_micros(5 * DAY + age_micros);
        next_file(kind, false, Some(&current), &SETTINGS, now)
    }

    #[test]
    fn twenty_four_hours_to_the_microsecond_still_append() {
        assert_eq!(decide(BackupKind::Log, DAY), FileDecision::Append);
        assert_eq!(
            decide(BackupKind::Log, DAY + 1),
            FileDecision::NewFile(NewFileReason::OlderThan24h {
                age: Duration::from_micros(u64::try_from(DAY).unwrap() + 1)
            })
        );
    }

    #[test]
    fn a_differential_is_appended_too() {
        assert_eq!(decide(BackupKind::Differential, 1), FileDecision::Append);
    }

    #[test]
    fn every_full_begins_a_file() {
        for copy_only in [false, true] {
            let current = CurrentFile {
                created: UtcTime::from_micros(0),
                settings: SETTINGS,
            };
            assert_eq!(
                next_file(
                    BackupKind::Full,
                    copy_only,
                    Some(&current),
                    &SETTINGS,
                    UtcTime::from_micros(1)
                ),
                FileDecision::NewFile(NewFileReason::Full { copy_only })
            );
        }
    }

    #[test]
    fn no_file_means_a_new_one() {
        assert_eq!(
            next_file(
                BackupKind::Log,
                false,
                None,
                &SETTINGS,
                UtcTime::from_micros(0)
            ),
            FileDecision::NewFile(NewFileReason::NoFile)
        );
    }

    #[test]
    fn a_clock_set_back_appends() {
        assert_eq!(decide(BackupKind::Log, -1), FileDecision::Append);
        assert_eq!(decide(BackupKind::Log, -400 * DAY), FileDecision::Append);
    }

    #[test]
    fn times_at_the_ends_of_the_range_do_not_overflow() {
        let at = |created, now| {
            let current = CurrentFile {
                created: UtcTime::from_micros(created),
                settings: SETTINGS,
            };
            next_file(
                BackupKind::Log,
                false,
                Some(&current),
                &SETTINGS,
                UtcTime::from_micros(now),
            )
        };
        assert_eq!(at(i64::MAX, i64::MIN), FileDecision::Append);
        assert!(matches!(
            at(i64::MIN, i64::MAX),
            FileDecision::NewFile(NewFileReason::OlderThan24h { .. })
        ));
    }

    #[test]
    fn changed_settings_begin_a_file() {
        let current = CurrentFile {
            created: UtcTime::from_micros(0),
            settings: SETTINGS,
        };
        let wanted = |wanted| {
            next_file(
                BackupKind::Log,
                false,
                Some(&current),
                &wanted,
                UtcTime::from_micros(0),
            )
            .to_string()
        };
        assert_eq!(
            wanted(FileSettings {
                encrypted: true,
                ..SETTINGS
            }),
            "new file: the current one is not encrypted, and encryption is on now"
        );
        assert_eq!(
            wanted(FileSettings {
                format_version: 2,
                ..SETTINGS
            }),
            "new file: the current one has format version 1, and version 2 is written now"
        );
    }
}
