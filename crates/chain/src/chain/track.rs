//! The backups of one recovery fork, ordered so that the next step is found by binary search.

use crate::{BackupKind, Lsn, ServerTime};

use super::facts::PointFacts;

/// Index of a point in a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Slot(u32);

impl Slot {
    pub(crate) fn new(index: usize) -> Self {
        Self(u32::try_from(index).unwrap_or(u32::MAX))
    }

    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// A log backup that holds records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogEntry {
    pub(crate) first: Lsn,
    pub(crate) last: Lsn,
    pub(crate) finished: ServerTime,
    pub(crate) slot: Slot,
}

/// A full, or a differential.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DataEntry {
    pub(crate) end: Lsn,
    pub(crate) finished: ServerTime,
    pub(crate) slot: Slot,
}

/// What is known of the time that the log ended at an LSN.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogEnd {
    pub(crate) at: Lsn,
    /// It had come there by then.
    pub(crate) since: ServerTime,
    /// It was still there then.
    pub(crate) until: ServerTime,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Track {
    /// By first LSN.
    logs: Vec<LogEntry>,
    /// The greatest last LSN of the logs up to here.
    furthest: Vec<Lsn>,
    /// By end.
    pub(crate) fulls: Vec<DataEntry>,
    /// By end.
    pub(crate) differentials: Vec<DataEntry>,
    /// By LSN; where any backup ends, empty logs too.
    log_ends: Vec<LogEnd>,
    /// Of everything on the fork: first start and last finish.
    pub(crate) activity: Option<(ServerTime, ServerTime)>,
    /// By time: up to then, nothing is beyond that LSN (the least of all later ones).
    seen_by: Vec<(ServerTime, Lsn)>,
}

impl Track {
    /// Adds a point. `first` is where a log begins on the way to this fork.
    pub(crate) fn push(&mut self, slot: Slot, facts: &PointFacts, first: Lsn) {
        let (from, to) = self.activity.unwrap_or((facts.started, facts.finished));
        self.activity = Some((from.min(facts.started), to.max(facts.finished)));
        let data = DataEntry {
            end: facts.last_lsn,
            finished: facts.finished,
            slot,
        };
        match facts.kind {
            BackupKind::Full => self.fulls.push(data),
            BackupKind::Differential => self.differentials.push(data),
            BackupKind::Log => {
                if first < facts.last_lsn {
                    self.logs.push(LogEntry {
                        first,
                        last: facts.last_lsn,
                        finished: facts.finished,
                        slot,
                    });
                }
            }
        }
        // The end of a log is that of its finish, by the server's documentation. A data backup
        // finishes a while after the end of its log was set.
        let seen = if facts.kind == BackupKind::Log {
            facts.finished
        } else {
            facts.started
        };
        self.seen_by.push((seen, facts.last_lsn));
        self.log_ends.push(LogEnd {
            at: facts.last_lsn,
            since: facts.finished,
            until: seen,
        });
    }

    /// Orders what was pushed.
    pub(crate) fn finish(&mut self) {
        self.logs
            .sort_unstable_by_key(|log| (log.first, log.last, log.slot));
        self.furthest = self
            .logs
            .iter()
            .scan(Lsn::ZERO, |furthest, log| {
                *furthest = log.last.max(*furthest);
                Some(*furthest)
            })
            .collect();
        self.fulls
            .sort_unstable_by_key(|data| (data.end, data.finished, data.slot));
        self.differentials
            .sort_unstable_by_key(|data| (data.end, data.finished, data.slot));
        self.log_ends.sort_unstable_by_key(|end| end.at);
        self.log_ends.dedup_by(|next, kept| {
            let same = next.at == kept.at;
            if same {
                kept.since = kept.since.min(next.since);
                kept.until = kept.until.max(next.until);
            }
            same
        });
        self.seen_by.sort_unstable();
        let mut least = Lsn::MAX;
        for (_, lsn) in self.seen_by.iter_mut().rev() {
            least = least.min(*lsn);
            *lsn = least;
        }
        for list in [&mut self.fulls, &mut self.differentials] {
            list.shrink_to_fit();
        }
        self.logs.shrink_to_fit();
        self.log_ends.shrink_to_fit();
        self.seen_by.shrink_to_fit();
    }

    pub(crate) fn memory(&self) -> usize {
        size_of_val(&*self.logs)
            + size_of_val(&*self.furthest)
            + size_of_val(&*self.fulls)
            + size_of_val(&*self.differentials)
            + size_of_val(&*self.log_ends)
            + size_of_val(&*self.seen_by)
            + size_of::<Self>()
    }

    /// By first LSN.
    pub(crate) fn logs(&self) -> &[LogEntry] {
        &self.logs
    }

    /// Where logs ended, and when that was seen last.
    pub(crate) fn log_ends(&self) -> &[LogEnd] {
        &self.log_ends
    }

    /// The greatest LSN that a backup ends at.
    pub(crate) fn end(&self) -> Option<Lsn> {
        let data = [self.fulls.last(), self.differentials.last()];
        let log = self.furthest.last().copied();
        data.into_iter()
            .flatten()
            .map(|data| data.end)
            .chain(log)
            .max()
    }

    /// The logs with `first <= lsn < last`, the latest beginning first.
    pub(crate) fn logs_over(&self, lsn: Lsn) -> impl Iterator<Item = &LogEntry> {
        let end = self.logs.partition_point(|log| log.first <= lsn);
        self.logs
            .iter()
            .zip(&self.furthest)
            .take(end)
            .rev()
            .take_while(move |(_, furthest)| **furthest > lsn)
            .map(|(log, _)| log)
            .filter(move |log| log.last > lsn)
    }

    /// The first log that begins after `lsn`.
    pub(crate) fn log_after(&self, lsn: Lsn) -> Option<&LogEntry> {
        let at = self.logs.partition_point(|log| log.first <= lsn);
        self.logs.get(at)
    }

    /// What is known of the time that the log ended at `lsn`.
    pub(crate) fn end_at(&self, lsn: Lsn) -> Option<&LogEnd> {
        let at = self
            .log_ends
            .binary_search_by_key(&lsn, |end| end.at)
            .ok()?;
        self.log_ends.get(at)
    }

    /// Whether it is known that the log ended at `lsn` at a time, if it had come there by then.
    pub(crate) fn rests_at(&self, lsn: Lsn, time: ServerTime) -> bool {
        self.end_at(lsn).is_some_and(|end| end.until >= time)
            || [&self.fulls, &self.differentials].into_iter().any(|list| {
                let from = list.partition_point(|data| data.end < lsn);
                let here = list.iter().skip(from).take_while(|data| data.end == lsn);
                here.into_iter().any(|data| data.finished == time)
            })
    }

    /// A time by which the history had reached `lsn`, at the latest.
    pub(crate) fn reached_by(&self, lsn: Lsn) -> Option<ServerTime> {
        let data = self.fulls.iter().chain(&self.differentials);
        let ends = data.map(|data| (data.end, data.finished));
        let logs = self.logs.iter().map(|log| (log.last, log.finished));
        ends.chain(logs)
            .filter(|(end, _)| *end >= lsn)
            .map(|(_, finished)| finished)
            .min()
    }

    /// A time until which nothing beyond `lsn` was logged.
    pub(crate) fn not_beyond_until(&self, lsn: Lsn) -> Option<ServerTime> {
        let at = self.seen_by.partition_point(|(_, least)| *least <= lsn);
        at.checked_sub(1)
            .and_then(|at| self.seen_by.get(at))
            .map(|(seen, _)| *seen)
    }
}
