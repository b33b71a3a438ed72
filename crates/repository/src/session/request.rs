//! What a session is to hold.

use vab_chain::{BackupKind, UtcTime};
use vab_format::limits::{MAX_NAME_LENGTH, MAX_STREAMS};

use super::BeginError;

/// What a session is to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRequest {
    /// The job, 1 to 1024 bytes. Its folder is created when there is none.
    pub job: String,
    /// The database, as its server calls it, 1 to 1024 bytes.
    pub database: String,
    /// Full, differential or log; `None` when that is not known: then a new file is begun.
    pub kind: Option<BackupKind>,
    /// Whether the backup stands outside the chain of its database.
    pub copy_only: bool,
    /// Whether the blocks will be encrypted.
    pub encrypted: bool,
    /// How many streams, 1 to 64.
    pub streams: u16,
    /// The repository's clock.
    pub now: UtcTime,
}

impl SessionRequest {
    pub(crate) fn check(&self) -> Result<(), BeginError> {
        if self.streams == 0 || usize::from(self.streams) > MAX_STREAMS {
            let limit = u16::try_from(MAX_STREAMS).unwrap_or(u16::MAX);
            return Err(BeginError::Streams {
                streams: self.streams,
                limit,
            });
        }
        for (what, name) in [("job", &self.job), ("database", &self.database)] {
            let (length, limit) = (name.len(), MAX_NAME_LENGTH);
            if length == 0 || length > limit {
                return Err(BeginError::Name {
                    what,
                    length,
                    limit,
                });
            }
        }
        Ok(())
    }
}
