//! `vab tail`

use std::process::ExitCode;

use vab_manager::run::{Decision, RetryPolicy};
use vab_manager::{EngineAddress, Restore, TailError};

use super::Failure;
use crate::args::TailArguments;
use crate::exit;
use crate::interrupt;
use crate::print::bars::Bars;
use crate::print::out::outln;
use vab_manager::with_causes;

pub(crate) async fn run(arguments: TailArguments) -> Result<ExitCode, Failure> {
    let engine = arguments.engine.parse::<EngineAddress>()?;
    let engine = RetryPolicy::never().open(&engine).await?;
    let manager = super::connect(&arguments.server).await?;
    let mut restore = Restore::new(arguments.database.clone());
    restore.job.clone_from(&arguments.job);
    restore.damaged = arguments.damaged;
    let encoding = arguments.encoding.encoding()?;
    let observer = Bars::default().observer();
    let taken = tokio::select! {
        taken = manager.back_up_tail(engine, &restore, &encoding, &observer) => taken,
        () = interrupt::requested() => {
            eprintln!("stopped; look at `vab list` and `vab databases` before you go on");
            return Ok(ExitCode::from(exit::INTERRUPTED));
        }
    };
    match taken {
        Ok(point) if arguments.json => outln!("{}", serde_json::to_string_pretty(&point)?),
        Ok(point) => {
            let (database, engine) = (&point.database, &arguments.engine);
            outln!(
                "the tail of the log of {database} is restore point {} in {}; the database is \
                 restoring",
                point.id,
                point.file
            );
            outln!(
                "next: `vab restore --database '{database}'` here or elsewhere, or `vab recover \
                 --engine '{engine}' --database '{database}'` to bring it back as it was"
            );
        }
        Err(error) => return Ok(failed(&error, &arguments.engine, &arguments.database)),
    }
    Ok(ExitCode::SUCCESS)
}

/// Says why a tail was not backed up; gives the exit code.
pub(super) fn failed(error: &TailError, engine: &str, database: &str) -> ExitCode {
    eprintln!("error: {}", with_causes(error));
    if matches!(error, TailError::Backup(_)) {
        eprintln!(
            "note: if {database} is restoring now, `vab recover --engine '{engine}' --database \
             '{database}'` brings it back as it was"
        );
    }
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
