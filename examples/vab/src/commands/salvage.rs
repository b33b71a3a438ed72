//! `vab salvage`

use std::path::Path;
use std::process::ExitCode;

use serde_json::json;
use vab_manager::repository::salvage::{Outcome, SalvageReport};
use vab_manager::salvage;

use super::{Failure, NOT_RESTORABLE};
use crate::args::SalvageArguments;
use crate::print::out::outln;

pub(crate) fn run(arguments: &SalvageArguments) -> Result<ExitCode, Failure> {
    let report = salvage(&arguments.file, &arguments.to)?;
    if arguments.json {
        outln!("{}", serde_json::to_string_pretty(&as_json(&report))?);
    } else {
        print(&report, &arguments.to);
    }
    let all = report.saved() == report.points.len() && report.saved() > 0;
    Ok(if all && report.key_slots != Some(0) {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(NOT_RESTORABLE)
    })
}

fn print(report: &SalvageReport, to: &Path) {
    if let Some(wrong) = &report.header {
        outln!("the header is damaged ({wrong}); what it said is taken from elsewhere");
    }
    if !report.listed {
        outln!(
            "there is no sound .VASM beside it: restore points whose commit record is gone are not listed"
        );
    }
    for point in &report.points {
        let kind = point
            .kind
            .map_or_else(|| "backup".to_owned(), |kind| kind.to_string());
        let what = format!(
            "{} {kind} of {}, {}",
            point.id, point.database, point.committed
        );
        match &point.outcome {
            Outcome::Saved => outln!("saved {what}"),
            Outcome::Lost { reason } => outln!("LOST  {what}\n        {reason}"),
        }
    }
    if report.key_slots == Some(0) {
        outln!(
            "NO KEY SLOT could be read: what is saved can be decrypted only with a kept data key"
        );
    }
    let (saved, all) = (report.saved(), report.points.len());
    match &report.file {
        Some(file) => outln!(
            "{saved} of {all} restore points saved into {}",
            to.join(file.to_string()).display()
        ),
        None => outln!("nothing is whole: 0 of {all} restore points saved"),
    }
}

fn as_json(report: &SalvageReport) -> serde_json::Value {
    let points = report.points.iter().map(|point| {
        let reason = match &point.outcome {
            Outcome::Saved => None,
            Outcome::Lost { reason } => Some(reason),
        };
        json!({
            "id": point.id.to_string(),
            "job": point.job,
            "database": point.database,
            "kind": point.kind.map(|kind| kind.to_string()),
            "committed": point.committed.to_string(),
            "bytes": point.bytes,
            "saved": reason.is_none(),
            "reason": reason,
        })
    });
    json!({
        "file": report.file.as_ref().map(ToString::to_string),
        "header": report.header,
        "listed": report.listed,
        "key_slots": report.key_slots,
        "saved": report.saved(),
        "points": points.collect::<Vec<_>>(),
    })
}
