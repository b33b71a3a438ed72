//! `vab restore`

mod advice;

use std::process::ExitCode;
use std::sync::Arc;

use vab_manager::engine::Engine;
use vab_manager::{
    Catalog, Clock, Compression, Plan, PointInfo, RecoveryManager, Restore, RestoreError,
    RestoreOutcome, RestoreRecord, RestoreTarget, SystemClock,
};

use self::advice::Advice;
use super::{Failure, NOT_RESTORABLE};
use crate::args::RestoreArguments;
use crate::print::bars::Bars;
use crate::print::out::outln;
use crate::{exit, interrupt};
use vab_manager::with_causes;

pub(crate) async fn run(mut arguments: RestoreArguments) -> Result<ExitCode, Failure> {
    let restore = restore(&mut arguments)?;
    let catalog = super::catalog(&arguments.catalog).await?;
    let (Some(address), false) = (&arguments.engine, arguments.dry_run) else {
        return dry_run(&arguments, &restore, &catalog).await;
    };
    let engine = arguments.sql.engine(address)?;
    let engine = super::aside(move || engine.open_or_create()).await??;
    let tail = if arguments.state.tail {
        match take_tail(&arguments, &restore, &catalog, Arc::clone(&engine)).await? {
            Ok(tail) => tail,
            Err(code) => return Ok(code),
        }
    } else {
        None
    };
    let (advice, clock) = (Advice { engine: address }, SystemClock);
    let started = clock.now();
    let observer = Bars::default().observer();
    let ended = tokio::select! {
        ended = restore.run(&catalog, engine, &observer) => Some(ended),
        () = interrupt::requested() => None,
    };
    let times = (started, clock.now());
    let mut record = match &ended {
        Some(ended) => RestoreRecord::of(&restore, ended, times),
        None => RestoreRecord::cancelled(&restore, times),
    };
    record.tail = tail;
    if arguments.json {
        outln!("{}", record.to_json());
    }
    match &ended {
        Some(Ok(report)) if !arguments.json => advice.after(report),
        Some(Ok(_)) => {}
        Some(Err(error)) => {
            if arguments.state.tail {
                advice.after_tail(&restore.database);
            }
            eprintln!("error: {}", with_causes(error));
            advice::after_failure(error);
        }
        None => advice::after_stop(&record.restored_as),
    }
    Ok(exit_code(record.outcome))
}

/// What is asked for.
fn restore(arguments: &mut RestoreArguments) -> Result<Restore, Failure> {
    let mut restore = Restore::new(arguments.database.clone());
    restore.job = arguments.job.take();
    restore.name = arguments.name.take();
    restore.replace = arguments.replace;
    restore.secrets = arguments.secrets.secrets()?;
    restore.recovery = arguments.state.recovery();
    restore.damaged = arguments.state.damaged;
    restore.placement = arguments.sql.placement();
    restore.manner = arguments.sql.manner()?;
    restore.without = std::mem::take(&mut arguments.target.without);
    restore.target = std::mem::take(&mut arguments.target).target()?;
    Ok(restore)
}

async fn dry_run(
    arguments: &RestoreArguments,
    restore: &Restore,
    catalog: &Catalog,
) -> Result<ExitCode, Failure> {
    if arguments.state.tail {
        outln!("first the tail of the log would be backed up; without it, the plan is");
    }
    let plan = match &arguments.engine {
        // Only an engine knows where its marks are.
        Some(address) if matches!(restore.target, RestoreTarget::Mark { .. }) => {
            let engine = arguments.sql.engine(address)?;
            let engine = super::aside(move || engine.open()).await??;
            restore.plan_for(catalog, &engine).await
        }
        _ => restore.plan(catalog).await,
    };
    Ok(match plan {
        Ok((plan, points)) => {
            print_plan(&plan, &points);
            ExitCode::SUCCESS
        }
        Err(error) => failed(&error),
    })
}

/// Backs up the tail; gives the exit code where that fails.
async fn take_tail(
    arguments: &RestoreArguments,
    restore: &Restore,
    catalog: &Catalog,
    engine: Arc<dyn Engine>,
) -> Result<Result<Option<PointInfo>, ExitCode>, Failure> {
    let Some(server) = &arguments.catalog.place.server else {
        return Ok(Ok(None));
    };
    // A moment or a mark may be in the tail itself.
    let may_be_in_it = matches!(
        restore.target,
        RestoreTarget::Time(_) | RestoreTarget::Lsn { .. } | RestoreTarget::Mark { .. }
    );
    if !may_be_in_it {
        // Better known before the database is put out of use.
        if let Err(error) = restore.plan(catalog).await {
            return Ok(Err(failed(&error)));
        }
    }
    let options = arguments.catalog.security.options()?;
    let manager = RecoveryManager::connect_with(server, &options).await?;
    // Who restores with a key does not want the tail in plain.
    let encoding = arguments.secrets.encoding(Compression::Auto)?;
    let observer = Bars::default().observer();
    let taken = manager.back_up_tail(engine, restore, &encoding, &observer);
    match taken.await {
        Ok(point) => {
            if !arguments.json {
                outln!(
                    "the tail of the log of {} is restore point {} in {}; the database is restoring",
                    point.database,
                    point.id,
                    point.file
                );
            }
            Ok(Ok(Some(point)))
        }
        Err(error) => {
            let engine = arguments.engine.as_deref().unwrap_or_default();
            let database = &restore.database;
            Ok(Err(super::tail::failed(&error, engine, database)))
        }
    }
}

fn failed(error: &RestoreError) -> ExitCode {
    eprintln!("error: {}", with_causes(error));
    exit_code(error.outcome())
}

fn exit_code(outcome: RestoreOutcome) -> ExitCode {
    ExitCode::from(match outcome {
        RestoreOutcome::Success => 0,
        RestoreOutcome::Unreachable => NOT_RESTORABLE,
        RestoreOutcome::Refused => exit::REFUSED,
        RestoreOutcome::Cancelled => exit::INTERRUPTED,
        _ => exit::FAILED,
    })
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
