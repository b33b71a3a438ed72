//! `vab recover`

use std::process::ExitCode;

use vab_manager::EngineAddress;
use vab_manager::engine::{RecoverRequest, Recovery};
use vab_manager::run::RetryPolicy;

use super::Failure;
use crate::args::RecoverArguments;
use crate::exit;
use crate::print::out::outln;
use vab_manager::with_causes;

pub(crate) async fn run(arguments: RecoverArguments) -> Result<ExitCode, Failure> {
    let engine = arguments.engine.parse::<EngineAddress>()?;
    let engine = RetryPolicy::never().open(&engine).await?;
    let mut request = RecoverRequest::new(arguments.database.clone());
    if arguments.standby {
        request.recovery = Recovery::Standby;
    }
    match super::aside(move || engine.recover(&request)).await? {
        Ok(restored) => {
            outln!("{} is {}", arguments.database, restored.state);
            Ok(ExitCode::SUCCESS)
        }
        Err(error) if error.refusal().is_some() => {
            eprintln!("error: {}", with_causes(&error));
            Ok(ExitCode::from(exit::REFUSED))
        }
        Err(error) => Err(error.into()),
    }
}
