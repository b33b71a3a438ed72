//! `vab tail`

use clap::Args;

use super::ServerAddress;
use super::encoding::EncodingArguments;

#[derive(Debug, Args)]
pub(crate) struct TailArguments {
    #[command(flatten)]
    pub server: ServerAddress,
    /// The job that has the backups of the database; needed where several have.
    #[arg(long, value_name = "NAME")]
    pub job: Option<String>,
    /// The database.
    #[arg(long, value_name = "DB")]
    pub database: String,
    /// The engine: `mssql://USER@HOST` is a SQL Server on this machine (its password in
    /// `VAB_MSSQL_PASSWORD`), `sim:DIR` the embedded one.
    #[arg(long, value_name = "ENGINE")]
    pub engine: String,
    /// The database is damaged; ask for its log as it is (`NO_TRUNCATE`). Of one that does not
    /// start (suspect) this is done anyway.
    #[arg(long)]
    pub damaged: bool,
    #[command(flatten)]
    pub encoding: EncodingArguments,
    /// Print the restore point as one JSON object.
    #[arg(long)]
    pub json: bool,
}
