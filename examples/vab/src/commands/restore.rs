//! `vab restore`

use std::process::ExitCode;
use std::sync::Arc;

use vab_manager::engine::{DatabaseState, Engine, StopOutcome};
use vab_manager::run::Decision;
use vab_manager::{
    Compression, Encoding, EngineAddress, GiveError, Plan, PointInfo, RecoveryManager, Restore,
    RestoreError, RestoreReport, RestoreTarget, TailError,
};

use super::{Failure, NOT_RESTORABLE};
use crate::args::RestoreArguments;
use crate::exit;
use crate::print::bars::Bars;
use crate::print::causes;
use crate::print::out::outln;

pub(crate) async fn run(arguments: RestoreArguments) -> Result<ExitCode, Failure> {
    let catalog = super::catalog(&arguments.catalog).await?;
    let mut restore = Restore::new(arguments.database);
    restore.job = arguments.job;
    restore.name = arguments.name;
    restore.replace = arguments.replace;
    restore.secrets = arguments.secrets.secrets()?;
    restore.recovery = arguments.state.recovery();
    restore.target = match (arguments.at, arguments.point) {
        (Some(time), _) => RestoreTarget::Time(time),
        (None, Some(point)) => RestoreTarget::Point(point),
        (None, None) => RestoreTarget::Latest,
    };
    let (Some(address), false) = (&arguments.engine, arguments.dry_run) else {
        if arguments.state.tail {
            outln!("first the tail of the log would be backed up; without it, the plan is");
        }
        return Ok(match restore.plan(&catalog).await {
            Ok((plan, points)) => {
                print_plan(&plan, &points);
                ExitCode::SUCCESS
            }
            Err(error) => failed(&error),
        });
    };
    let advice = Advice { engine: address };
    let engine = address.parse::<EngineAddress>()?;
    let engine = engine.open_or_create()?;
    if let (true, Some(server)) = (arguments.state.tail, &arguments.catalog.server) {
        if !matches!(restore.target, RestoreTarget::Time(_)) {
            // Better known before the database is put out of use.
            if let Err(error) = restore.plan(&catalog).await {
                return Ok(failed(&error));
            }
        }
        // Who restores with a key does not want the tail in plain.
        let encoding = arguments.secrets.encoding(Compression::Auto)?;
        match back_up_tail(server, Arc::clone(&engine), &restore, &encoding).await? {
            Ok(point) => outln!(
                "the tail of the log of {} is restore point {} in {}; the database is restoring",
                point.database,
                point.id,
                point.file
            ),
            Err(error) => return Ok(tail_failed(&error)),
        }
    }
    let done = restore
        .run(&catalog, engine, &Bars::default().observer())
        .await;
    match done {
        Ok(report) => {
            advice.after(&report);
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            if arguments.state.tail {
                advice.after_tail(&restore.database);
            }
            Ok(failed(&error))
        }
    }
}

async fn back_up_tail(
    server: &str,
    engine: Arc<dyn Engine>,
    restore: &Restore,
    encoding: &Encoding,
) -> Result<Result<PointInfo, TailError>, Failure> {
    let manager = RecoveryManager::connect(server).await?;
    let observer = Bars::default().observer();
    let taken = manager.back_up_tail(engine, restore, encoding, &observer);
    Ok(taken.await)
}

fn tail_failed(error: &TailError) -> ExitCode {
    eprintln!("error: {}", causes(error));
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

fn failed(error: &RestoreError) -> ExitCode {
    let code = match error {
        RestoreError::Unreachable { .. } => NOT_RESTORABLE,
        RestoreError::Exists(_) => exit::REFUSED,
        RestoreError::Step { error, .. } => match error.as_ref() {
            GiveError::Statement(error) if error.refusal().is_some() => exit::REFUSED,
            _ => exit::FAILED,
        },
        _ => exit::FAILED,
    };
    eprintln!("error: {}", causes(error));
    ExitCode::from(code)
}

/// What to do next.
struct Advice<'a> {
    engine: &'a str,
}

impl Advice<'_> {
    fn after(&self, report: &RestoreReport) {
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

    fn after_tail(&self, database: &str) {
        eprintln!(
            "note: {database} was left restoring by the backup of its tail; \
             `vab recover --engine '{}' --database '{database}'` brings it back as it was, if no \
             step of the restore has begun",
            self.engine
        );
    }
}

fn print_plan(plan: &Plan, points: &[PointInfo]) {
    for (number, step) in plan.steps.iter().enumerate() {
        let file = points
            .iter()
            .find(|point| point.id == step.point)
            .map(|point| point.file.as_str());
        let stop = step
            .stop_at
            .as_ref()
            .map(|stop| format!(", stop at {stop}"))
            .unwrap_or_default();
        outln!(
            "{}. {} {} in {}{stop}",
            number + 1,
            step.kind,
            step.point,
            file.unwrap_or("?")
        );
    }
    for note in &plan.notes {
        outln!("note: {note}");
    }
}
