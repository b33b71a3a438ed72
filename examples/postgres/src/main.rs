//! Backs up a PostgreSQL cluster through virtual devices, loses it, and restores it to a moment.

#[cfg(unix)]
mod demo;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(about = "PostgreSQL through virtual devices", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A cluster is backed up, lost, and restored to a moment in between, with proof.
    Demo {
        /// A new folder, which is kept; a temporary one by default. The user `postgres` must be
        /// able to reach it.
        #[arg(long)]
        folder: Option<std::path::PathBuf>,
    },
}

#[cfg(unix)]
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Command::Demo { folder } = Arguments::parse().command;
    demo::run(folder).await
}

#[cfg(not(unix))]
fn main() {
    let Command::Demo { .. } = Arguments::parse().command;
    eprintln!("this example needs a Unix system");
    std::process::exit(1);
}
