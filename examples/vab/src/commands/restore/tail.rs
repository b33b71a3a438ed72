//! The tail of the log, before its database is restored over.

use std::process::ExitCode;
use std::sync::Arc;

use vab_manager::engine::Engine;
use vab_manager::run::Decision;
use vab_manager::{Encoding, PointInfo, RecoveryManager, Restore, TailError};

use crate::exit;
use crate::print::bars::Bars;

pub(super) async fn back_up(
    manager: &RecoveryManager,
    engine: Arc<dyn Engine>,
    restore: &Restore,
    encoding: &Encoding,
) -> Result<PointInfo, TailError> {
    let observer = Bars::default().observer();
    let taken = manager.back_up_tail(engine, restore, encoding, &observer);
    taken.await
}

/// The exit code for a tail that was not backed up.
pub(super) fn exit_code(error: &TailError) -> ExitCode {
    ExitCode::from(match error {
        TailError::WouldNotConnect {
            decision: Decision::Fail(_),
            ..
        } => exit::CHAIN_BROKEN,
        TailError::NoDatabase { .. } | TailError::WouldNotConnect { .. } => exit::REFUSED,
        TailError::Backup(error) => {
            return exit::of_failure(vab_manager::run::Failure::from(error).class);
        }
        _ => exit::FAILED,
    })
}
