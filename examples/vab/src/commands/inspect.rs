//! `vab inspect`

use std::process::ExitCode;

use serde_json::json;
use vab_manager::repository::{InspectOptions, Inspection, inspect};

use super::{Failure, NOT_RESTORABLE};
use crate::args::InspectArguments;
use crate::print::out::outln;

pub(crate) fn run(arguments: &InspectArguments) -> Result<ExitCode, Failure> {
    let mut options = InspectOptions::default();
    options.records = arguments.records;
    let inspection = inspect(&arguments.file, options)?;
    if arguments.json {
        outln!("{}", serde_json::to_string_pretty(&as_json(&inspection))?);
    } else {
        crate::print::out::write(format_args!("{inspection}"));
    }
    Ok(if inspection.problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(NOT_RESTORABLE)
    })
}

fn as_json(inspection: &Inspection) -> serde_json::Value {
    json!({
        "path": inspection.path,
        "kind": inspection.kind.to_string(),
        "length": inspection.length,
        "fields": inspection.fields.iter().map(|field| json!({"name": field.name, "value": field.value})).collect::<Vec<_>>(),
        "records": inspection.records.iter().map(|record| json!({
            "offset": record.offset,
            "length": record.length,
            "kind": record.kind,
            "text": record.text,
        })).collect::<Vec<_>>(),
        "more_records": inspection.more_records,
        "problems": inspection.problems.iter().map(|problem| json!({"offset": problem.offset, "text": problem.text})).collect::<Vec<_>>(),
        "more_problems": inspection.more_problems,
    })
}
