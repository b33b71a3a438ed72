//! `vab rescan`

use std::process::ExitCode;

use vab_manager::repository::RescanOptions;
use vab_manager::rescan;

use super::Failure;
use crate::args::RescanArguments;

pub(crate) fn run(arguments: &RescanArguments) -> Result<ExitCode, Failure> {
    let mut options = RescanOptions::default();
    options.rebuild_file_metadata = arguments.rebuild_files;
    options.rebuild_job_metadata = arguments.rebuild_jobs;
    options.forget_missing = arguments.forget_missing;
    let report = rescan(&arguments.repository, options)?;
    for notice in &report.notices {
        println!("{notice}");
    }
    for id in &report.found {
        println!("found {id}");
    }
    for id in &report.gone {
        println!("gone  {id}");
    }
    println!(
        "{} restore points in {} files of {} jobs; {} found, {} gone",
        report.points,
        report.files,
        report.jobs,
        report.found.len(),
        report.gone.len()
    );
    Ok(ExitCode::SUCCESS)
}
