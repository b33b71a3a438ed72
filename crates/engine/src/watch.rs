//! Reads the streams of a backup while they pass, to hold them against what the engine says.

use std::error::Error;
use std::fmt;

use vab_chain::BackupSet;

/// Is called with the bytes of one stream, each once and in order; must not block.
pub type StreamTap = Box<dyn FnMut(&[u8]) + Send>;

/// Watches the streams of one backup.
pub trait BackupWatch: Send {
    /// What the bytes of a stream, counted from 0, are to be given to.
    fn tap(&mut self, stream: usize) -> StreamTap;

    /// Whether what passed is the backup that the engine tells of. Asked once, when every stream
    /// has ended and the engine's statement has succeeded.
    ///
    /// # Errors
    /// When it is not: there must be no restore point of it.
    fn check(self: Box<Self>, told: &BackupSet) -> Result<Watched, Disagreement>;
}

/// How much of a backup could be held against its streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Watched {
    /// Every stream was read to its end, and says the same.
    Whole,
    /// Only what stands at the beginning of the streams was read, and says the same.
    Beginning {
        /// Why not the rest.
        reason: String,
    },
    /// Nothing in the streams could be read: the engine's word stands alone.
    Nothing {
        /// Why not.
        reason: String,
    },
}

/// The streams of a backup are not what the engine says it made.
#[derive(Debug, thiserror::Error)]
#[error(
    "what the engine says about the backup is not what its streams say, so it is no restore point; \
     look at what else runs at this server, and take a full backup"
)]
pub struct Disagreement(#[source] Box<dyn Error + Send + Sync>);

impl Disagreement {
    /// With the fact in which they differ.
    pub fn new(fact: impl Error + Send + Sync + 'static) -> Self {
        Self(Box::new(fact))
    }
}

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => f.write_str("the streams say what the engine says"),
            Self::Beginning { reason } => write!(
                f,
                "the streams begin as the engine says; the rest was not checked against it: {reason}"
            ),
            Self::Nothing { reason } => write!(
                f,
                "the streams cannot be held against what the engine says, which is believed: {reason}"
            ),
        }
    }
}
