//! What backup to take of a database, so that it can be restored.

use std::fmt;

use serde::Serialize;
use vab_chain::{BackupKind, Chain, ChainBreak, EngineState, NextBackup};
use vab_engine::{DatabaseInfo, DatabaseState, Illegal, LegalKind};

/// What to do when a log or differential backup would not connect to the backups that are there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnBrokenChain {
    /// Take a full backup instead.
    #[default]
    Full,
    /// Take the smallest backup that mends the chain: a differential where its base is there,
    /// otherwise a full.
    Smallest,
    /// Take none: the database counts as failed.
    Fail,
    /// Take none, and say so.
    Skip,
}

/// The rules by which a run decides about each database. Pure: the same state, the same answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Guard {
    /// What is wanted.
    pub wanted: LegalKind,
    /// What to do when it would not connect.
    pub on_broken_chain: OnBrokenChain,
    /// Leave a database alone of which another replica is the preferred one.
    pub check_preferred: bool,
}

/// What to do about one database. Its `Display` says it with the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Take what is wanted.
    Take(LegalKind),
    /// Take another backup, because what is wanted would not connect.
    Instead {
        /// The backup to take.
        take: LegalKind,
        /// What was wanted.
        wanted: LegalKind,
        /// Why not that.
        because: ChainBreak,
    },
    /// Take none; nothing is wrong.
    Skip(Skip),
    /// Take none, and count the database as failed.
    Fail(Obstacle),
}

/// Why a database is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Skip {
    /// There is no such backup of this database.
    Illegal(Illegal),
    /// Another replica is the preferred one.
    NotPreferred,
    /// It would not connect, and the policy says to skip it then.
    BrokenChain(ChainBreak),
}

/// Why a database fails before anything is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Obstacle {
    /// The database cannot be used although it should.
    Unusable {
        /// How it stands.
        state: DatabaseState,
    },
    /// The backup would not connect, and the policy says to fail then.
    BrokenChain {
        /// What was wanted.
        wanted: LegalKind,
        /// Why it would not connect.
        because: ChainBreak,
        /// The backup that would mend the chain.
        needs: BackupKind,
    },
}

impl Guard {
    /// Takes what is wanted, a full where that would not connect, of whatever replica.
    pub fn new(wanted: LegalKind) -> Self {
        Self {
            wanted,
            on_broken_chain: OnBrokenChain::default(),
            check_preferred: false,
        }
    }

    /// What to do about a database that stands like `info`, when `chain` is what the repository
    /// has of it.
    pub fn decide(self, info: &DatabaseInfo, chain: &Chain) -> Decision {
        let wanted = self.wanted;
        if let Err(illegal) = info.check_legal(wanted.kind, wanted.copy_only) {
            return refuse(illegal);
        }
        let preferred = info.replica.is_none_or(|replica| replica.preferred);
        if self.check_preferred && !preferred {
            return Decision::Skip(Skip::NotPreferred);
        }
        let state = EngineState::from(info);
        let escalate = vab_chain::OnBrokenChain::Escalate;
        match chain.next_backup(&state, wanted.kind, escalate) {
            NextBackup::Take(_) => Decision::Take(wanted),
            NextBackup::Skip(ChainBreak::SimpleRecovery) => {
                Decision::Skip(Skip::Illegal(Illegal::SimpleRecovery))
            }
            NextBackup::Skip(because) => Decision::Skip(Skip::BrokenChain(because)),
            NextBackup::Instead { take, because } => self.instead(info, take, because),
            NextBackup::Refuse { needs, because } => self.instead(info, needs, because),
        }
    }

    fn instead(self, info: &DatabaseInfo, mends: BackupKind, because: ChainBreak) -> Decision {
        let wanted = self.wanted;
        let kind = match self.on_broken_chain {
            OnBrokenChain::Skip => return Decision::Skip(Skip::BrokenChain(because)),
            OnBrokenChain::Fail => {
                return Decision::Fail(Obstacle::BrokenChain {
                    wanted,
                    because,
                    needs: mends,
                });
            }
            OnBrokenChain::Full => BackupKind::Full,
            OnBrokenChain::Smallest => mends,
        };
        // What stays outside the chain of the database stays outside; and a secondary replica
        // gives no other full.
        let secondary = info.replica.is_some_and(|replica| replica.secondary);
        let mut take = LegalKind::new(kind, wanted.copy_only || secondary);
        if info.check_legal(take.kind, take.copy_only).is_err() {
            take.kind = BackupKind::Full;
        }
        match info.check_legal(take.kind, take.copy_only) {
            Ok(()) => Decision::Instead {
                take,
                wanted,
                because,
            },
            Err(illegal) => refuse(illegal),
        }
    }
}

/// A database that somebody put away is left alone; one that should be there and is not is an
/// error.
fn refuse(illegal: Illegal) -> Decision {
    match illegal {
        Illegal::NotOnline {
            state:
                state @ (DatabaseState::Suspect
                | DatabaseState::Emergency
                | DatabaseState::Recovering
                | DatabaseState::RecoveryPending),
        } => Decision::Fail(Obstacle::Unusable { state }),
        illegal => Decision::Skip(Skip::Illegal(illegal)),
    }
}

impl Decision {
    /// The backup to take; `None` to take none.
    pub const fn take(&self) -> Option<LegalKind> {
        match self {
            Self::Take(take) | Self::Instead { take, .. } => Some(*take),
            Self::Skip(_) | Self::Fail(_) => None,
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Take(take) => take.fmt(f),
            Self::Instead {
                take,
                wanted,
                because,
            } => write!(f, "{take} instead of {wanted}: {because}"),
            Self::Skip(skip) => write!(f, "skipped: {skip}"),
            Self::Fail(obstacle) => obstacle.fmt(f),
        }
    }
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Illegal(illegal) => illegal.fmt(f),
            Self::NotPreferred => f.write_str("another replica is the preferred one for backups"),
            Self::BrokenChain(because) => because.fmt(f),
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unusable { state } => write!(
                f,
                "the database is {state} and cannot be backed up; look into the server's log"
            ),
            Self::BrokenChain {
                wanted,
                because,
                needs,
            } => write!(
                f,
                "no {wanted} backup: {because}; take a {needs} backup, or let the policy do so"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use vab_engine::{RecoveryModel, Replica};

    use super::*;

    const LOG: LegalKind = LegalKind::new(BackupKind::Log, false);
    const FULL: LegalKind = LegalKind::new(BackupKind::Full, false);

    fn database() -> DatabaseInfo {
        DatabaseInfo::new("Sales", DatabaseState::Online, RecoveryModel::Full)
    }

    fn decide(info: &DatabaseInfo, on_broken_chain: OnBrokenChain) -> Decision {
        let guard = Guard {
            on_broken_chain,
            ..Guard::new(LOG)
        };
        guard.decide(info, &Chain::new([]))
    }

    #[test]
    fn a_broken_chain_is_dealt_with_by_policy() {
        let because = ChainBreak::NoLogChain;
        let instead = Decision::Instead {
            take: FULL,
            wanted: LOG,
            because,
        };
        assert_eq!(decide(&database(), OnBrokenChain::Full), instead);
        assert_eq!(decide(&database(), OnBrokenChain::Smallest), instead);
        let skip = Decision::Skip(Skip::BrokenChain(because));
        assert_eq!(decide(&database(), OnBrokenChain::Skip), skip);
        let fail = decide(&database(), OnBrokenChain::Fail);
        assert_eq!(fail.take(), None);
        assert!(fail.to_string().contains("take a full backup"), "{fail}");
    }

    #[test]
    fn the_decision_says_why() {
        assert_eq!(
            decide(&database(), OnBrokenChain::Full).to_string(),
            "full instead of log: there is no current log chain; a log backup would fail"
        );
    }

    #[test]
    fn a_copy_only_log_never_becomes_a_full_that_moves_the_base() {
        let guard = Guard::new(LegalKind::new(BackupKind::Log, true));
        let decision = guard.decide(&database(), &Chain::new([]));
        assert_eq!(
            decision.take(),
            Some(LegalKind::new(BackupKind::Full, true))
        );
    }

    #[test]
    fn a_secondary_replica_gives_a_copy_only_full_instead() {
        let mut info = database();
        info.replica = Some(Replica {
            secondary: true,
            preferred: true,
        });
        for policy in [OnBrokenChain::Full, OnBrokenChain::Smallest] {
            let take = decide(&info, policy).take();
            assert_eq!(take, Some(LegalKind::new(BackupKind::Full, true)));
        }
    }

    #[test]
    fn the_preferred_replica_matters_only_when_asked() {
        let mut info = database();
        info.replica = Some(Replica {
            secondary: false,
            preferred: false,
        });
        let mut guard = Guard::new(FULL);
        assert_eq!(guard.decide(&info, &Chain::new([])), Decision::Take(FULL));
        guard.check_preferred = true;
        let skip = Decision::Skip(Skip::NotPreferred);
        assert_eq!(guard.decide(&info, &Chain::new([])), skip);
    }

    #[test]
    fn what_was_put_away_is_skipped_and_what_is_broken_fails() {
        for (state, fails) in [
            (DatabaseState::Offline, false),
            (DatabaseState::Restoring, false),
            (DatabaseState::Standby, false),
            (DatabaseState::Suspect, true),
            (DatabaseState::Recovering, true),
            (DatabaseState::RecoveryPending, true),
        ] {
            let info = DatabaseInfo::new("Sales", state, RecoveryModel::Full);
            let decision = Guard::new(FULL).decide(&info, &Chain::new([]));
            assert_eq!(matches!(decision, Decision::Fail(_)), fails, "{decision}");
        }
    }

    #[test]
    fn a_log_that_cannot_be_is_skipped_and_not_made_a_full() {
        let simple = DatabaseInfo::new("Sales", DatabaseState::Online, RecoveryModel::Simple);
        let skip = Decision::Skip(Skip::Illegal(Illegal::SimpleRecovery));
        assert_eq!(decide(&simple, OnBrokenChain::Full), skip);
    }
}
