//! What to do after a restore.

use vab_manager::engine::{DatabaseState, StopOutcome};
use vab_manager::{RestoreError, RestoreReport};

use crate::print::out::outln;

/// What to do next.
pub(super) struct Advice<'a> {
    pub(super) engine: &'a str,
}

impl Advice<'_> {
    pub(super) fn after(&self, report: &RestoreReport) {
        let (database, engine) = (&report.database, self.engine);
        outln!(
            "restored {database} in {} steps; it is {}",
            report.plan.steps.len(),
            report.last.state
        );
        if let Some(reached) = report.last.reached {
            outln!("the last change that was applied is of {reached}");
        }
        match report.last.state {
            DatabaseState::Online => {
                outln!("next: take a full backup; earlier logs do not lead on from here");
            }
            _ if report.last.stop == StopOutcome::Beyond => outln!(
                "the moment lies beyond the end of the log that was restored; next: restore more \
                 log, or `vab recover --engine '{engine}' --database '{database}'` to end here"
            ),
            _ => outln!(
                "next: restore more, or `vab recover --engine '{engine}' --database '{database}'` \
                 to bring it online"
            ),
        }
    }

    pub(super) fn after_tail(&self, database: &str) {
        eprintln!(
            "note: {database} was left restoring by the backup of its tail; \
             `vab recover --engine '{}' --database '{database}'` brings it back as it was, if no \
             step of the restore has begun",
            self.engine
        );
    }
}

/// After a step that failed.
pub(super) fn after_failure(error: &RestoreError) {
    if let RestoreError::Step { point, step, .. } = error {
        let left = if *step == 1 { "may be" } else { "is" };
        eprintln!(
            "next: the database {left} left restoring; restore it anew with --replace. If the restore point \
             itself is damaged, which `vab verify` says, --without {point} plans around it"
        );
    }
}

/// After Ctrl-C.
pub(super) fn after_stop(database: &str) {
    eprintln!(
        "stopped; if a step had begun, {database} is left restoring: restore it anew with --replace, or \
         drop it"
    );
}
