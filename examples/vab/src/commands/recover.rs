//! `vab recover`

use std::process::ExitCode;

use vab_manager::EngineAddress;
use vab_manager::engine::{RecoverRequest, Recovery};

use super::Failure;
use crate::args::RecoverArguments;
use crate::exit;
use crate::print::causes;
use crate::print::out::outln;

pub(crate) fn run(arguments: &RecoverArguments) -> Result<ExitCode, Failure> {
    let engine = arguments.engine.parse::<EngineAddress>()?.open()?;
    let mut request = RecoverRequest::new(arguments.database.clone());
    if arguments.standby {
        request.recovery = Recovery::Standby;
    }
    match engine.recover(&request) {
        Ok(restored) => {
            outln!("{} is {}", arguments.database, restored.state);
            Ok(ExitCode::SUCCESS)
        }
        Err(error) if error.refusal().is_some() => {
            eprintln!("error: {}", causes(&error));
            Ok(ExitCode::from(exit::REFUSED))
        }
        Err(error) => Err(error.into()),
    }
}
