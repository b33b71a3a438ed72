//! Arguments of commands that keep and save what is stored.

use std::path::PathBuf;

use clap::Args;
use vab_manager::chain::{Gfs, RetentionPolicy};

#[derive(Debug, Args)]
pub(crate) struct RetentionArguments {
    /// The repository folder. With --apply no server may run on it.
    #[arg(long, value_name = "DIR")]
    pub repository: PathBuf,
    /// Only this job.
    #[arg(long, value_name = "NAME")]
    pub job: Option<String>,
    #[command(flatten)]
    pub rules: RuleArguments,
    /// Delete what goes; without this it is only said.
    #[arg(long)]
    pub apply: bool,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// What is to be kept. A chain goes when no rule speaks for it any more.
#[derive(Debug, Args)]
#[group(id = "rules", required = true, multiple = true)]
pub(crate) struct RuleArguments {
    /// Keep every restore point for this many days.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub days: Option<u32>,
    /// Keep the last N fulls with all that depends on them.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub fulls: Option<u32>,
    /// Keep the chains of the last N restore points.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub last: Option<u32>,
    /// Keep a full of each of the last N days that have one.
    #[arg(long, value_name = "N")]
    pub daily: Option<u32>,
    /// Keep a full of each of the last N weeks that have one.
    #[arg(long, value_name = "N")]
    pub weekly: Option<u32>,
    /// Keep a full of each of the last N months that have one.
    #[arg(long, value_name = "N")]
    pub monthly: Option<u32>,
    /// Keep a full of each of the last N years that have one.
    #[arg(long, value_name = "N")]
    pub yearly: Option<u32>,
}

impl RuleArguments {
    pub(crate) fn policy(&self) -> RetentionPolicy {
        RetentionPolicy {
            days: self.days,
            fulls: self.fulls,
            last: self.last,
            gfs: Gfs {
                daily: self.daily.unwrap_or(0),
                weekly: self.weekly.unwrap_or(0),
                monthly: self.monthly.unwrap_or(0),
                yearly: self.yearly.unwrap_or(0),
            },
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct SalvageArguments {
    /// The damaged .VAB; it is only read. Its .VASM is made use of when it lies beside it.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// A new or empty folder, which becomes a repository with what is whole.
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}
