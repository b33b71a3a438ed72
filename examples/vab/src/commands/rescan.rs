//! `vab rescan`

use std::process::ExitCode;

use vab_manager::repository::RescanOptions;
use vab_manager::rescan;

use super::Failure;
use crate::args::RescanArguments;
use crate::print::out::outln;

pub(crate) fn run(arguments: &RescanArguments) -> Result<ExitCode, Failure> {
    let mut options = RescanOptions::default();
    options.rebuild_file_metadata = arguments.rebuild_files;
    options.rebuild_job_metadata = arguments.rebuild_jobs;
    options.forget_missing = arguments.forget_missing;
    let report = rescan(&arguments.repository, options)?;
    for notice in &report.notices {
        outln!("{notice}");
    }
    for id in &report.found {
        outln!("found {id}");
    }
    for id in &report.gone {
        outln!("gone  {id}");
    }
    outln!(
        "{} restore points in {} files of {} jobs; {} found, {} gone",
        report.points,
        report.files,
        report.jobs,
        report.found.len(),
        report.gone.len()
    );
    Ok(ExitCode::SUCCESS)
}
