//! PostgreSQL's terms in those of the chain.
//!
//! | PostgreSQL | chain |
//! |---|---|
//! | position `16/B374D848` | [`Lsn`] `0x00000016:b374d848:0000`: both halves as they are, slot 0 |
//! | a timeline of a cluster | [`ForkId`]: the system identifier, a checksum of the lines that made the timeline, its number |
//! | system identifier | [`FamilyId`] |
//! | base backup | full: from its start position (where redo begins) to its end position |
//! | a run of archived segments | log: from the first byte of the first segment to after the last of the last |
//! | a run that begins before its timeline did | a log that crosses from one fork to the next, at the position where the timeline began |
//!
//! Two restored copies of a cluster may both call their new timeline 2. The lines that made them
//! differ (they say where and why the timeline began), and so do the forks here.

use uuid::Uuid;
use vab_chain::{BackupKind, BackupSetId, FamilyId, ForkId, Lsn};

use crate::wal::{History, Position};

/// The names of backup sets are made in this space.
const SPACE: Uuid = Uuid::from_u128(0x3f1c_9d5e_7a52_4d0e_9a35_6cb1_e6a8_5b21);

/// A position as an LSN.
pub fn lsn(position: Position) -> Lsn {
    Lsn::new(position.high(), position.low(), 0)
}

/// An LSN as a position: the first that is not before it.
pub fn position(lsn: Lsn) -> Position {
    let position = u64::from(lsn.vlf()) << 32 | u64::from(lsn.block());
    Position(position.saturating_add(u64::from(lsn.slot() > 0)))
}

/// A timeline as a recovery fork; `None` when it is no part of the history.
pub fn fork(system: u64, history: &History, timeline: u32) -> Option<ForkId> {
    let mut lines = history.lines_of(timeline)?.peekable();
    let made = lines.peek().is_some().then(|| {
        lines.fold(0, |sum, line| {
            crc32c::crc32c_append(crc32c::crc32c_append(sum, line.as_bytes()), b"\n")
        })
    });
    let low = u64::from(made.unwrap_or_default()) << 32 | u64::from(timeline);
    Some(ForkId(Uuid::from_u64_pair(system, low)))
}

/// The timeline of a fork, if it is one of this system.
pub fn timeline(system: u64, fork: ForkId) -> Option<u32> {
    let (of_system, low) = fork.0.as_u64_pair();
    let timeline = u32::try_from(low & u64::from(u32::MAX)).ok();
    timeline.filter(|_| of_system == system)
}

/// A cluster and all copies that were restored from it.
pub fn family(system: u64) -> FamilyId {
    FamilyId(Uuid::from_u64_pair(system, 0))
}

/// A backup of a part of the log, or with it: the same part has the same name everywhere.
pub fn backup_set(kind: BackupKind, fork: ForkId, first: Position, end: Position) -> BackupSetId {
    let name = format!("{kind} {fork} {first} {end}");
    BackupSetId(Uuid::new_v5(&SPACE, name.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_and_its_lsn_look_alike() {
        let lsn = lsn("16/B374D848".parse().unwrap());
        assert_eq!(format!("{lsn:#}"), "0x00000016:b374d848:0000");
        assert_eq!(position(lsn).to_string(), "16/B374D848");
    }

    #[test]
    fn between_two_positions_comes_the_later_one() {
        assert_eq!(position(Lsn::new(1, 2, 1)), Position(0x1_0000_0003));
    }

    #[test]
    fn timelines_of_the_same_number_are_the_same_fork_only_if_they_were_made_alike() {
        let made = |line: &str| fork(7, &History::parse(2, line).unwrap(), 2).unwrap();
        let one = made("1\t0/3000000\tbefore 07:00");
        assert_eq!(one, made("1\t0/3000000\tbefore 07:00\n"));
        assert_ne!(one, made("1\t0/4000000\tbefore 08:00"));
        assert_eq!([timeline(7, one), timeline(8, one)], [Some(2), None]);
    }

    #[test]
    fn a_parent_is_the_same_fork_in_every_history() {
        let third = History::parse(3, "1\t0/3\ta\n2\t0/5\tb").unwrap();
        let second = History::parse(2, "1\t0/3\ta").unwrap();
        assert_eq!(fork(7, &third, 2), fork(7, &second, 2));
        assert_eq!(fork(7, &third, 1), fork(7, &History::first(), 1));
    }
}
