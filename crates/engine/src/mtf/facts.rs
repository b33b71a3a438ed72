//! What a whole medium said, and its backup sets in the words of the chain.

use vab_chain::{
    BackupKind, BackupSet, BackupSetId, DatabaseId, DifferentialBase, ForkId, Lsn, SetFlags,
};

use super::{ConfigRecord, Family, SetStart, TapeHeader};

/// A whole medium: one file of a backup, or one stripe of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Medium {
    /// The tape format, readable.
    Native(NativeMedium),
    /// A compressed container.
    Compressed(CompressedContainer),
}

impl Medium {
    /// What is known of it: `None` of a compressed container of another layout than the known one.
    pub fn native(&self) -> Option<&NativeMedium> {
        match self {
            Self::Native(medium) => Some(medium),
            Self::Compressed(container) => container.inside.as_ref(),
        }
    }

    /// Its length in bytes.
    pub fn length(&self) -> u64 {
        match self {
            Self::Native(medium) => medium.length,
            Self::Compressed(container) => container.length,
        }
    }
}

/// A medium made `WITH COMPRESSION` (`MSSQLBAK`).
///
/// How such a container is laid out is not published. Where its layout is the one that is known
/// here, its facts are read from inside; else kind, LSNs, database and stripe are **not known**,
/// and `RESTORE HEADERONLY` has to tell them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompressedContainer {
    /// Its length in bytes.
    pub length: u64,
    /// What is inside, with lengths and offsets as they are unpacked; `None` when not known.
    pub inside: Option<NativeMedium>,
}

/// A medium in the uncompressed tape format.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NativeMedium {
    /// The first block.
    pub tape: TapeHeader,
    /// Which stripe of which media set.
    pub family: Family,
    /// The physical block size in bytes, 512 to 65536.
    pub block_size: u32,
    /// The backup sets, at least one, in the order of the medium.
    pub sets: Vec<SetFacts>,
    /// Length in bytes, of everything.
    pub length: u64,
    /// Bytes after the last set's end, which SQL Server does not read.
    pub trailing: u64,
}

/// One backup set of a medium.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SetFacts {
    /// Where it begins on the medium, in bytes.
    pub offset: u64,
    /// Its first block.
    pub start: SetStart,
    /// The configuration record at the beginning.
    pub first: ConfigRecord,
    /// The configuration record at the end; `None` while it has not been read yet.
    pub last: Option<ConfigRecord>,
    /// Whether its data streams are under a checksum (`WITH CHECKSUM`).
    pub stream_checksums: bool,
    /// Bytes of database pages.
    pub data_bytes: u64,
    /// Bytes of log.
    pub log_bytes: u64,
}

/// A kind of backup that the chain has no rules for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is not supported; only full, differential and log backups are", kind_name(*.kind))]
pub struct UnsupportedKind {
    /// `BackupType` as SQL Server writes it.
    pub kind: u8,
}

fn kind_name(kind: u8) -> String {
    match kind {
        b'F' => "a backup of single files".to_owned(),
        b'G' => "a differential backup of single files".to_owned(),
        b'P' => "a partial backup".to_owned(),
        b'Q' => "a partial differential backup".to_owned(),
        other => format!("a backup of type `{}`", [other].escape_ascii()),
    }
}

/// Bits of `Flags` in `RESTORE HEADERONLY`.
mod flag {
    pub(super) const BULK_LOGGED: u32 = 0x1;
    pub(super) const CHECKSUMS: u32 = 0x10;
    pub(super) const DAMAGED: u32 = 0x20;
    pub(super) const TAIL: u32 = 0x40;
    pub(super) const INCOMPLETE_METADATA: u32 = 0x80;
    pub(super) const TAIL_NO_RECOVERY: u32 = 0x100;
}

impl SetFacts {
    /// The set in the words of the chain, written in `stripes` stripes.
    ///
    /// The last configuration record speaks where there is one, else the first; a set without a
    /// finish time has its start time there.
    ///
    /// # Errors
    /// When it is a backup of single files or a partial one.
    pub fn backup_set(&self, stripes: u16) -> Result<BackupSet, UnsupportedKind> {
        let record = self.last.as_ref().unwrap_or(&self.first);
        let kind = match record.kind {
            b'D' => BackupKind::Full,
            b'I' => BackupKind::Differential,
            b'L' => BackupKind::Log,
            kind => return Err(UnsupportedKind { kind }),
        };
        let mut set = BackupSet::new(
            BackupSetId(self.start.id),
            record.database.clone(),
            kind,
            record.first_lsn..record.last_lsn,
            record.started,
            record.finished.unwrap_or(record.started),
        );
        set.server.clone_from(&record.server);
        set.copy_only = self.start.copy_only;
        set.checkpoint_lsn = record.checkpoint_lsn;
        set.database_backup_lsn = record.database_backup_lsn;
        if kind == BackupKind::Differential {
            set.differential_base = record.differential_base.map(|(id, lsn)| DifferentialBase {
                id: Some(BackupSetId(id)),
                lsn,
            });
        }
        (set.first_fork, set.last_fork, set.fork_point) = forks(record, kind);
        set.database_id = record.database_id.map(DatabaseId);
        set.flags = flags(record, kind, self.stream_checksums);
        set.stripes = stripes;
        Ok(set)
    }
}

/// The forks of the first and the last record, and where the one became the other.
///
/// Only a log can span a fork: when it begins before the point where the fork before was left.
fn forks(record: &ConfigRecord, kind: BackupKind) -> (Option<ForkId>, Option<ForkId>, Option<Lsn>) {
    let last = record.fork.map(ForkId);
    match record.previous_fork {
        Some((previous, point))
            if kind == BackupKind::Log
                && record.first_lsn < point
                && point <= record.last_lsn
                && Some(previous) != record.fork =>
        {
            (Some(ForkId(previous)), last, Some(point))
        }
        _ => (last, last, None),
    }
}

fn flags(record: &ConfigRecord, kind: BackupKind, stream_checksums: bool) -> SetFlags {
    let has = |bits: u32| record.flags & bits != 0;
    let mut flags = SetFlags::default();
    flags.begins_log_chain = kind == BackupKind::Log && record.last_log_backup_lsn.is_zero();
    flags.bulk_logged = has(flag::BULK_LOGGED);
    flags.tail = has(flag::TAIL | flag::TAIL_NO_RECOVERY);
    flags.damaged = has(flag::DAMAGED);
    flags.incomplete_metadata = has(flag::INCOMPLETE_METADATA);
    flags.checksums = has(flag::CHECKSUMS) || stream_checksums;
    flags
}
