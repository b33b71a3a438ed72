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
mod files;
mod group;
mod media_set;
mod problem;

pub use discover::{Discovered, discover};
pub use media_set::{MediaSet, Stripe};
pub use problem::{Note, Problem};
