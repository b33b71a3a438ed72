//! Native SQL Server backup files as an engine: finds the media sets among files, plays them
//! through virtual devices as a running backup would, and writes them back from there.
//!
//! ```no_run
//! use vab_engine::bak;
//!
//! let found = bak::discover(["/mnt/old-backups"]);
//! for set in &found.sets {
//!     println!("{set}, {} bytes in {} files", set.length(), set.stripes().len());
//! }
//! for problem in &found.problems {
//!     eprintln!("{problem}");
//! }
//! ```
//!
//! Nothing here trusts a file name: headers say which files belong together and in which order
//! they come.

mod discover;
mod engine;
mod export;
mod files;
mod group;
mod media_set;
mod names;
mod play;
mod problem;
mod sizes;
mod stripes;
mod write_back;

pub use discover::{Discovered, discover};
pub use export::{Existing, ExportError, ExportRequest, Exported, ExportedFile, export};
pub use media_set::{MediaSet, Stripe};
pub use names::file_names;
pub use play::{PlayError, PlayRequest, Played};
pub use problem::{Note, Problem};

#[cfg(test)]
mod tests;
