//! What can be wrong with bytes from outside.

use std::fmt;

use uuid::Uuid;

/// The part of a file that an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Part {
    /// The 64 bytes that the source puts before a block.
    BlockHeader,
    /// The payload of a block.
    BlockPayload,
    /// The 64 bytes that the target puts behind a record's header.
    Placement,
    /// The 64 bytes at the start of a record that is no block.
    RecordHeader,
    /// The payload of a record that is no block.
    RecordPayload,
    /// The zero bytes between a record's payload and its end.
    Padding,
    /// The end of a stream: its totals and its checksum.
    StreamEnd,
    /// What a session's commit says about the backup.
    SessionRecord,
    /// A list of the places of a stream's blocks.
    IndexSegment,
    /// A commit record.
    Commit,
    /// The last 64 bytes of a commit record.
    Trailer,
    /// The header of a `.VAB` file.
    VabHeader,
    /// A key slot of an encrypted `.VAB` file.
    KeySlot,
    /// A `.VASM` file.
    Vasm,
    /// A `.VACM` file.
    Vacm,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::BlockHeader => "block header",
            Self::BlockPayload => "block payload",
            Self::Placement => "record placement",
            Self::RecordHeader => "record header",
            Self::RecordPayload => "record payload",
            Self::Padding => "record padding",
            Self::StreamEnd => "stream end",
            Self::SessionRecord => "session record",
            Self::IndexSegment => "index segment",
            Self::Commit => "commit record",
            Self::Trailer => "commit trailer",
            Self::VabHeader => ".VAB header",
            Self::KeySlot => "key slot",
            Self::Vasm => ".VASM file",
            Self::Vacm => ".VACM file",
        })
    }
}

/// Why bytes could not be taken for what they should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Fewer bytes than the structure needs.
    #[error("{part} is cut short: {needed} bytes are needed, {found} are there")]
    Truncated {
        /// What was being read.
        part: Part,
        /// How many bytes it needs, at least.
        needed: u64,
        /// How many there are.
        found: u64,
    },
    /// The first bytes are not those of the structure.
    #[error("not a {part}: it begins with {found:02x?}")]
    BadMagic {
        /// What was being read.
        part: Part,
        /// The first eight bytes that were found; zero where there were fewer or the magic is
        /// shorter.
        found: [u8; 8],
    },
    /// The checksum does not match: the bytes are damaged.
    #[error("{part} is damaged: its checksum is {expected:#010x}, its bytes give {found:#010x}")]
    Checksum {
        /// What is damaged.
        part: Part,
        /// The checksum that is written down.
        expected: u32,
        /// The checksum of the bytes that are there.
        found: u32,
    },
    /// Made by a later version.
    #[error(
        "{part} has format version {found}; this program reads versions up to {supported}: \
         use a newer version of it"
    )]
    UnsupportedVersion {
        /// What was being read.
        part: Part,
        /// Its version.
        found: u16,
        /// The greatest version that can be read.
        supported: u16,
    },
    /// Needs features that this program does not have.
    #[error(
        "{part} needs features that this program does not know (incompatible flags {unknown:#x}): \
         use a newer version of it"
    )]
    UnknownFeatures {
        /// What was being read.
        part: Part,
        /// The unknown bits of the incompatible flags.
        unknown: u64,
    },
    /// Has features that this program does not have, and may be read but not written.
    #[error(
        "{part} has features that this program does not know (read-only flags {unknown:#x}): \
         it can be read; use a newer version to write to it"
    )]
    ReadOnlyFeatures {
        /// What was being read.
        part: Part,
        /// The unknown bits of the read-only compatible flags.
        unknown: u64,
    },
    /// A length or count is beyond its limit.
    #[error("{part}: {field} is {length}, the limit is {limit}")]
    OverLimit {
        /// What was being read.
        part: Part,
        /// The field.
        field: &'static str,
        /// Its value.
        length: u64,
        /// The limit.
        limit: u64,
    },
    /// A field has a value that it cannot have.
    #[error("{part}: {field} cannot be {found}")]
    InvalidValue {
        /// What was being read.
        part: Part,
        /// The field.
        field: &'static str,
        /// Its value.
        found: u64,
    },
    /// A name is not UTF-8.
    #[error("{part}: {field} is not UTF-8")]
    NotUtf8 {
        /// What was being read.
        part: Part,
        /// The field.
        field: &'static str,
    },
    /// More bytes than the structure has.
    #[error("{part} is followed by {extra} bytes that do not belong to it")]
    TrailingBytes {
        /// What was being read.
        part: Part,
        /// How many bytes are too many.
        extra: u64,
    },
    /// A record says that it belongs at another place of the file: a misplaced or lost write.
    #[error("record at {expected} says that it was written at {found}")]
    Misplaced {
        /// Where the record is.
        expected: u64,
        /// Where it says it is.
        found: u64,
    },
    /// A record of another file.
    #[error("record belongs to file {found}, this is file {expected}")]
    ForeignFile {
        /// The file that was read.
        expected: Uuid,
        /// The file the record was made for.
        found: Uuid,
    },
    /// A record of an earlier or later session: a stale write.
    #[error("record belongs to session number {found} of the file, number {expected} is due here")]
    WrongOrdinal {
        /// The ordinal of the session that is due.
        expected: u64,
        /// The ordinal of the record's session.
        found: u64,
    },
    /// A record of another session than the records around it: left over from an aborted session.
    #[error("record belongs to session {found}, those around it to {expected}")]
    WrongSession {
        /// The session that is due.
        expected: Uuid,
        /// The record's session.
        found: Uuid,
    },
    /// A record of another kind.
    #[error("record is a {found}, a {expected} is due here")]
    WrongKind {
        /// The kind that is due.
        expected: crate::record::RecordKind,
        /// The record's kind.
        found: crate::record::RecordKind,
    },
    /// A block of a stream is missing, twice there, or out of order.
    #[error("stream {stream}: block {found} where block {expected} is due")]
    OutOfSequence {
        /// The stream.
        stream: u16,
        /// The sequence number that is due.
        expected: u64,
        /// The sequence number found.
        found: u64,
    },
    /// A byte that must be zero is not.
    #[error("{part}: byte {at} is {found:#04x} and must be zero")]
    NotZero {
        /// What was being read.
        part: Part,
        /// The byte's place in it.
        at: u64,
        /// Its value.
        found: u8,
    },
    /// Two places that must say the same differ.
    #[error("{part}: {field} is {found}, {expected} was expected")]
    Disagrees {
        /// What was being read.
        part: Part,
        /// The field.
        field: &'static str,
        /// What the rest of the file says.
        expected: u64,
        /// What this place says.
        found: u64,
    },
}

/// Why a value cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A name, list or record is longer than the format allows.
    #[error("{part}: {field} is {length} long, the limit is {limit}")]
    OverLimit {
        /// What was to be written.
        part: Part,
        /// The field.
        field: &'static str,
        /// Its length.
        length: u64,
        /// The limit.
        limit: u64,
    },
}

/// Why a session cannot be committed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// What was said about the session is not what came.
    #[error("the session does not agree with its blocks")]
    Claim(#[from] DecodeError),
    /// What was said about the session does not fit the format.
    #[error("the session cannot be written down")]
    Encode(#[from] EncodeError),
}
