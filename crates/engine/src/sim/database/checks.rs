//! Whether a backup set can be applied to a database.

use vab_chain::{BackupKind, Lsn, ServerTime};

use super::core::Core;
use super::restore::interrupted;
use crate::refusal::Refusal;
use crate::request::StopAt;
use crate::sim::meta::{Interrupted, RestoreState};
use crate::sim::stream::SetHead;

impl Core {
    /// Checks whether a set can be applied; nothing has changed when it cannot.
    pub(crate) fn check_set(
        &mut self,
        head: &SetHead,
        stop: Option<&StopAt>,
    ) -> Result<(), Refusal> {
        let database = self.meta.name.clone();
        self.restoring()?;
        self.require_idle()?;
        let restore = self.restoring()?.clone();
        let other = restore.interrupted.filter(|at| at.set != head.set);
        if let Some(Interrupted { set, .. }) = other {
            return Err(Refusal::Interrupted {
                database,
                set: set.into(),
            });
        }
        match head.kind {
            BackupKind::Full => Ok(()),
            BackupKind::Differential => self.check_differential(head, stop, &restore),
            BackupKind::Log => self.check_log(head, stop, &restore),
        }
    }

    fn check_differential(
        &self,
        head: &SetHead,
        stop: Option<&StopAt>,
        restore: &RestoreState,
    ) -> Result<(), Refusal> {
        let again = restore.interrupted == Some(interrupted(head));
        let found = self.meta.base;
        let ahead = head.checkpoint >= self.meta.checkpoint;
        let fits = head.base.is_some() && head.base == found && !restore.logs && ahead;
        if !fits && !again {
            return Err(Refusal::WrongBase {
                database: self.meta.name.clone(),
                set: head.set.into(),
                needed: head.base.map(|base| base.set.into()),
                found: found.map(|base| base.set.into()),
            });
        }
        // A differential brings the base to its own state, but not a differential of another
        // fork: what only that one changed would stay.
        if restore.differential && head.last_fork != self.meta.fork && !again {
            return Err(Refusal::OtherFork {
                database: self.meta.name.clone(),
                set: head.set.into(),
                redo: restore.redo,
                expected: Some(head.last_fork.into()),
                found: self.meta.fork.into(),
            });
        }
        refuse_data_after_stop(head, head.started, head.checkpoint, stop)
    }

    fn check_log(
        &self,
        head: &SetHead,
        stop: Option<&StopAt>,
        restore: &RestoreState,
    ) -> Result<(), Refusal> {
        let database = self.meta.name.clone();
        let set = head.set.into();
        let (first, redo) = (head.first_lsn, restore.redo);
        let last = head.last_lsn.unwrap_or(first);
        let again = restore.interrupted == Some(interrupted(head));
        if first > redo {
            return Err(Refusal::LogGap {
                database,
                set,
                first,
                redo,
            });
        }
        // An empty log that begins and ends where the database is has nothing to add, and is no
        // reason to refuse either.
        let nothing_new = last < redo || (last == redo && first < redo);
        if nothing_new && !again {
            return Err(Refusal::LogTooEarly {
                database,
                set,
                last,
                redo,
            });
        }
        let before_fork = head.fork_point.is_none_or(|point| redo <= point);
        let expected = if before_fork {
            head.first_fork
        } else {
            head.last_fork
        };
        if expected != self.meta.fork {
            return Err(Refusal::OtherFork {
                database,
                set,
                redo,
                expected: Some(expected.into()),
                found: self.meta.fork.into(),
            });
        }
        if let Some(StopAt::Time(stop)) = stop {
            let reached = restore.reached.filter(|reached| reached >= stop);
            let finished = restore.data_finished.filter(|finished| finished > stop);
            if let Some(reached) = reached.or(finished) {
                return Err(Refusal::AlreadyPast { database, reached });
            }
            if head.bulk_logged && (head.newest >= *stop || head.started >= *stop) {
                return Err(Refusal::StopInBulkLogged { set });
            }
        }
        if let Some(StopAt::Lsn { lsn, .. }) = stop {
            if redo > *lsn {
                let reached = restore.reached.unwrap_or(head.started);
                return Err(Refusal::AlreadyPast { database, reached });
            }
            if head.bulk_logged && *lsn < last {
                return Err(Refusal::StopInBulkLogged { set });
            }
        }
        if head.bulk_logged && matches!(stop, Some(StopAt::Mark { .. })) {
            return Err(Refusal::StopInBulkLogged { set });
        }
        Ok(())
    }
}

/// The end of a full or differential must not be after the stop.
pub(super) fn refuse_data_after_stop(
    head: &SetHead,
    finished: ServerTime,
    last: Lsn,
    stop: Option<&StopAt>,
) -> Result<(), Refusal> {
    let after = match stop {
        Some(StopAt::Time(stop)) => finished > *stop,
        Some(StopAt::Lsn { lsn, .. }) => last > *lsn,
        Some(StopAt::Mark { .. }) | None => false,
    };
    if !after {
        return Ok(());
    }
    Err(Refusal::StopTooEarly {
        set: head.set.into(),
        finished,
        last,
    })
}
