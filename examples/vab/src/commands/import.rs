//! `vab import`

use std::process::ExitCode;

use vab_manager::{Import, Imported};

use super::Failure;
use crate::args::ImportArguments;
use crate::print::bars::Bars;
use crate::print::bytes::Bytes;
use crate::print::out::outln;
use vab_manager::with_causes;

pub(crate) async fn run(arguments: ImportArguments) -> Result<ExitCode, Failure> {
    let manager = super::connect(&arguments.server).await?;
    let mut import = Import::new(arguments.job, arguments.paths);
    import.encoding = arguments.encoding.encoding()?;
    let report = manager.import(&import, &Bars::default().observer()).await?;
    for note in &report.notes {
        eprintln!("note: {note}");
    }
    let (mut stored, mut there, mut failed) = (0_usize, 0_usize, 0_usize);
    for (set, imported) in &report.sets {
        match imported {
            Imported::Stored(point) => {
                stored += 1;
                outln!(
                    "{} {set}: {} in {}",
                    point.id,
                    Bytes(point.bytes),
                    point.file
                );
            }
            Imported::AlreadyThere(id) => {
                there += 1;
                outln!("{id} {set}: the job has it already");
            }
            Imported::Failed(error) => {
                failed += 1;
                eprintln!("error: {set}: {}", with_causes(error.as_ref()));
            }
            _ => {}
        }
    }
    for problem in &report.problems {
        eprintln!("error: {}", with_causes(problem));
    }
    outln!(
        "{stored} restore points stored, {there} there already, {failed} failed, {} problems with files",
        report.problems.len()
    );
    Ok(if report.is_complete() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
