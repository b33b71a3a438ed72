//! A run as lines for people and log files.

use vab_manager::RunReport;
use vab_manager::run::{DatabaseReport, DatabaseResult, Decision, RunEvent, Try};

use super::bytes::Bytes;
use super::out::outln;

/// Says what happens. When standard output is for a program, only notes and errors, on the other
/// one.
pub(crate) fn event(event: &RunEvent<'_>, json: bool) {
    match event {
        RunEvent::Begins { databases, budget } if *databases > 1 && !json => {
            outln!("{databases} databases, {budget}");
        }
        RunEvent::Backup {
            database,
            decision: decision @ Decision::Instead { .. },
            ..
        } => eprintln!("note: {database}: {decision}"),
        RunEvent::Again {
            database,
            failure,
            wait,
        } => eprintln!(
            "note: {database}: {failure}; trying again in {} s",
            wait.as_secs()
        ),
        RunEvent::Mends { database, reason } => eprintln!(
            "note: {database}: somebody else took a backup at the same time ({reason}); another \
             backup is taken at once"
        ),
        RunEvent::Through(report) => through(report, json),
        _ => {}
    }
}

fn through(report: &DatabaseReport, json: bool) {
    let database = &report.database;
    if !json {
        for (point, tried) in report.points.iter().zip(done(report)) {
            let take = tried.decision.and_then(|decision| decision.take());
            outln!(
                "{} of {database} is restore point {} in {} ({} in {} stream{}, {:.1} s)",
                take.map(|take| take.to_string()).unwrap_or_default(),
                point.id,
                point.file,
                Bytes(point.bytes),
                point.streams,
                if point.streams == 1 { "" } else { "s" },
                report.seconds.unwrap_or_default(),
            );
        }
    }
    match &report.result {
        DatabaseResult::Done => {}
        DatabaseResult::Skipped => {
            let reason = report.decision.map(|decision| decision.to_string());
            eprintln!("note: {database}: {}", reason.unwrap_or_default());
        }
        DatabaseResult::Failed(failure) => eprintln!("error: {database}: {failure}"),
        DatabaseResult::Cancelled => eprintln!("error: {database}: cancelled, no restore point"),
    }
}

/// The tries that made a restore point.
fn done(report: &DatabaseReport) -> impl Iterator<Item = &Try> {
    let made = |tried: &&Try| tried.error.is_none() && tried.streams > 0;
    report.tries.iter().filter(made)
}

/// What it came to.
pub(crate) fn summary(report: &RunReport) {
    for note in &report.notes {
        eprintln!("note: {note}");
    }
    let totals = &report.totals;
    if report.databases.len() > 1 {
        let mut counts = vec![format!("{} backed up", totals.done)];
        for (count, what) in [
            (totals.skipped, "skipped"),
            (totals.failed, "failed"),
            (totals.cancelled, "cancelled"),
        ] {
            if count > 0 {
                counts.push(format!("{count} {what}"));
            }
        }
        outln!(
            "{} databases: {}; {} in {:.1} s",
            report.databases.len(),
            counts.join(", "),
            Bytes(totals.bytes),
            report.seconds
        );
    }
    if totals.done == 0 {
        eprintln!("{}", report.outcome);
    }
}
