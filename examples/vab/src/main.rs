//! The `vab` command: arguments, progress and printing. What it does is in `vab-manager`.

#![forbid(unsafe_code)]

mod args;
mod commands;
mod demo;
mod exit;
mod interrupt;
mod print;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use crate::args::Arguments;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let level = match arguments.verbose {
        0 => "warn",
        1 => "info",
        _ => "debug",
    };
    let filter = EnvFilter::try_from_env("VAB_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // Colours are for terminals, not for log files.
        .with_ansi(std::io::stderr().is_terminal())
        .init();

    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the threads of the program cannot be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(commands::run(arguments.command)) {
        Ok(_) if print::out::failed() => ExitCode::FAILURE,
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {}", vab_manager::with_causes(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}
