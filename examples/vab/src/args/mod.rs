//! The command line.

#[cfg(feature = "tls")]
pub(crate) mod certificate;
pub(crate) mod encoding;
mod keep;
pub(crate) mod key;
mod look;
mod run;
pub(crate) mod security;
mod size;
pub(crate) mod sql;
mod state;
mod tail;
mod target;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use vab_manager::{BackupKind, PointId};

use encoding::{EncodingArguments, SecretArguments};
pub(crate) use keep::{RetentionArguments, SalvageArguments};
use key::KeyArguments;
pub(crate) use look::{HeadersArguments, VerifyArguments};
pub(crate) use run::{DatabasesArguments, PolicyArguments, ReportArguments, SelectionArguments};
use security::{ConnectSecurity, ServeSecurity};
use sql::{BackupSqlArguments, RestoreSqlArguments};
pub(crate) use state::{RecoverArguments, StateArguments};
pub(crate) use tail::TailArguments;
use target::TargetArguments;

/// The address that `serve` listens on when none is given.
pub(crate) const DEFAULT_LISTEN: &str = "127.0.0.1:9420";

/// Back up, list, verify and restore SQL Server databases through virtual devices.
#[derive(Debug, Parser)]
#[command(name = "vab", version, max_term_width = 100, after_help = crate::exit::HELP)]
pub(crate) struct Arguments {
    /// Say more on standard error (repeat for debug output).
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the whole road on the embedded engine: back up, list, restore to a time, prove it.
    Demo(DemoArguments),
    /// Run the backup manager and target mover until Ctrl-C.
    Serve(ServeArguments),
    /// Back up databases of an engine, by policy.
    Backup(BackupArguments),
    /// Show the databases of an engine: how they stand, and what would be backed up next.
    Databases(DatabasesArguments),
    /// Take native SQL Server backup files into a job, one restore point per backup set.
    Import(ImportArguments),
    /// Show jobs, databases, restore points and files.
    List(ListArguments),
    /// Restore one restore point as native files.
    Export(ExportArguments),
    /// Restore a database to its newest state or to a moment, along the planned chain.
    Restore(RestoreArguments),
    /// Back up the tail of a log, also of a damaged database, which is left restoring.
    Tail(TailArguments),
    /// Bring a database online that is restoring or in standby.
    Recover(RecoverArguments),
    /// Read everything back and say, per restore point, whether it is whole; with --engine let SQL
    /// Server say it (RESTORE VERIFYONLY).
    Verify(VerifyArguments),
    /// Show what SQL Server sees in a restore point (RESTORE HEADERONLY, FILELISTONLY, LABELONLY).
    Headers(HeadersArguments),
    /// Draw the moments one can restore to, with gaps and forks.
    Timeline(TimelineArguments),
    /// Read all folders of a repository again and make lost metadata anew.
    Rescan(RescanArguments),
    /// Show what is in a .VAB, .VASM or .VACM, also a damaged one.
    Inspect(InspectArguments),
    /// Make certificates for TLS.
    #[cfg(feature = "tls")]
    Certificate(certificate::CertificateArguments),
    /// Make keys, and change who can open an encrypted .VAB.
    Key(KeyArguments),
    /// Say which restore points a policy lets go, and why; with --apply delete them.
    Retention(RetentionArguments),
    /// Save the restore points that are whole in a damaged .VAB into a new repository.
    Salvage(SalvageArguments),
}

#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// Leave everything in this new folder instead of a temporary one.
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    /// The repository folder; an empty or missing one is made into a repository.
    #[arg(long, value_name = "DIR")]
    pub repository: PathBuf,
    /// Where to listen. Without TLS only loopback addresses are accepted.
    #[arg(long, value_name = "ADDR", default_value = DEFAULT_LISTEN)]
    pub listen: SocketAddr,
    /// Listen beyond loopback although nothing on the wire is encrypted or authenticated.
    #[arg(long)]
    pub allow_plain_network: bool,
    /// Read and write past the system's page cache (Linux; ext4, XFS): less processor time, and
    /// the cache is left to a database beside it; slower where the disk is slow to answer.
    #[arg(long)]
    pub direct_io: bool,
    #[command(flatten)]
    pub security: ServeSecurity,
}

#[derive(Debug, Args)]
pub(crate) struct ServerAddress {
    /// Address of the backup manager (`vab serve`).
    #[arg(long, value_name = "ADDR", default_value = DEFAULT_LISTEN)]
    pub server: String,
    #[command(flatten)]
    pub security: ConnectSecurity,
}

/// Where restore points are looked up and read.
#[derive(Debug, Args)]
pub(crate) struct CatalogArguments {
    #[command(flatten)]
    pub place: CatalogPlace,
    #[command(flatten)]
    pub security: ConnectSecurity,
}

/// A running server, or a repository folder read directly.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct CatalogPlace {
    /// Ask the backup manager at this address.
    #[arg(long, value_name = "ADDR")]
    pub server: Option<String>,
    /// Read this repository folder; a running server does not mind.
    #[arg(long, value_name = "DIR")]
    pub repository: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct BackupArguments {
    #[command(flatten)]
    pub server: ServerAddress,
    /// The job; created by its first backup.
    #[arg(long, value_name = "NAME")]
    pub job: String,
    /// The engine: `mssql://USER@HOST` is a SQL Server on this machine (its password in
    /// `VAB_MSSQL_PASSWORD`), `sim:DIR` the embedded one.
    #[arg(long, value_name = "ENGINE")]
    pub engine: String,
    #[command(flatten)]
    pub selection: SelectionArguments,
    /// What to back up.
    #[arg(long = "type", value_enum)]
    pub kind: KindArgument,
    /// A backup beside the chain: no base for differentials, no log truncation. Not of `diff`.
    #[arg(long)]
    pub copy_only: bool,
    /// Parallel streams of one database at most; each is one virtual device.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub streams: u16,
    #[command(flatten)]
    pub encoding: EncodingArguments,
    #[command(flatten)]
    pub policy: PolicyArguments,
    #[command(flatten)]
    pub report: ReportArguments,
    #[command(flatten)]
    pub sql: BackupSqlArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum KindArgument {
    Full,
    Diff,
    Log,
}

impl From<KindArgument> for BackupKind {
    fn from(kind: KindArgument) -> Self {
        match kind {
            KindArgument::Full => Self::Full,
            KindArgument::Diff => Self::Differential,
            KindArgument::Log => Self::Log,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ImportArguments {
    #[command(flatten)]
    pub server: ServerAddress,
    /// The job; created by its first backup.
    #[arg(long, value_name = "NAME")]
    pub job: String,
    /// Backup files, and folders of them.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    #[command(flatten)]
    pub encoding: EncodingArguments,
}

#[derive(Debug, Args)]
pub(crate) struct FilterArguments {
    /// Only this job.
    #[arg(long, value_name = "NAME")]
    pub job: Option<String>,
    /// Only this database.
    #[arg(long, value_name = "DB")]
    pub database: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    pub catalog: CatalogArguments,
    #[command(flatten)]
    pub filter: FilterArguments,
    /// Print one JSON array of restore points.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArguments {
    #[command(flatten)]
    pub catalog: CatalogArguments,
    /// The restore point, as `vab list` shows it.
    #[arg(long, value_name = "ID")]
    pub point: PointId,
    /// The folder that receives the native files, one per stripe.
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
    /// Replace files that are there already.
    #[arg(long)]
    pub overwrite: bool,
    #[command(flatten)]
    pub secrets: SecretArguments,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArguments {
    #[command(flatten)]
    pub catalog: CatalogArguments,
    /// Only restore points of this job.
    #[arg(long, value_name = "NAME")]
    pub job: Option<String>,
    /// The database that was backed up.
    #[arg(long, value_name = "DB")]
    pub database: String,
    #[command(flatten)]
    pub target: TargetArguments,
    /// The engine that receives the database: `mssql://USER@HOST` is a SQL Server on this machine
    /// (its password in `VAB_MSSQL_PASSWORD`), `sim:DIR` the embedded one.
    #[arg(long, value_name = "ENGINE", required_unless_present = "dry_run")]
    pub engine: Option<String>,
    /// Restore under another name.
    #[arg(long = "as", value_name = "NAME")]
    pub name: Option<String>,
    /// Replace a database of that name.
    #[arg(long)]
    pub replace: bool,
    #[command(flatten)]
    pub state: StateArguments,
    /// Print the plan and stop.
    #[arg(long)]
    pub dry_run: bool,
    /// Print one JSON object about what was done instead of lines for people.
    #[arg(long, conflicts_with = "dry_run")]
    pub json: bool,
    #[command(flatten)]
    pub secrets: SecretArguments,
    #[command(flatten)]
    pub sql: RestoreSqlArguments,
}

#[derive(Debug, Args)]
pub(crate) struct TimelineArguments {
    #[command(flatten)]
    pub catalog: CatalogArguments,
    #[command(flatten)]
    pub filter: FilterArguments,
    /// How to draw it.
    #[arg(long, value_enum, default_value = "text")]
    pub format: TimelineFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum TimelineFormat {
    /// Lines for a terminal.
    Text,
    /// A picture; of one database.
    Svg,
    /// A diagram in text form; of one database.
    Mermaid,
}

#[derive(Debug, Args)]
pub(crate) struct RescanArguments {
    /// The repository folder; no server may run on it.
    #[arg(long, value_name = "DIR")]
    pub repository: PathBuf,
    /// Make every .VASM anew from its .VAB, also those that look sound.
    #[arg(long)]
    pub rebuild_files: bool,
    /// Make every .VACM anew from the .VASM files, also those that look sound.
    #[arg(long)]
    pub rebuild_jobs: bool,
    /// Forget data files that are not there any more.
    #[arg(long)]
    pub forget_missing: bool,
}

#[derive(Debug, Args)]
pub(crate) struct InspectArguments {
    /// The file.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// List at most this many records.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub records: usize,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}
