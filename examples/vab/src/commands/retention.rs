//! `vab retention`

use std::process::ExitCode;

use vab_manager::{RetentionReport, retention};

use super::Failure;
use crate::args::RetentionArguments;
use crate::print::bytes::Bytes;
use crate::print::out::outln;

pub(crate) fn run(arguments: &RetentionArguments) -> Result<ExitCode, Failure> {
    let report = retention(
        &arguments.repository,
        arguments.job.as_deref(),
        &arguments.rules.policy(),
        arguments.apply,
    )?;
    if arguments.json {
        outln!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print(&report);
    }
    Ok(ExitCode::SUCCESS)
}

fn print(report: &RetentionReport) {
    for job in &report.jobs {
        outln!("job {}", job.job);
        for chain in &job.chains {
            let full = match chain.full {
                Some(full) => format!("full {full}"),
                None => "without its full".to_owned(),
            };
            outln!(
                "  chain of {}, {full}, {} restore points: {}",
                chain.database,
                chain.points.len(),
                chain.why
            );
        }
        for file in &job.files {
            let verdict = match (&file.why, report.applied) {
                (Some(why), _) => format!("Keep: {why}"),
                (None, true) => "Removed".to_owned(),
                (None, false) => "Remove".to_owned(),
            };
            outln!(
                "  {} ({} restore points): {verdict}",
                file.file,
                file.points
            );
        }
    }
    let (files, points, bytes) = report.going();
    let bytes = Bytes(bytes);
    if report.applied {
        outln!("{files} files with {points} restore points ({bytes}) were deleted");
    } else {
        outln!(
            "{files} files with {points} restore points ({bytes}) would be deleted; nothing was done: \
             say --apply to delete them"
        );
    }
}
