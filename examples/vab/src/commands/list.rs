//! `vab list`

use std::process::ExitCode;

use vab_manager::{Filter, listing};

use super::Failure;
use crate::args::ListArguments;
use crate::print::out::outln;
use crate::print::tree::tree;

pub(crate) async fn run(arguments: ListArguments) -> Result<ExitCode, Failure> {
    let catalog = super::catalog(&arguments.catalog).await?;
    let filter = Filter {
        job: arguments.filter.job,
        database: arguments.filter.database,
    };
    let rows = listing::rows(&catalog.points(&filter).await?);
    if arguments.json {
        outln!("{}", serde_json::to_string_pretty(&rows)?);
    } else if rows.is_empty() {
        outln!("no restore points");
    } else {
        crate::print::out::write(format_args!("{}", tree(&rows)));
    }
    Ok(ExitCode::SUCCESS)
}
