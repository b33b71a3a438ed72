//! `vab restore`

use std::process::ExitCode;

use vab_manager::{EngineAddress, Plan, PointInfo, Restore, RestoreError, RestoreTarget};

use super::{Failure, NOT_RESTORABLE};
use crate::args::RestoreArguments;
use crate::print::bars::Bars;
use crate::print::causes;
use crate::print::out::outln;

pub(crate) async fn run(arguments: RestoreArguments) -> Result<ExitCode, Failure> {
    let catalog = super::catalog(&arguments.catalog).await?;
    let mut restore = Restore::new(arguments.database);
    restore.job = arguments.job;
    restore.name = arguments.name;
    restore.replace = arguments.replace;
    restore.target = match (arguments.at, arguments.point) {
        (Some(time), _) => RestoreTarget::Time(time),
        (None, Some(point)) => RestoreTarget::Point(point),
        (None, None) => RestoreTarget::Latest,
    };
    let engine = match (&arguments.engine, arguments.dry_run) {
        (Some(engine), false) => Some(engine.parse::<EngineAddress>()?.open_or_create()?),
        _ => None,
    };
    let done = match engine {
        None => restore
            .plan(&catalog)
            .await
            .map(|(plan, points)| print_plan(&plan, &points)),
        Some(engine) => restore
            .run(&catalog, engine, &Bars::default().observer())
            .await
            .map(|report| {
                outln!(
                    "restored {} in {} steps; it is {}",
                    report.database,
                    report.plan.steps.len(),
                    report.last.state
                );
                if let Some(reached) = report.last.reached {
                    outln!("the last change that was applied is of {reached}");
                }
            }),
    };
    match done {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error @ RestoreError::Unreachable { .. }) => {
            eprintln!("error: {}", causes(&error));
            Ok(ExitCode::from(NOT_RESTORABLE))
        }
        Err(error) => Err(error.into()),
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
