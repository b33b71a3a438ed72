//! One file per command: parse, call the manager, print.

mod backup;
#[cfg(feature = "tls")]
mod certificate;
mod databases;
mod demo;
mod export;
mod headers;
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
mod tail;
mod timeline;
mod verify;
mod verify_engine;

use std::process::ExitCode;

use vab_manager::{Catalog, RecoveryManager};

use crate::args::{CatalogArguments, Command, ServerAddress};

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
        Command::Tail(arguments) => tail::run(arguments).await,
        Command::Recover(arguments) => recover::run(arguments).await,
        Command::Verify(arguments) if arguments.engine.is_some() => {
            verify_engine::run(arguments).await
        }
        Command::Verify(arguments) => verify::run(arguments),
        Command::Headers(arguments) => headers::run(arguments).await,
        Command::Timeline(arguments) => timeline::run(arguments).await,
        Command::Rescan(arguments) => rescan::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Key(arguments) => key::run(arguments),
        Command::Retention(arguments) => retention::run(&arguments),
        Command::Salvage(arguments) => salvage::run(&arguments),
        #[cfg(feature = "tls")]
        Command::Certificate(arguments) => certificate::run(arguments),
    }
}

async fn connect(server: &ServerAddress) -> Result<RecoveryManager, Failure> {
    let options = server.security.options()?;
    Ok(RecoveryManager::connect_with(&server.server, &options).await?)
}

/// Calls what blocks. Engines may not be called where others wait.
async fn aside<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    Ok(tokio::task::spawn_blocking(call).await?)
}

async fn catalog(arguments: &CatalogArguments) -> Result<Catalog, Failure> {
    match (&arguments.place.server, &arguments.place.repository) {
        (_, Some(folder)) => Ok(Catalog::folder(folder)?),
        (Some(address), None) => {
            let options = arguments.security.options()?;
            Ok(Catalog::server_with(address, &options).await?)
        }
        (None, None) => {
            Err("say where the restore points are: --server ADDR or --repository DIR".into())
        }
    }
}
