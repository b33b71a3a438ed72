//! Reads the Microsoft Tape Format of native SQL Server backup files.
//!
//! A medium is one file of a backup, or one stripe of it. It is a row of blocks, each a
//! descriptor with streams behind it; SQL Server's own facts are in two of the streams. The reader
//! walks from block to block by the lengths that they give and checks every header's checksum; it
//! never searches for anything, because a page of a database may hold bytes that look like a block.
//!
//! ```no_run
//! use vab_engine::mtf::{self, Medium};
//!
//! let mut file = std::fs::File::open("sales.bak")?;
//! if let Medium::Native(medium) = mtf::read(&mut file)? {
//!     for set in &medium.sets {
//!         let facts = set.backup_set(medium.family.count)?;
//!         println!("{} of {}: {}..{}", facts.kind, facts.database, facts.first_lsn, facts.last_lsn);
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A medium made `WITH COMPRESSION` is read as well where its layout, which is not published, is the
//! one that is known; else all that is known of it is that it is one.

mod block;
mod config;
mod container;
mod contents;
mod data_file;
mod date;
mod error;
mod facts;
mod fields;
mod intake;
mod read;
mod set_start;
mod streaming;
mod tape;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod walk;
mod xpress;

pub use config::ConfigRecord;
pub use data_file::DataFile;
pub use error::{Expected, MtfError, ReadError, Tag};
pub use facts::{CompressedContainer, Medium, NativeMedium, SetFacts, UnsupportedKind};
pub use read::{read, read_bytes};
pub use set_start::SetStart;
pub use streaming::StreamingReader;
pub use tape::{Family, MAX_STRIPES, TapeHeader};
