//! `vab databases`

use std::process::ExitCode;

use vab_manager::chain::BackupKind;
use vab_manager::engine::LegalKind;
use vab_manager::run::{Guard, RetryPolicy, survey};
use vab_manager::{Catalog, EngineAddress, Filter};

use super::Failure;
use crate::args::DatabasesArguments;
use crate::print;
use crate::print::out::outln;

pub(crate) async fn run(arguments: DatabasesArguments) -> Result<ExitCode, Failure> {
    let engine = arguments.engine.parse::<EngineAddress>()?;
    let engine = RetryPolicy::never().open(&engine).await?;
    let databases = super::aside(move || engine.databases()).await??;
    let catalog = match (&arguments.server, &arguments.repository) {
        (Some(address), _) => {
            let options = arguments.security.options()?;
            Some(Catalog::server_with(address, &options).await?)
        }
        (None, Some(folder)) => Some(Catalog::folder(folder)?),
        (None, None) => None,
    };
    let (points, guards) = match &catalog {
        Some(catalog) => {
            let filter = Filter {
                job: arguments.job.clone(),
                database: None,
            };
            (catalog.points(&filter).await?, guards(&arguments))
        }
        // Without the backups that are there nobody can say what would connect.
        None => (Vec::new(), Vec::new()),
    };
    let surveyed = survey(&databases, &points, &guards);
    if arguments.json {
        outln!("{}", serde_json::to_string_pretty(&surveyed)?);
    } else if surveyed.is_empty() {
        outln!("no databases");
    } else {
        print::survey::databases(&surveyed, catalog.is_some());
    }
    Ok(ExitCode::SUCCESS)
}

fn guards(arguments: &DatabasesArguments) -> Vec<Guard> {
    let kinds = match arguments.kind {
        Some(kind) => vec![kind.into()],
        None => vec![BackupKind::Full, BackupKind::Differential, BackupKind::Log],
    };
    let guard = |kind| {
        let mut guard = Guard::new(LegalKind::new(kind, false));
        guard.on_broken_chain = arguments.on_broken_chain.into();
        guard
    };
    kinds.into_iter().map(guard).collect()
}
