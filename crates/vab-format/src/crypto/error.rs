//! What can go wrong with keys.

use crate::error::EncodeError;

/// Why something could not be encrypted, wrapped or unlocked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CryptoError {
    /// The operating system gives no random numbers.
    #[error("the operating system gives no random numbers")]
    NoRandomness,
    /// The file has no whole key slot.
    #[error("the file has no key slot that can be read: it cannot be decrypted")]
    NoSlots,
    /// No slot opens with this secret.
    #[error(
        "none of the {tried} key slots of the file opens with this secret: \
         use another passphrase or key"
    )]
    WrongSecret {
        /// How many slots there are for this kind of secret.
        tried: usize,
    },
    /// A slot cannot be written down.
    #[error("the key slot cannot be written down")]
    Slot(#[from] EncodeError),
    /// Deriving a key from the passphrase failed.
    #[error("no key could be derived from the passphrase: {reason}")]
    Passphrase {
        /// What Argon2 says.
        reason: String,
    },
    /// The sealer of this stream was taken before.
    #[error("stream {stream} has its sealer already, or is no stream of a session")]
    StreamTaken {
        /// The stream.
        stream: u16,
    },
    /// The block is not the one that is due; a block is never encrypted twice in a session.
    #[error("block {found} of stream {stream} was to be encrypted where block {expected} is due")]
    OutOfSequence {
        /// The stream of the sealer.
        stream: u16,
        /// The sequence number that is due.
        expected: u64,
        /// The sequence number found.
        found: u64,
    },
    /// The block belongs to another session or stream, or is encrypted already.
    #[error("the block is not one of the stream that is to be encrypted")]
    ForeignBlock,
    /// The cipher refused; it does so only for lengths far beyond a block's.
    #[error("the cipher refused to work")]
    Cipher,
}
