//! Limits of the formats. Every length from outside is checked against one of these before
//! anything is allocated for it.

/// Records begin and end at multiples of this many bytes, so that a writer may use direct IO.
pub const ALIGNMENT: u64 = 4096;

/// The most raw bytes that one block may hold, and the most stored bytes of a block that is not
/// encrypted: 4 MiB.
pub const MAX_BLOCK_LENGTH: u32 = 4 << 20;

/// The bytes by which an encrypted payload is longer than what was encrypted: the session's salt
/// before it, the authentication tag behind it.
pub const ENCRYPTION_OVERHEAD: u32 = 32;

/// How many of these bytes lie before what was encrypted; the others lie behind it.
pub const ENCRYPTION_HEAD: u32 = 16;

/// The most stored bytes of any block.
pub const MAX_STORED_LENGTH: u32 = MAX_BLOCK_LENGTH + ENCRYPTION_OVERHEAD;

/// The longest name of a job, database, server or file, in bytes of UTF-8.
pub const MAX_NAME_LENGTH: usize = 1024;

/// The most streams of one session (virtual devices of one backup).
pub const MAX_STREAMS: usize = 64;

/// The longest encoded session record, in bytes.
pub const MAX_SESSION_RECORD_LENGTH: usize = 80 << 10;

/// The most entries of one index segment.
pub const MAX_INDEX_ENTRIES: usize = 65_536;

/// The longest payload of a commit record, in bytes.
pub const MAX_COMMIT_LENGTH: u32 = 8 << 20;

/// The most sessions that one `.VASM` lists.
pub const MAX_SESSIONS: u32 = 1 << 20;

/// The most files that one `.VACM` lists.
pub const MAX_FILES: u32 = 1 << 20;

/// No file offset is beyond this: 2^56, far above any file system's limit, low enough that sums
/// of offsets and lengths cannot overflow.
pub const MAX_FILE_LENGTH: u64 = 1 << 56;
