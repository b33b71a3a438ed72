//! `vab backup`

use std::process::ExitCode;

use vab_manager::{DatabaseBackup, EngineAddress};

use super::Failure;
use crate::args::BackupArguments;
use crate::print::bars::Bars;
use crate::print::bytes::Bytes;
use crate::print::out::outln;

pub(crate) async fn run(arguments: BackupArguments) -> Result<ExitCode, Failure> {
    let engine = arguments.engine.parse::<EngineAddress>()?.open()?;
    let manager = super::connect(&arguments.server).await?;
    let mut backup = DatabaseBackup::new(arguments.job, arguments.database, arguments.kind.into());
    backup.copy_only = arguments.copy_only;
    backup.streams = arguments.streams;
    let point = manager
        .backup(engine, &backup, &Bars::default().observer())
        .await?;
    outln!(
        "{} of {} is restore point {} in {} ({} in {} stream{})",
        backup.kind,
        point.database,
        point.id,
        point.file,
        Bytes(point.bytes),
        point.streams,
        if point.streams == 1 { "" } else { "s" },
    );
    Ok(ExitCode::SUCCESS)
}
