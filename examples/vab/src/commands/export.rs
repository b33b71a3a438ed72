//! `vab export`

use std::process::ExitCode;

use vab_manager::Export;

use super::Failure;
use crate::args::ExportArguments;
use crate::print::bars::Bars;
use crate::print::bytes::Bytes;
use crate::print::out::outln;

pub(crate) async fn run(arguments: ExportArguments) -> Result<ExitCode, Failure> {
    let catalog = super::catalog(&arguments.catalog).await?;
    let mut export = Export::new(arguments.point, arguments.to);
    export.overwrite = arguments.overwrite;
    export.secrets = arguments.secrets.secrets()?;
    for file in export.run(&catalog, &Bars::default().observer()).await? {
        outln!("{} ({})", file.path.display(), Bytes(file.bytes));
    }
    Ok(ExitCode::SUCCESS)
}
