//! What blocks are written to and read from at the target: the two sides of a store.

use std::fmt;

use uuid::Uuid;
use vab_format::stream::StreamEnd;
use vab_format::vab::KeyArea;

use crate::Block;

/// Where the target mover keeps what it receives. Every call may block; none runs on an IO thread.
///
/// `request`, `facts` and receipts are the manager's bytes, at most 64 KiB each; the mover never
/// looks inside.
pub trait Store: Send + Sync + 'static {
    /// Starts a session of `streams` streams.
    ///
    /// # Errors
    /// A [`Refusal`]; it travels to the source as it is.
    fn begin(&self, request: &[u8], streams: u16) -> Result<Box<dyn Intake>, Refusal>;

    /// Starts a session whose blocks are encrypted at the source.
    ///
    /// `keys` are the key slots for the case that a new file is begun. A session that goes into a
    /// file that is there is encrypted with that file's own key: [`Intake::keys`] says which slots
    /// are in force, and the source opens them. The store sees neither keys nor plaintext.
    ///
    /// # Errors
    /// A [`Refusal`]; it travels to the source as it is. The default refuses: a store that cannot
    /// keep key slots must not take what it could never give back.
    fn begin_encrypted(
        &self,
        request: &[u8],
        streams: u16,
        keys: &KeyArea,
    ) -> Result<Box<dyn Intake>, Refusal> {
        let _ = (request, streams, keys);
        Err(Refusal::new(
            RefusalKind::Unsupported,
            "this repository keeps no encrypted backups; back up without encryption",
        ))
    }

    /// Opens a committed session for reading.
    ///
    /// # Errors
    /// A [`Refusal`]; it travels to the source as it is.
    fn open(&self, request: &[u8]) -> Result<Box<dyn Outlet>, Refusal>;

    /// Answers a question of the manager, with at most 16 MiB.
    ///
    /// # Errors
    /// A [`Refusal`]; it travels to the source as it is.
    fn query(&self, request: &[u8]) -> Result<Vec<u8>, Refusal>;

    /// Takes up a session that this process does not know: the target was started again while a
    /// source was in the middle of it.
    ///
    /// `key` is what was given to [`Intake::keep_key`]; a store must not resume a session for
    /// another key. A store that cannot resume need not implement this.
    ///
    /// A store that only knows what was committed should say that much: it lets a source learn
    /// that its commit succeeded although the answer was lost.
    ///
    /// # Errors
    /// [`RefusalKind::UnknownSession`] if the session is surely neither open nor committed. Any
    /// other refusal ends the backup too, and leaves a commit that was on its way in doubt.
    fn resume(&self, session: Uuid, key: [u8; 16]) -> Result<Resumption, Refusal> {
        let _ = key;
        Err(Refusal::new(
            RefusalKind::Unsupported,
            format!(
                "session {session} cannot be taken up after the target was started again; run the backup again"
            ),
        ))
    }

    /// Which sessions exclude each other: of two with the same slot, a new one ends an old one
    /// whose source has gone. `None`, the default, excludes nothing.
    ///
    /// A store names its job and database here, so that a backup can be repeated at once after
    /// the machine of the source was lost.
    fn slot(&self, request: &[u8]) -> Option<Vec<u8>> {
        let _ = request;
        None
    }
}

/// What a store knows of a session it is asked to resume.
pub enum Resumption {
    /// It is open; the streams go on from these totals of what is durable.
    Open {
        /// The session.
        intake: Box<dyn Intake>,
        /// What is durable of each stream, in order of the streams.
        durable: Vec<StreamEnd>,
    },
    /// It was committed; this is the receipt.
    Committed {
        /// What [`Intake::commit`] returned.
        receipt: Vec<u8>,
    },
}

impl fmt::Debug for Resumption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { durable, .. } => f
                .debug_struct("Open")
                .field("durable", durable)
                .finish_non_exhaustive(),
            Self::Committed { receipt } => f
                .debug_struct("Committed")
                .field("receipt_bytes", &receipt.len())
                .finish(),
        }
    }
}

/// One session being written.
pub trait Intake: Send + Sync {
    /// Its identity, which every block header carries.
    fn session(&self) -> Uuid;

    /// The key slots in force; `None` if the session is not encrypted.
    fn keys(&self) -> Option<KeyArea> {
        None
    }

    /// Keeps the key a source must show to resume the session after the target was started again.
    ///
    /// # Errors
    /// A [`StoreError`] ends the session.
    fn keep_key(&self, key: [u8; 16]) -> Result<(), StoreError> {
        let _ = key;
        Ok(())
    }

    /// Checks the payload against its header ([`BlockHeader::verify`]), and writes the block.
    ///
    /// The mover has not looked at the payload: it is checked once at the target, and by whoever
    /// is the last to have it before it is kept.
    ///
    /// [`BlockHeader::verify`]: vab_format::block::BlockHeader::verify
    ///
    /// Called from several threads for different streams; the blocks of one stream come in
    /// sequence order, each once.
    ///
    /// # Errors
    /// A [`StoreError`] ends the session.
    fn write(&self, block: Block) -> Result<(), StoreError>;

    /// The first part of [`Intake::write`], and called instead of it: checks the block and gives
    /// it its place, in the order of its stream. The next one may come before this one is
    /// written, so that a store can work on several at a time. By default all is done here.
    ///
    /// # Errors
    /// A [`StoreError`] ends the session.
    fn place(&self, block: Block) -> Result<Placed<'_>, StoreError> {
        self.write(block).map(|()| Placed::written())
    }

    /// Makes durable what was given its place before the call, waiting for what is not written
    /// yet. May run while other blocks are placed and written.
    ///
    /// # Errors
    /// A [`StoreError`] ends the session.
    fn sync(&self) -> Result<(), StoreError>;

    /// Makes the session a restore point, or leaves nothing of it.
    ///
    /// # Errors
    /// A [`StoreError`] ends the session.
    fn commit(self: Box<Self>, facts: &[u8], ends: &[StreamEnd]) -> Result<Vec<u8>, StoreError>;

    /// Leaves nothing of the session. Dropping an intake without a call must do the same, now or
    /// when the store is opened again.
    fn abort(self: Box<Self>, reason: &str);
}

/// A block that has its place in the store and is to be written there.
pub struct Placed<'s>(Option<Write<'s>>);

type Write<'s> = Box<dyn FnOnce() -> Result<(), StoreError> + 's>;

impl<'s> Placed<'s> {
    /// One that is written.
    pub const fn written() -> Self {
        Self(None)
    }

    /// One that `write` writes, in the same thread, after or before blocks that come behind it.
    pub fn unwritten(write: impl FnOnce() -> Result<(), StoreError> + 's) -> Self {
        Self(Some(Box::new(write)))
    }

    /// Writes it if that is not done.
    ///
    /// # Errors
    /// A [`StoreError`] ends the session.
    pub fn write(self) -> Result<(), StoreError> {
        self.0.map_or(Ok(()), |write| write())
    }
}

impl fmt::Debug for Placed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Placed")
            .field("written", &self.0.is_none())
            .finish()
    }
}

/// One committed session being read.
pub trait Outlet: Send + Sync {
    /// Its identity.
    fn session(&self) -> Uuid;

    /// The totals of its streams, in order of the streams, which count from 0.
    fn streams(&self) -> &[StreamEnd];

    /// The key slots of the file it lies in; `None` if it is not encrypted.
    fn keys(&self) -> Option<KeyArea> {
        None
    }

    /// Reads a block. Called from several threads.
    ///
    /// # Errors
    /// A [`StoreError`] ends the restore.
    fn read(&self, stream: u16, sequence: u64) -> Result<Block, StoreError>;
}

/// Why a store cannot go on with a session.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no space left.
    #[error("the repository is full: {message}; free space and run the backup again")]
    Full {
        /// Where, and what is missing.
        message: String,
    },
    /// What was stored is damaged.
    #[error("stored data is damaged: {message}")]
    Damaged {
        /// What is damaged, and where.
        message: String,
    },
    /// The file system failed.
    #[error("the repository cannot be read or written: {0}")]
    Io(#[from] std::io::Error),
    /// Anything else.
    #[error("{message}")]
    Failed {
        /// What happened and what to do next.
        message: String,
    },
}

/// A request the target does not serve. It travels over the wire.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct Refusal {
    /// The class of the reason.
    pub kind: RefusalKind,
    /// What happened and what to do next; cut at 4096 bytes on the wire.
    pub message: String,
}

impl Refusal {
    /// A refusal.
    pub fn new(kind: RefusalKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }
}

/// The class of a [`Refusal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefusalKind {
    /// The request makes no sense to the target.
    Invalid,
    /// What is asked for is not there.
    NotFound,
    /// In use by another; may work later.
    Busy,
    /// No space.
    Full,
    /// Not allowed to this peer.
    Forbidden,
    /// The target does not have this ability.
    Unsupported,
    /// The target is about to stop; may work later.
    ShuttingDown,
    /// The session to resume is neither open nor committed.
    UnknownSession,
    /// The target tried and failed.
    Failed,
    /// A class this version does not know.
    Other(u16),
}

impl RefusalKind {
    /// The number on the wire.
    pub const fn number(self) -> u16 {
        match self {
            Self::Invalid => 1,
            Self::NotFound => 2,
            Self::Busy => 3,
            Self::Full => 4,
            Self::Forbidden => 5,
            Self::Unsupported => 6,
            Self::ShuttingDown => 7,
            Self::UnknownSession => 8,
            Self::Failed => 9,
            Self::Other(number) => number,
        }
    }

    /// Whether a source that resumes asks again.
    pub(crate) const fn passes(self) -> bool {
        matches!(self, Self::ShuttingDown | Self::Busy)
    }

    /// The class with this number.
    pub const fn from_number(number: u16) -> Self {
        match number {
            1 => Self::Invalid,
            2 => Self::NotFound,
            3 => Self::Busy,
            4 => Self::Full,
            5 => Self::Forbidden,
            6 => Self::Unsupported,
            7 => Self::ShuttingDown,
            8 => Self::UnknownSession,
            9 => Self::Failed,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for RefusalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid => f.write_str("invalid request"),
            Self::NotFound => f.write_str("not found"),
            Self::Busy => f.write_str("in use"),
            Self::Full => f.write_str("no space"),
            Self::Forbidden => f.write_str("not allowed"),
            Self::Unsupported => f.write_str("not supported"),
            Self::ShuttingDown => f.write_str("shutting down"),
            Self::UnknownSession => f.write_str("unknown session"),
            Self::Failed => f.write_str("failed"),
            Self::Other(number) => write!(f, "refused ({number})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_keeps_its_number() {
        for number in 0..20 {
            assert_eq!(RefusalKind::from_number(number).number(), number);
        }
    }
}
