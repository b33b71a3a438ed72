//! `vab verify --engine`

use std::process::ExitCode;

use serde_json::json;
use vab_manager::engine::{Look, RestoreError};
use vab_manager::run::RetryPolicy;
use vab_manager::{EngineAddress, Filter, GiveError, LookAt, LookError, Manner, PointInfo};

use super::{Failure, NOT_RESTORABLE};
use crate::args::VerifyArguments;
use crate::args::sql::demanded;
use crate::exit;
use crate::interrupt;
use crate::print::bars::Bars;
use crate::print::out::outln;
use vab_manager::with_causes;

pub(crate) async fn run(arguments: VerifyArguments) -> Result<ExitCode, Failure> {
    let work = verify(arguments);
    tokio::select! {
        done = work => done,
        () = interrupt::requested() => {
            eprintln!("stopped; nothing was changed");
            Ok(ExitCode::from(exit::INTERRUPTED))
        }
    }
}

async fn verify(arguments: VerifyArguments) -> Result<ExitCode, Failure> {
    let catalog = super::catalog(&arguments.catalog).await?;
    let points = wanted(&arguments, &catalog).await?;
    if points.is_empty() {
        return Err("there are no such restore points; `vab list` shows what there is".into());
    }
    let address = arguments.engine.as_deref().unwrap_or_default();
    let engine = RetryPolicy::never()
        .open(&address.parse::<EngineAddress>()?)
        .await?;
    let secrets = arguments.secrets.secrets()?;
    let mut bad = 0;
    let mut rows = Vec::new();
    for point in &points {
        let mut look = LookAt::new(point.id, Look::Verify);
        look.manner = Manner::default();
        look.manner.checksums = demanded(arguments.checksum);
        look.secrets = secrets.clone();
        let observer = Bars::default().observer();
        let error = match look.run(&catalog, engine.clone(), &observer).await {
            Ok(_) => None,
            Err(error) if speaks_of_the_point(&error) => Some(with_causes(&error)),
            Err(error) => return Err(error.into()),
        };
        bad += usize::from(error.is_some());
        if arguments.json {
            rows.push(json!({
                "id": point.id,
                "job": point.job,
                "database": point.database,
                "kind": point.kind.map(|kind| kind.to_string()),
                "file": point.file,
                "valid": error.is_none(),
                "error": error,
            }));
        } else {
            print(point, error.as_deref());
        }
    }
    if arguments.json {
        let report = json!({ "points": rows, "invalid": bad });
        outln!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        outln!(
            "{} restore points read by the engine, {bad} that it would not restore",
            points.len()
        );
    }
    Ok(if bad == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(NOT_RESTORABLE)
    })
}

async fn wanted(
    arguments: &VerifyArguments,
    catalog: &vab_manager::Catalog,
) -> Result<Vec<PointInfo>, Failure> {
    if let Some(point) = arguments.point {
        return Ok(vec![catalog.point(point).await?]);
    }
    let filter = Filter {
        job: arguments.job.clone(),
        database: arguments.database.clone(),
    };
    let mut points = catalog.points(&filter).await?;
    points.retain(|point| arguments.since.is_none_or(|since| point.committed >= since));
    Ok(points)
}

fn print(point: &PointInfo, error: Option<&str>) {
    let verdict = if error.is_none() {
        "valid  "
    } else {
        "INVALID"
    };
    let kind = point
        .kind
        .map_or_else(|| "?".to_owned(), |kind| kind.to_string());
    outln!(
        "{verdict} {} {kind:<4} of {} in {}",
        point.id,
        point.database,
        point.file
    );
    if let Some(error) = error {
        outln!("        {error}");
    }
}

/// Whether the restore point could not be read or is refused, rather than that nobody could look.
fn speaks_of_the_point(error: &LookError) -> bool {
    match error {
        GiveError::Statement(RestoreError::Stream { .. }) | GiveError::Mover(_) => true,
        error => refused(error),
    }
}

/// Whether the engine says no.
pub(super) fn refused(error: &LookError) -> bool {
    matches!(error, GiveError::Statement(error) if error.refusal().is_some())
}
