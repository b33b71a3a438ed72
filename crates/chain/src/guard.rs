//! The chain guard: what backup to take next, so that it can be restored.

use std::fmt;

use crate::chain::forks::Fork;
use crate::{BackupKind, BackupSetId, Chain, ForkId, Lsn, PointId, Unusable};

/// How a database keeps its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum RecoveryModel {
    /// The log is kept until it is backed up.
    Full,
    /// As full, but bulk operations are logged by extent.
    BulkLogged,
    /// The log is not kept; it cannot be backed up.
    Simple,
}

/// What the engine says about a database before a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct EngineState {
    /// `sys.databases.recovery_model`.
    pub recovery_model: RecoveryModel,
    /// `sys.database_recovery_status.last_log_backup_lsn`: where the next log backup begins;
    /// `None` when there is no current log chain.
    pub last_log_backup_lsn: Option<Lsn>,
    /// `sys.database_recovery_status.recovery_fork_guid`; `None` when not known.
    pub recovery_fork: Option<ForkId>,
    /// `sys.master_files.differential_base_guid`; `None` when there is no base.
    pub differential_base: Option<BackupSetId>,
}

impl EngineState {
    /// A database of this recovery model, of which nothing else is known.
    pub fn new(recovery_model: RecoveryModel) -> Self {
        Self {
            recovery_model,
            last_log_backup_lsn: None,
            recovery_fork: None,
            differential_base: None,
        }
    }
}

/// What to do when the backup that is wanted could not be restored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum OnBrokenChain {
    /// Take the smallest backup that mends the chain.
    #[default]
    Escalate,
    /// Take none, and say why.
    Refuse,
}

/// What backup to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum NextBackup {
    /// The one that is wanted.
    Take(BackupKind),
    /// Another one instead.
    Instead {
        /// The one to take.
        take: BackupKind,
        /// Why not the one that is wanted.
        because: ChainBreak,
    },
    /// None: the one that is wanted makes no sense for this database.
    Skip(ChainBreak),
    /// None: it could not be restored, and no other is to be taken instead.
    Refuse {
        /// The one that would mend the chain.
        needs: BackupKind,
        /// Why not the one that is wanted.
        because: ChainBreak,
    },
}

/// What stands against a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum ChainBreak {
    /// The database is in the simple recovery model.
    SimpleRecovery,
    /// There is no current log chain: the database was created, restored, or left the simple
    /// recovery model since its last full.
    NoLogChain,
    /// No full is there that a restore could begin with.
    NoFull,
    /// The database has no base for differentials.
    NoDifferentialBase,
    /// Somebody else took a full that is not copy-only: differentials are based on it now.
    ForeignFull {
        /// The base that the engine names.
        base: BackupSetId,
    },
    /// The full that differentials are based on cannot be used.
    BaseUnusable {
        /// The full.
        full: PointId,
        /// Why not.
        why: Unusable,
    },
    /// Somebody else backed up the log, or a log backup was lost.
    ForeignLog {
        /// Where the backups that are there end.
        from: Lsn,
        /// Where the next log backup begins.
        to: Lsn,
    },
    /// The database was restored: it is on a recovery fork without backups.
    NewFork {
        /// The fork it is on.
        fork: ForkId,
    },
}

impl NextBackup {
    /// The backup to take; `None` to take none.
    pub const fn kind(&self) -> Option<BackupKind> {
        match self {
            Self::Take(kind) | Self::Instead { take: kind, .. } => Some(*kind),
            Self::Skip(_) | Self::Refuse { .. } => None,
        }
    }
}

impl Chain {
    /// What backup to take when one of `wanted` is asked for: that one, if it could be restored,
    /// otherwise the smallest one that mends the chain.
    ///
    /// ```
    /// use vab_chain::{BackupKind, Chain, EngineState, NextBackup, OnBrokenChain, RecoveryModel};
    ///
    /// let state = EngineState::new(RecoveryModel::Full);
    /// let next = Chain::new([]).next_backup(&state, BackupKind::Log, OnBrokenChain::Escalate);
    /// assert_eq!(next.kind(), Some(BackupKind::Full));
    /// assert_eq!(
    ///     next.to_string(),
    ///     "full instead: there is no current log chain; a log backup would fail"
    /// );
    /// ```
    pub fn next_backup(
        &self,
        state: &EngineState,
        wanted: BackupKind,
        on_broken_chain: OnBrokenChain,
    ) -> NextBackup {
        let broken = match wanted {
            BackupKind::Full => None,
            BackupKind::Differential => self.against_differential(state),
            BackupKind::Log => self.against_log(state),
        };
        let Some(because) = broken else {
            return NextBackup::Take(wanted);
        };
        if because == ChainBreak::SimpleRecovery {
            return NextBackup::Skip(because);
        }
        // A differential bridges a gap in the log, if its base is there.
        let mends = match wanted {
            BackupKind::Log if self.against_differential(state).is_none() => {
                BackupKind::Differential
            }
            _ => BackupKind::Full,
        };
        match on_broken_chain {
            OnBrokenChain::Escalate => NextBackup::Instead {
                take: mends,
                because,
            },
            OnBrokenChain::Refuse => NextBackup::Refuse {
                needs: mends,
                because,
            },
        }
    }

    fn against_differential(&self, state: &EngineState) -> Option<ChainBreak> {
        let Some(base) = state.differential_base else {
            return Some(ChainBreak::NoDifferentialBase);
        };
        let ours = |facts: &&crate::PointFacts| facts.set == base && facts.is_differential_base();
        let mut fulls = self.points().iter().filter(ours).peekable();
        let Some(first) = fulls.peek().copied() else {
            return Some(ChainBreak::ForeignFull { base });
        };
        let why = first.unusable?;
        fulls
            .all(|full| full.unusable.is_some())
            .then_some(ChainBreak::BaseUnusable {
                full: first.id,
                why,
            })
    }

    fn against_log(&self, state: &EngineState) -> Option<ChainBreak> {
        if state.recovery_model == RecoveryModel::Simple {
            return Some(ChainBreak::SimpleRecovery);
        }
        let Some(begins) = state.last_log_backup_lsn else {
            return Some(ChainBreak::NoLogChain);
        };
        let fork = match state.recovery_fork {
            Some(id) => match self.tree().find(id) {
                Some(fork) => fork,
                None if self.points().is_empty() => return Some(ChainBreak::NoFull),
                None => return Some(ChainBreak::NewFork { fork: id }),
            },
            None => match self.forks_by_age().next() {
                Some(fork) => fork,
                None => return Some(ChainBreak::NoFull),
            },
        };
        self.gap_before(fork, begins)
    }

    /// Whether a log that begins at `begins` could be restored.
    fn gap_before(&self, fork: Fork, begins: Lsn) -> Option<ChainBreak> {
        match self.furthest(fork) {
            None => Some(ChainBreak::NoFull),
            Some(end) if end < begins => Some(ChainBreak::ForeignLog {
                from: end,
                to: begins,
            }),
            Some(_) => None,
        }
    }
}

impl fmt::Display for NextBackup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Take(kind) => kind.fmt(f),
            Self::Instead { take, because } => write!(f, "{take} instead: {because}"),
            Self::Skip(because) => write!(f, "none: {because}"),
            Self::Refuse { needs, because } => {
                write!(f, "refused: {because}; take a {needs} backup first")
            }
        }
    }
}

impl fmt::Display for ChainBreak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SimpleRecovery => {
                f.write_str("in the simple recovery model the log cannot be backed up")
            }
            Self::NoLogChain => {
                f.write_str("there is no current log chain; a log backup would fail")
            }
            Self::NoFull => f.write_str("there is no full backup that a restore could begin with"),
            Self::NoDifferentialBase => f.write_str("the database has no base for differentials"),
            Self::ForeignFull { base } => write!(
                f,
                "differentials are based on the full {base} now, which was taken elsewhere"
            ),
            Self::BaseUnusable { full, why } => {
                write!(f, "differentials are based on {full}, but {why}")
            }
            Self::ForeignLog { from, to } => write!(
                f,
                "the log from LSN {from} to {to} is not here: it was backed up elsewhere, or that \
                 backup was lost"
            ),
            Self::NewFork { fork } => write!(
                f,
                "the database was restored and is on the new recovery fork {fork}"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{BackupSet, DifferentialBase, RestorePoint, ServerTime};

    const FORK: ForkId = ForkId(Uuid::from_u128(7));

    fn lsn(n: u32) -> Lsn {
        Lsn::new(1, n, 1)
    }

    fn point(n: u32, kind: BackupKind, from: u32, to: u32) -> RestorePoint {
        let id = Uuid::from_u128(n.into());
        let time = ServerTime::from_micros(i64::from(n));
        let mut set = BackupSet::new(id.into(), "db", kind, lsn(from)..lsn(to), time, time);
        set.first_fork = Some(FORK);
        set.last_fork = Some(FORK);
        if kind == BackupKind::Differential {
            set.differential_base = Some(DifferentialBase {
                id: Some(Uuid::from_u128(1).into()),
                lsn: lsn(10),
            });
        }
        RestorePoint { id: id.into(), set }
    }

    /// A full and a log, up to 30.
    fn chain() -> Chain {
        Chain::new([
            point(1, BackupKind::Full, 10, 20),
            point(2, BackupKind::Log, 15, 30),
        ])
    }

    fn state(log: u32) -> EngineState {
        EngineState {
            recovery_model: RecoveryModel::Full,
            last_log_backup_lsn: Some(lsn(log)),
            recovery_fork: Some(FORK),
            differential_base: Some(Uuid::from_u128(1).into()),
        }
    }

    fn next(state: &EngineState, wanted: BackupKind) -> NextBackup {
        chain().next_backup(state, wanted, OnBrokenChain::Escalate)
    }

    #[test]
    fn an_unbroken_chain_goes_on() {
        for kind in [BackupKind::Full, BackupKind::Differential, BackupKind::Log] {
            assert_eq!(next(&state(30), kind), NextBackup::Take(kind));
        }
    }

    #[test]
    fn a_foreign_log_backup_is_bridged_by_a_differential() {
        let because = ChainBreak::ForeignLog {
            from: lsn(30),
            to: lsn(40),
        };
        assert_eq!(
            next(&state(40), BackupKind::Log),
            NextBackup::Instead {
                take: BackupKind::Differential,
                because
            }
        );
    }

    #[test]
    fn a_foreign_full_makes_the_next_differential_a_full() {
        let base = Uuid::from_u128(99).into();
        let state = EngineState {
            differential_base: Some(base),
            ..state(40)
        };
        let because = ChainBreak::ForeignFull { base };
        let take = BackupKind::Full;
        let instead = NextBackup::Instead { take, because };
        assert_eq!(next(&state, BackupKind::Differential), instead);
        assert_eq!(next(&state, BackupKind::Log).kind(), Some(BackupKind::Full));
    }

    #[test]
    fn a_log_in_simple_recovery_is_skipped() {
        let state = EngineState {
            recovery_model: RecoveryModel::Simple,
            ..state(30)
        };
        let skip = NextBackup::Skip(ChainBreak::SimpleRecovery);
        assert_eq!(next(&state, BackupKind::Log), skip);
        assert_eq!(
            next(&state, BackupKind::Differential).kind(),
            Some(BackupKind::Differential)
        );
    }

    #[test]
    fn back_from_simple_recovery_a_differential_begins_the_log_again() {
        let state = EngineState {
            last_log_backup_lsn: None,
            ..state(30)
        };
        assert_eq!(
            next(&state, BackupKind::Log).kind(),
            Some(BackupKind::Differential)
        );
    }

    #[test]
    fn a_restore_is_noticed_by_its_fork() {
        let fork = ForkId(Uuid::from_u128(8));
        let state = EngineState {
            recovery_fork: Some(fork),
            ..state(25)
        };
        let NextBackup::Instead { because, .. } = next(&state, BackupKind::Log) else {
            panic!("a log was allowed");
        };
        assert_eq!(because, ChainBreak::NewFork { fork });
    }

    #[test]
    fn a_damaged_base_makes_the_next_differential_a_full() {
        let full = PointId(Uuid::from_u128(1));
        let chain = Chain::builder()
            .points([point(1, BackupKind::Full, 10, 20)])
            .unusable(full, Unusable::DataDamaged)
            .build();
        let next = chain.next_backup(&state(20), BackupKind::Differential, OnBrokenChain::Refuse);
        let why = Unusable::DataDamaged;
        let because = ChainBreak::BaseUnusable { full, why };
        let needs = BackupKind::Full;
        assert_eq!(next, NextBackup::Refuse { needs, because });
    }
}
