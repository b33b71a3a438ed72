//! What really went wrong in the runs, counted where it happens.

use std::collections::BTreeMap;
use std::fmt;

/// A kind of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trouble {
    /// A connection that both ends had open broke.
    Cut,
    /// It broke behind a byte that is not the last of a frame.
    CutInFrame,
    /// One end of a broken connection was never told.
    HalfOpen,
    /// A try to connect failed.
    Unreachable,
    /// A second connection of the session came while the first seemed alive.
    Duplicate,
    /// Bytes of an older connection came after the request on a newer one.
    Reorder,
    /// An end stopped reading while bytes lay there for it.
    SlowReader,
    TargetRestart,
    SourceRestart,
    ClockAhead,
    ClockBack,
    /// The target committed, and the source lost the connection before it heard so.
    LostAnswer,
    /// A write, a sync or a commit of the store failed.
    StoreFault,
    /// The user of the source ended the backup.
    Abort,
    /// The target ended the session for a reason of its own.
    TargetAbort,
    /// A new backup found the session of a source that died, and had to wait for its end.
    LeaseHeld,
}

impl Trouble {
    /// What can go wrong in a backup and in a restore.
    pub(crate) const BOTH: [Self; 11] = [
        Self::Cut,
        Self::CutInFrame,
        Self::HalfOpen,
        Self::Unreachable,
        Self::Duplicate,
        Self::Reorder,
        Self::SlowReader,
        Self::TargetRestart,
        Self::SourceRestart,
        Self::ClockAhead,
        Self::ClockBack,
    ];

    /// What can go wrong in a backup only.
    pub(crate) const BACKUP: [Self; 5] = [
        Self::LostAnswer,
        Self::StoreFault,
        Self::Abort,
        Self::TargetAbort,
        Self::LeaseHeld,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Cut => "cuts",
            Self::CutInFrame => "in a frame",
            Self::HalfOpen => "half-open",
            Self::Unreachable => "failed connects",
            Self::Duplicate => "duplicate connects",
            Self::Reorder => "reorders",
            Self::SlowReader => "slow readers",
            Self::TargetRestart => "target restarts",
            Self::SourceRestart => "source restarts",
            Self::ClockAhead => "clock jumps ahead",
            Self::ClockBack => "clock jumps back",
            Self::LostAnswer => "lost commit answers",
            Self::StoreFault => "store faults",
            Self::Abort => "aborts by the source",
            Self::TargetAbort => "aborts by the target",
            Self::LeaseHeld => "waits for a dead source's session",
        }
    }
}

/// How often each kind of trouble occurred.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(BTreeMap<Trouble, u64>);

impl Tally {
    pub(crate) fn count(&mut self, trouble: Trouble) {
        *self.0.entry(trouble).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (trouble, count) in &other.0 {
            *self.0.entry(*trouble).or_default() += count;
        }
    }

    pub(crate) fn of(&self, trouble: Trouble) -> u64 {
        self.0.get(&trouble).copied().unwrap_or_default()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (trouble, count)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{} {count}", trouble.name())?;
        }
        Ok(())
    }
}
