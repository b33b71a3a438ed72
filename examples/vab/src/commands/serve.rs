//! `vab serve`

use std::process::ExitCode;
use std::sync::Arc;

use vab_manager::repository::RepositoryOptions;
use vab_manager::{BackupManager, ServeOptions, SystemClock};

use super::Failure;
use crate::args::ServeArguments;
use crate::interrupt;
use crate::print::out::outln;

pub(crate) async fn run(arguments: ServeArguments) -> Result<ExitCode, Failure> {
    let mut storing = RepositoryOptions::default();
    storing.direct_io = arguments.direct_io;
    let manager = BackupManager::open_with(&arguments.repository, storing, Arc::new(SystemClock))?;
    let mut options = ServeOptions::default();
    options.allow_plain_network = arguments.allow_plain_network;
    arguments.security.apply(&mut options)?;
    let serving = manager.listen(arguments.listen, options).await?;
    outln!("repository {}", arguments.repository.display());
    outln!("listening on {}; Ctrl-C stops", serving.address());
    serving
        .until(async {
            interrupt::requested().await;
            eprintln!("stopping: what runs is finished or aborted");
        })
        .await?;
    outln!("stopped");
    Ok(ExitCode::SUCCESS)
}
