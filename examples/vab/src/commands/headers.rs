//! `vab headers`

use std::process::ExitCode;

use vab_manager::engine::Looked;
use vab_manager::run::RetryPolicy;
use vab_manager::{EngineAddress, LookAt};

use super::Failure;
use super::verify_engine::refused;
use crate::args::HeadersArguments;
use crate::exit;
use crate::print::bars::Bars;
use crate::print::out::outln;
use vab_manager::with_causes;

pub(crate) async fn run(arguments: HeadersArguments) -> Result<ExitCode, Failure> {
    let catalog = super::catalog(&arguments.catalog).await?;
    let engine = arguments.engine.parse::<EngineAddress>()?;
    let engine = RetryPolicy::never().open(&engine).await?;
    let mut look = LookAt::new(arguments.point, arguments.look());
    look.secrets = arguments.secrets.secrets()?;
    let observer = Bars::default().observer();
    match look.run(&catalog, engine, &observer).await {
        Ok(looked) if arguments.json => outln!("{}", as_json(&looked)),
        Ok(looked) => print(&looked),
        Err(error) if refused(&error) => {
            eprintln!("error: {}", with_causes(&error));
            return Ok(ExitCode::from(exit::REFUSED));
        }
        Err(error) => return Err(error.into()),
    }
    Ok(ExitCode::SUCCESS)
}

/// A line for each value: a header has more than fifty.
fn print(looked: &Looked) {
    let width = looked
        .columns
        .iter()
        .map(String::len)
        .max()
        .unwrap_or_default();
    for (number, row) in looked.rows.iter().enumerate() {
        if number > 0 {
            outln!();
        }
        for (column, value) in looked.columns.iter().zip(row) {
            outln!("{column:<width$}  {}", value.as_deref().unwrap_or("-"));
        }
    }
}

fn as_json(looked: &Looked) -> String {
    let rows: Vec<serde_json::Map<_, _>> = looked
        .rows
        .iter()
        .map(|row| {
            let columns = looked.columns.iter().cloned();
            columns.zip(row.iter().cloned().map(Into::into)).collect()
        })
        .collect();
    // Plain data with string keys: writing it to memory cannot fail.
    serde_json::to_string_pretty(&rows).unwrap_or_default()
}
