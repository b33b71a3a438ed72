//! Log records.

use uuid::Uuid;
use vab_chain::{Lsn, ServerTime};

use crate::engine::RecoveryModel;
use crate::sim::bytes::{Put, Short, Take, length, small_u16};

/// One log record. Rows are borrowed from the block or from the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Record<'a> {
    /// A transaction makes its first change.
    Begin { tx: u64, time: ServerTime },
    /// A row on a page changed: inserted (no `old`), removed (no `new`) or replaced.
    Change {
        tx: u64,
        page: u32,
        key: u64,
        old: Option<&'a [u8]>,
        new: Option<&'a [u8]>,
    },
    /// A change was undone. Only redone, never undone. `undoes` is the record that is finished
    /// with; zero if more is needed to undo it.
    Undo {
        tx: u64,
        page: u32,
        key: u64,
        new: Option<&'a [u8]>,
        undoes: Lsn,
    },
    /// Fresh pages were filled, without logging the rows.
    Bulk { tx: u64, first: u32, pages: u32 },
    /// Such pages were emptied.
    UndoBulk {
        tx: u64,
        first: u32,
        pages: u32,
        undoes: Lsn,
    },
    /// A transaction is durable.
    Commit {
        tx: u64,
        time: ServerTime,
        mark: Option<&'a str>,
    },
    /// A transaction is undone completely.
    RolledBack { tx: u64, time: ServerTime },
    /// All pages are on disk up to here.
    Checkpoint { time: ServerTime },
    /// A new recovery fork begins.
    Fork {
        fork: Uuid,
        at: Lsn,
        time: ServerTime,
    },
    /// The recovery model changed.
    Model {
        model: RecoveryModel,
        time: ServerTime,
    },
}

impl<'a> Record<'a> {
    /// When it was logged, of the kinds that say so.
    pub(crate) fn time(&self) -> Option<ServerTime> {
        match self {
            Self::Begin { time, .. }
            | Self::Commit { time, .. }
            | Self::RolledBack { time, .. }
            | Self::Checkpoint { time }
            | Self::Fork { time, .. }
            | Self::Model { time, .. } => Some(*time),
            Self::Change { .. } | Self::Undo { .. } | Self::Bulk { .. } | Self::UndoBulk { .. } => {
                None
            }
        }
    }

    pub(crate) fn encode(&self, to: &mut Vec<u8>) {
        match *self {
            Self::Begin { tx, time } => {
                head(to, 1, tx);
                put_time(to, time);
            }
            Self::Change {
                tx,
                page,
                key,
                old,
                new,
            } => {
                head(to, 2, tx);
                to.put(&page.to_le_bytes());
                to.put(&key.to_le_bytes());
                put_row(to, old);
                put_row(to, new);
            }
            Self::Undo {
                tx,
                page,
                key,
                new,
                undoes,
            } => {
                head(to, 3, tx);
                to.put(&page.to_le_bytes());
                to.put(&key.to_le_bytes());
                put_row(to, new);
                to.put_lsn(undoes);
            }
            Self::Bulk { tx, first, pages } => {
                head(to, 4, tx);
                to.put(&first.to_le_bytes());
                to.put(&pages.to_le_bytes());
            }
            Self::UndoBulk {
                tx,
                first,
                pages,
                undoes,
            } => {
                head(to, 5, tx);
                to.put(&first.to_le_bytes());
                to.put(&pages.to_le_bytes());
                to.put_lsn(undoes);
            }
            Self::Commit { tx, time, mark } => {
                head(to, 6, tx);
                put_time(to, time);
                put_row(to, mark.map(str::as_bytes));
            }
            Self::RolledBack { tx, time } => {
                head(to, 7, tx);
                put_time(to, time);
            }
            Self::Checkpoint { time } => {
                to.push(8);
                put_time(to, time);
            }
            Self::Fork { fork, at, time } => {
                to.push(9);
                to.put(fork.as_bytes());
                to.put_lsn(at);
                put_time(to, time);
            }
            Self::Model { model, time } => {
                to.push(10);
                to.push(match model {
                    RecoveryModel::Simple => 0,
                    RecoveryModel::Full => 1,
                    RecoveryModel::BulkLogged => 2,
                });
                put_time(to, time);
            }
        }
    }

    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, Short> {
        let mut from = Take(bytes);
        let record = match from.u8()? {
            1 => Self::Begin {
                tx: from.u64()?,
                time: time(&mut from)?,
            },
            2 => Self::Change {
                tx: from.u64()?,
                page: from.u32()?,
                key: from.u64()?,
                old: row(&mut from)?,
                new: row(&mut from)?,
            },
            3 => Self::Undo {
                tx: from.u64()?,
                page: from.u32()?,
                key: from.u64()?,
                new: row(&mut from)?,
                undoes: from.lsn()?,
            },
            4 => Self::Bulk {
                tx: from.u64()?,
                first: from.u32()?,
                pages: from.u32()?,
            },
            5 => Self::UndoBulk {
                tx: from.u64()?,
                first: from.u32()?,
                pages: from.u32()?,
                undoes: from.lsn()?,
            },
            6 => Self::Commit {
                tx: from.u64()?,
                time: time(&mut from)?,
                mark: match row(&mut from)? {
                    None => None,
                    Some(text) => Some(std::str::from_utf8(text).map_err(|_| Short)?),
                },
            },
            7 => Self::RolledBack {
                tx: from.u64()?,
                time: time(&mut from)?,
            },
            8 => Self::Checkpoint {
                time: time(&mut from)?,
            },
            9 => Self::Fork {
                fork: Uuid::from_bytes(from.array()?),
                at: from.lsn()?,
                time: time(&mut from)?,
            },
            10 => Self::Model {
                model: match from.u8()? {
                    0 => RecoveryModel::Simple,
                    1 => RecoveryModel::Full,
                    2 => RecoveryModel::BulkLogged,
                    _ => return Err(Short),
                },
                time: time(&mut from)?,
            },
            _ => return Err(Short),
        };
        if from.0.is_empty() {
            Ok(record)
        } else {
            Err(Short)
        }
    }
}

fn head(to: &mut Vec<u8>, kind: u8, tx: u64) {
    to.push(kind);
    to.put(&tx.to_le_bytes());
}

fn put_time(to: &mut Vec<u8>, time: ServerTime) {
    to.put(&time.as_micros().to_le_bytes());
}

fn time(from: &mut Take<'_>) -> Result<ServerTime, Short> {
    from.i64().map(ServerTime::from_micros)
}

/// A length of 0xFFFF stands for "no row".
const NO_ROW: u16 = u16::MAX;

fn put_row(to: &mut Vec<u8>, row: Option<&[u8]>) {
    match row {
        None => to.put(&NO_ROW.to_le_bytes()),
        Some(row) => {
            to.put(&small_u16(row.len()).to_le_bytes());
            to.put(row);
        }
    }
}

fn row<'a>(from: &mut Take<'a>) -> Result<Option<&'a [u8]>, Short> {
    match from.u16()? {
        NO_ROW => Ok(None),
        size => from.bytes(length(u32::from(size))).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_goes_both_ways_and_no_part_of_it_does() {
        let time = ServerTime::from_micros(1_700_000_000_000_000);
        let lsn = Lsn::new(34, 16, 1);
        let (tx, page, key) = (77, 5, 99);
        for record in [
            Record::Begin { tx, time },
            Record::Change {
                tx,
                page,
                key,
                old: Some(b"old"),
                new: None,
            },
            Record::Change {
                tx,
                page,
                key,
                old: None,
                new: Some(b""),
            },
            Record::Undo {
                tx,
                page,
                key,
                new: Some(b"old"),
                undoes: lsn,
            },
            Record::Bulk {
                tx,
                first: 8,
                pages: 3,
            },
            Record::UndoBulk {
                tx,
                first: 8,
                pages: 3,
                undoes: lsn,
            },
            Record::Commit {
                tx,
                time,
                mark: Some("before the move"),
            },
            Record::RolledBack { tx, time },
            Record::Checkpoint { time },
            Record::Fork {
                fork: Uuid::from_u128(5),
                at: lsn,
                time,
            },
            Record::Model {
                model: RecoveryModel::BulkLogged,
                time,
            },
        ] {
            let mut bytes = Vec::new();
            record.encode(&mut bytes);
            assert_eq!(Record::decode(&bytes), Ok(record));
            for cut in 0..bytes.len() {
                assert_eq!(Record::decode(&bytes[..cut]), Err(Short), "{record:?}");
            }
        }
    }
}
