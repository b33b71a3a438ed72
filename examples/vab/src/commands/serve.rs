//! `vab serve`

use std::process::ExitCode;
use std::sync::Arc;

use vab_manager::{BackupManager, ServeOptions, SystemClock};

use super::Failure;
use crate::args::ServeArguments;
use crate::interrupt;

pub(crate) async fn run(arguments: ServeArguments) -> Result<ExitCode, Failure> {
    let manager = BackupManager::open(&arguments.repository, Arc::new(SystemClock))?;
    let mut options = ServeOptions::default();
    options.allow_plain_network = arguments.allow_plain_network;
    let serving = manager.listen(arguments.listen, options).await?;
    println!("repository {}", arguments.repository.display());
    println!("listening on {}; Ctrl-C stops", serving.address());
    serving
        .until(async {
            interrupt::requested().await;
            eprintln!("stopping: what runs is finished or aborted");
        })
        .await?;
    println!("stopped");
    Ok(ExitCode::SUCCESS)
}
