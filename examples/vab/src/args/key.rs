//! `vab key`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::encoding::SecretArguments;

#[derive(Debug, Args)]
pub(crate) struct KeyArguments {
    #[command(subcommand)]
    pub command: KeyCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a file with a new random key. Keep a copy of it somewhere safe: without it, what it
    /// encrypts is lost.
    New {
        /// The file, which may not be there yet.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Show who can open a .VAB; needs no key.
    List {
        /// The .VAB.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Print one JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Let another key or passphrase open a .VAB too. No data is rewritten.
    Add(AddArguments),
    /// Take a key or passphrase away from a .VAB. No data is rewritten: who kept a copy of the file
    /// can still open that copy.
    Remove {
        /// The .VAB.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The slot, as `vab key list` shows it.
        #[arg(long, value_name = "N")]
        slot: usize,
        /// What opens another slot, which stays.
        #[command(flatten)]
        secrets: SecretArguments,
    },
}

#[derive(Debug, Args)]
pub(crate) struct AddArguments {
    /// The .VAB.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// What opens it now.
    #[command(flatten)]
    pub secrets: SecretArguments,
    /// A file with the key that shall open it too.
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "new_passphrase_file"
    )]
    pub new_key_file: Option<PathBuf>,
    /// A file with the passphrase that shall open it too.
    #[arg(long, value_name = "FILE", conflicts_with = "new_key_file")]
    pub new_passphrase_file: Option<PathBuf>,
    /// What `vab key list` shows of it; stored in plain. The name of the key file, if not given.
    #[arg(long, value_name = "TEXT")]
    pub label: Option<String>,
}
