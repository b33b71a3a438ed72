//! Backup repository: job folders, crash-safe append sessions, recovery, verify, rescan and
//! retention over .VAB files.

#![forbid(unsafe_code)]

pub mod facts;
pub mod names;
pub mod storage;
