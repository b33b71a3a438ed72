//! One entry for everything that reads bytes from outside: any input must end without a panic, and
//! without more memory than a small multiple of what the format allows.
//!
//! The fuzzer calls these, and so does the test that replays the kept corpus. What lies under
//! checksums would never be reached by chance, so an entry decides by the first byte of its input
//! whether it makes the checksums right before it decodes.

#![forbid(unsafe_code)]
#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a broken promise is to end the run"
)]

mod codec;
mod input;
mod keys;
mod metadata;
mod native;
mod records;
mod seeds;
mod stamp;
mod text;
mod whole;

pub use codec::payload;
pub use keys::key_area;
pub use metadata::{facts, session_record, vacm, vasm};
pub use native::native_backup;
pub use records::{block_header, commit, frame, index_segment, trailer, vab_header};
pub use seeds::seeds;
pub use text::text;
pub use vab_manager::fuzzing::messages as manager_messages;
pub use vab_mover::fuzzing::{
    backup_source as mover_backup_source, backup_target as mover_backup_target,
    restores as mover_restores, wire as mover_wire,
};
pub use vab_repository::fuzzing::small_files;
pub use vab_vdi::pipe::fuzzing::messages as device_messages;
pub use whole::{repository, salvage, taken_up};

/// The body of a fuzz target.
pub type Entry = fn(&[u8]);

/// Every target by its name, the cheap ones first.
pub const TARGETS: &[(&str, Entry)] = &[
    ("block_header", block_header),
    ("trailer", trailer),
    ("frame", frame),
    ("vab_header", vab_header),
    ("session_record", session_record),
    ("facts", facts),
    ("index_segment", index_segment),
    ("commit", commit),
    ("vasm", vasm),
    ("vacm", vacm),
    ("key_area", key_area),
    ("payload", payload),
    ("mover_wire", mover_wire),
    ("mover_backup_target", mover_backup_target),
    ("mover_backup_source", mover_backup_source),
    ("mover_restores", mover_restores),
    ("device_messages", device_messages),
    ("manager_messages", manager_messages),
    ("text", text),
    ("small_files", small_files),
    ("native_backup", native_backup),
    ("salvage", salvage),
    ("taken_up", taken_up),
    ("repository", repository),
];
