//! `vab verify`

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use vab_manager::{Verification, VerifyOptions, verify};

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
        let unreachable: Vec<_> = verification.unreachable().map(|point| point.id).collect();
        for point in &verification.points {
            let verdict = match point.whole {
                false => "DAMAGED",
                true if unreachable.contains(&point.id) => "CUT OFF",
                true => "whole  ",
            };
            outln!(
                "{verdict} {} {:<4} of {} in {}",
                point.id,
                point.kind,
                point.database,
                point.file
            );
            // Why the chain does not lead to what is damaged stands there already.
            let reason = point.reason.as_ref().filter(|_| point.whole);
            for finding in point.findings.iter().chain(reason) {
                outln!("        {finding}");
            }
        }
        for file in &verification.files {
            outln!("file {}", file.file);
            for finding in &file.findings {
                outln!("        {finding}");
            }
        }
        let damaged = verification.damaged().count();
        let cut_off = match unreachable.len() {
            0 => String::new(),
            count => format!(", {count} whole but cut off from what they build on"),
        };
        outln!(
            "{} restore points read ({}), {damaged} damaged{cut_off}",
            verification.points.len(),
            Bytes(verification.bytes)
        );
        next(&verification, &repository);
    }
    Ok(if verification.is_restorable() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(NOT_RESTORABLE)
    })
}

/// What to do about what was found.
fn next(verification: &Verification, repository: &Path) {
    let found = verification.damaged().chain(verification.unreachable());
    let databases: BTreeSet<_> = found.map(|point| point.database.as_str()).collect();
    if !databases.is_empty() {
        let databases = databases.into_iter().collect::<Vec<_>>().join(", ");
        outln!("next: take a full backup of {databases}, so that a sound chain begins");
    }
    let files: BTreeSet<_> = verification
        .damaged()
        .map(|point| point.file.as_str())
        .collect();
    if !files.is_empty() {
        outln!(
            "      `vab restore --without ID` plans around what is damaged, where there is a way"
        );
    }
    for file in files {
        let file = repository.join(file);
        outln!(
            "      `vab salvage '{}' --to DIR` saves what is whole in that file",
            file.display()
        );
    }
}
