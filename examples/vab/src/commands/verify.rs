//! `vab verify`

use std::process::ExitCode;

use vab_manager::{VerifyOptions, verify};

use super::{Failure, NOT_RESTORABLE};
use crate::args::VerifyArguments;
use crate::print::bars::Bars;
use crate::print::bytes::Bytes;
use crate::print::out::outln;

pub(crate) fn run(arguments: VerifyArguments) -> Result<ExitCode, Failure> {
    let Some(repository) = arguments.catalog.place.repository else {
        return Err(
            "to read back what is stored, say where it is with --repository DIR; over --server an engine \
             can verify it (--engine)"
                .into(),
        );
    };
    let bars = Bars::default();
    let mut options = VerifyOptions::default();
    options.job = arguments.job;
    options.database = arguments.database;
    options.since = arguments.since;
    options.sample = arguments.sample;
    let verification = verify(&repository, &options, &bars.observer())?;
    bars.clear();
    if arguments.json {
        outln!("{}", serde_json::to_string_pretty(&verification)?);
    } else {
        for point in &verification.points {
            let verdict = if point.whole { "whole  " } else { "DAMAGED" };
            outln!(
                "{verdict} {} {:<4} of {} in {}",
                point.id,
                point.kind,
                point.database,
                point.file
            );
            for finding in point.findings.iter().chain(&point.reason) {
                outln!("        {finding}");
            }
        }
        for file in &verification.files {
            outln!("file {}", file.file);
            for finding in &file.findings {
                outln!("        {finding}");
            }
        }
        let damaged = verification
            .points
            .iter()
            .filter(|point| !point.whole)
            .count();
        outln!(
            "{} restore points read ({}), {damaged} damaged",
            verification.points.len(),
            Bytes(verification.bytes)
        );
    }
    Ok(if verification.is_whole() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(NOT_RESTORABLE)
    })
}
