//! Encryption of blocks with AES-256-GCM, where the backup is read.
//!
//! Whoever keeps the file sees neither plaintext nor keys. A file has one data key, wrapped in key
//! slots ([`crate::vab::KeyArea`]); from it every session derives its own key.
//!
//! ```
//! use uuid::Uuid;
//! use vab_format::block::BlockHeader;
//! use vab_format::codec::Decoder;
//! use vab_format::crypto::{DataKey, Secret, SessionSealer, unlock, wrap};
//! use vab_format::vab::KeyArea;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let secret = Secret::key([7; 32]);
//! let data_key = DataKey::random()?;
//! let area = KeyArea::of([wrap(&data_key, &secret, "backup server")?]);
//!
//! let session = Uuid::from_u128(1);
//! let mut stream = SessionSealer::new(&data_key, session)?.stream(0)?;
//! let (header, payload) = stream.seal(&BlockHeader::for_raw(session, 0, 0, 0, b"pages"), b"pages")?;
//!
//! let mut decoder = Decoder::with_key(unlock(&area, &secret)?);
//! assert_eq!(decoder.decode(&header, payload)?, b"pages".as_slice());
//! # Ok(())
//! # }
//! ```

mod derive;
mod error;
mod key;
mod opener;
mod sealer;
mod slot;
#[cfg(test)]
mod tests;

pub use error::CryptoError;
pub use key::{DataKey, Secret, random_key};
pub(crate) use opener::Opener;
pub use sealer::{SessionSealer, StreamSealer};
pub use slot::{unlock, wrap, wrap_with_cost};
