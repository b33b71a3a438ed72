use std::io;
use std::time::Duration;

use vab_format::block::Codec;
use vab_format::codec::CompressError;
use vab_vdi::DeviceError;

use super::keys::KeyError;
use crate::Refusal;
use crate::proto::{Failure, HelloError};

/// Why a target cannot be reached.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nobody answers.
    #[error("{address} cannot be reached: {source}; is the target mover running there?")]
    Unreachable {
        /// The address that was tried.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody listens, but does not greet in time.
    #[error("{address} did not answer within {} s; is a target mover running there?", limit.as_secs())]
    TimedOut {
        /// The address that was tried.
        address: String,
        /// How long was waited.
        limit: Duration,
    },
    /// Somebody else, or another version, answers.
    #[error("{address}: {source}")]
    Hello {
        /// The address that was tried.
        address: String,
        /// What is wrong with the greeting.
        source: HelloError,
    },
    /// The target wants TLS, and the source has none.
    #[error(
        "{address} wants TLS; say whom to trust: the authority that signed its certificate (--tls-ca), or the fingerprint of that (--tls-fingerprint)"
    )]
    WantsTls {
        /// The address that was tried.
        address: String,
    },
    /// The source wants TLS, and the target has none.
    #[error(
        "{address} does not speak TLS, and a source that was told to use it never goes on without; give the target a certificate, or check the address"
    )]
    NoTls {
        /// The address that was tried.
        address: String,
    },
    /// The two do not trust each other, or the handshake failed otherwise.
    #[cfg(feature = "tls")]
    #[error("{address}: {source}")]
    Tls {
        /// The address that was tried.
        address: String,
        /// What is wrong.
        source: crate::security::TlsProblem,
    },
    /// The target asks for a token, and the source has none.
    #[error(
        "{address} wants a token, over TLS; give the one that the target has (--token-file or VAB_TOKEN)"
    )]
    WantsToken {
        /// The address that was tried.
        address: String,
    },
    /// The target does not let the source in.
    #[error("{address} does not let this source in: {refusal}")]
    NotLetIn {
        /// The address that was tried.
        address: String,
        /// What it said.
        refusal: Refusal,
    },
    /// The connection was closed during the greeting.
    #[error(
        "{address} closed the connection during the greeting: {cause}; it may be another program, or have too many connections"
    )]
    Closed {
        /// The address that was tried.
        address: String,
        /// What happened.
        cause: String,
    },
}

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The target was not reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The target refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The connection was lost; whether the question was heard is not known.
    #[error("the connection was lost before the answer came: {cause}; ask again")]
    Lost {
        /// What happened.
        cause: String,
    },
    /// The answer took too long.
    #[error("no answer within {} s; ask again", limit.as_secs())]
    TimedOut {
        /// How long was waited.
        limit: Duration,
    },
}

/// Why a backup ended without a restore point.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The target was not reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The session failed between the two movers, or at the target.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// A stream failed at its device.
    #[error("stream {stream}: {source}")]
    Stream {
        /// The stream.
        stream: u16,
        /// What happened to it.
        source: StreamError,
    },
    /// The number of devices is not that of the streams.
    #[error("the session has {streams} streams, {devices} devices were given")]
    Devices {
        /// Streams of the session.
        streams: u16,
        /// Devices given.
        devices: usize,
    },
    /// No thread can be started.
    #[error("no thread can be started for a device: {0}; run fewer streams")]
    Thread(#[source] io::Error),
    /// Blocks cannot be compressed in the way that was asked for.
    #[error(transparent)]
    Compression(#[from] CompressError),
    /// Blocks cannot be encrypted.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Why a backup that was streamed has no restore point, or may have none.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// The facts are too long to travel.
    #[error("the facts of the backup have {length} bytes; at most {limit} can travel")]
    TooLong {
        /// Their length.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// The session failed. [`Failure::CommitInDoubt`] is the one case in which the restore point
    /// may exist.
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// Why a restore did not reach its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The target was not reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The session failed between the two movers, or at the target.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// A stream failed at its device.
    #[error("stream {stream}: {source}")]
    Stream {
        /// The stream.
        stream: u16,
        /// What happened to it.
        source: StreamError,
    },
    /// The number of devices is not that of the streams.
    #[error(
        "the restore point has {streams} streams, {devices} devices were given; restore with {streams}"
    )]
    Devices {
        /// Streams of the session.
        streams: usize,
        /// Devices given.
        devices: usize,
    },
    /// No thread can be started.
    #[error("no thread can be started for a device: {0}; run fewer streams")]
    Thread(#[source] io::Error),
    /// The restore point is encrypted, and does not open. Nothing was given to the engine.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// What happens to one stream at its device.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// The device failed or was aborted.
    #[error("the virtual device failed: {0}")]
    Device(#[from] DeviceError),
    /// A block arrived that is not what was stored.
    #[error(
        "block {sequence} is damaged: {cause}; the restore cannot go on from this restore point"
    )]
    Damaged {
        /// The block.
        sequence: u64,
        /// What is wrong with it.
        cause: String,
    },
    /// A block is compressed in a way that this program was built without.
    #[error(
        "block {sequence} is compressed with {codec}, which this program was built without; use one that has it"
    )]
    Codec {
        /// The block.
        sequence: u64,
        /// How it is stored.
        codec: Codec,
    },
    /// The stream's bytes are not those that were backed up, although every block is sound.
    #[error(
        "the stream has the checksum {found:08x}, {expected:08x} was backed up; the restore cannot go on from this restore point"
    )]
    Checksum {
        /// What was backed up.
        expected: u32,
        /// What came out.
        found: u32,
    },
    /// A block could not be compressed.
    #[error(transparent)]
    Compress(CompressError),
    /// A block could not be encrypted.
    #[error(transparent)]
    Encrypt(KeyError),
    /// The engine asked for something that is not part of the operation.
    #[error("the engine asked to {asked} during a {during}")]
    Unexpected {
        /// What it asked for.
        asked: &'static str,
        /// What is going on.
        during: &'static str,
    },
    /// The session failed; another error says why.
    #[error("the session ended")]
    SessionOver,
    /// The thread of the stream panicked.
    #[error("the stream's thread failed inside")]
    Panicked,
}
