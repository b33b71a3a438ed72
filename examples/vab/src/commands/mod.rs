//! One file per command: parse, call the manager, print.

mod backup;
mod databases;
mod demo;
mod export;
mod import;
mod inspect;
mod key;
mod list;
mod recover;
mod rescan;
mod restore;
mod retention;
mod salvage;
mod serve;
mod timeline;
mod verify;

use std::process::ExitCode;

use vab_manager::Catalog;

use crate::args::{CatalogArguments, Command};

/// What `main` needs to know of an error: that it can be printed with its causes.
pub(crate) type Failure = Box<dyn std::error::Error>;

pub(crate) use crate::exit::NOT_RESTORABLE;

pub(crate) async fn run(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Demo(arguments) => demo::run(arguments).await,
        Command::Serve(arguments) => serve::run(arguments).await,
        Command::Backup(arguments) => backup::run(arguments).await,
        Command::Databases(arguments) => databases::run(arguments).await,
        Command::Import(arguments) => import::run(arguments).await,
        Command::List(arguments) => list::run(arguments).await,
        Command::Export(arguments) => export::run(arguments).await,
        Command::Restore(arguments) => restore::run(arguments).await,
        Command::Recover(arguments) => recover::run(&arguments),
        Command::Verify(arguments) => verify::run(arguments),
        Command::Timeline(arguments) => timeline::run(arguments).await,
        Command::Rescan(arguments) => rescan::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Key(arguments) => key::run(arguments),
        Command::Retention(arguments) => retention::run(&arguments),
        Command::Salvage(arguments) => salvage::run(&arguments),
    }
}

async fn catalog(arguments: &CatalogArguments) -> Result<Catalog, Failure> {
    match (&arguments.server, &arguments.repository) {
        (_, Some(folder)) => Ok(Catalog::folder(folder)?),
        (Some(address), None) => Ok(Catalog::server(address).await?),
        (None, None) => {
            Err("say where the restore points are: --server ADDR or --repository DIR".into())
        }
    }
}
