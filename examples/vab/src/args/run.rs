//! Arguments of commands that are about many databases.

use std::num::{NonZeroU16, NonZeroU32};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use vab_manager::run::{OnBrokenChain, Selection};

use super::KindArgument;
use super::security::ConnectSecurity;

/// Which databases.
#[derive(Debug, Args)]
#[group(id = "wanted", required = true, multiple = false)]
pub(crate) struct WantedArguments {
    /// Every database of the engine.
    #[arg(long)]
    pub all: bool,
    /// A database, or a pattern such as 'Sales*' ('?' is one character); repeat for more. Case
    /// does not matter, unless a database is called exactly so.
    #[arg(long, value_name = "DB")]
    pub database: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct SelectionArguments {
    #[command(flatten)]
    pub wanted: WantedArguments,
    /// But not this database, or those of this pattern; repeat for more.
    #[arg(long, value_name = "DB")]
    pub exclude: Vec<String>,
}

impl SelectionArguments {
    pub(crate) fn selection(&self) -> Selection {
        let wanted = if self.wanted.all {
            Selection::all()
        } else {
            Selection::of(&self.wanted.database)
        };
        wanted.without(&self.exclude)
    }
}

/// What to do when things are not as hoped.
#[derive(Debug, Args)]
pub(crate) struct PolicyArguments {
    /// Streams of all databases at once; by default two for each core, and not more than five for
    /// each GiB of memory.
    #[arg(long, value_name = "N")]
    pub budget: Option<NonZeroU16>,
    /// What to do when the backup would not connect to those that are there.
    #[arg(long, value_name = "POLICY", value_enum, default_value = "full")]
    pub on_broken_chain: OnBrokenChainArgument,
    /// Leave a database alone of which another replica of its availability group is preferred.
    #[arg(long)]
    pub check_preferred: bool,
    /// Tries for each database when an error may pass.
    #[arg(long, value_name = "N", default_value = "3")]
    pub tries: NonZeroU32,
    /// Seconds to wait before the second try; they double for each one after it.
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    pub retry_wait: u32,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum OnBrokenChainArgument {
    /// Take a full backup instead.
    Full,
    /// Take the smallest backup that mends the chain: a differential where that is enough.
    Smallest,
    /// Take none; the database fails.
    Fail,
    /// Take none, and say so.
    Skip,
}

impl From<OnBrokenChainArgument> for OnBrokenChain {
    fn from(policy: OnBrokenChainArgument) -> Self {
        match policy {
            OnBrokenChainArgument::Full => Self::Full,
            OnBrokenChainArgument::Smallest => Self::Smallest,
            OnBrokenChainArgument::Fail => Self::Fail,
            OnBrokenChainArgument::Skip => Self::Skip,
        }
    }
}

/// What to write about a run.
#[derive(Debug, Args)]
pub(crate) struct ReportArguments {
    /// Write a JSON report of the run to this file.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Print the JSON report instead of lines for people.
    #[arg(long)]
    pub json: bool,
    /// Say what would be done, and why, and stop.
    #[arg(long, conflicts_with = "report")]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DatabasesArguments {
    /// The engine: `mssql://USER@HOST` is a SQL Server, `sim:DIR` the embedded one.
    #[arg(long, value_name = "ENGINE")]
    pub engine: String,
    /// Ask the backup manager at this address for the last backups.
    #[arg(
        long,
        value_name = "ADDR",
        requires = "job",
        conflicts_with = "repository"
    )]
    pub server: Option<String>,
    #[command(flatten)]
    pub security: ConnectSecurity,
    /// Read the last backups from this repository folder.
    #[arg(long, value_name = "DIR", requires = "job")]
    pub repository: Option<PathBuf>,
    /// The job whose backups count.
    #[arg(long, value_name = "NAME")]
    pub job: Option<String>,
    /// Only say what would become of this kind of backup; by default of all three.
    #[arg(long = "type", value_enum)]
    pub kind: Option<KindArgument>,
    /// What to do when a backup would not connect to those that are there.
    #[arg(long, value_name = "POLICY", value_enum, default_value = "full")]
    pub on_broken_chain: OnBrokenChainArgument,
    /// Print one JSON array.
    #[arg(long)]
    pub json: bool,
}
