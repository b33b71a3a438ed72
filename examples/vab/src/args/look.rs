//! Arguments of commands that let an engine look at restore points.

use clap::Args;
use vab_manager::engine::Look;
use vab_manager::{PointId, UtcTime};

use super::CatalogArguments;
use super::encoding::SecretArguments;

#[derive(Debug, Args)]
pub(crate) struct HeadersArguments {
    #[command(flatten)]
    pub catalog: CatalogArguments,
    /// The restore point, as `vab list` shows it.
    #[arg(long, value_name = "ID")]
    pub point: PointId,
    /// The engine that looks: `mssql://USER@HOST` is a SQL Server on this machine (its password in
    /// `VAB_MSSQL_PASSWORD`).
    #[arg(long, value_name = "ENGINE")]
    pub engine: String,
    /// The files of the database (RESTORE FILELISTONLY) instead of the facts of the backup set
    /// (RESTORE HEADERONLY).
    #[arg(long, conflicts_with = "label")]
    pub files: bool,
    /// The label of the media (RESTORE LABELONLY) instead.
    #[arg(long)]
    pub label: bool,
    /// Print one JSON array with an object for each row.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub secrets: SecretArguments,
}

impl HeadersArguments {
    pub(crate) const fn look(&self) -> Look {
        match (self.files, self.label) {
            (true, _) => Look::Files,
            (false, true) => Look::Label,
            (false, false) => Look::Header,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    #[command(flatten)]
    pub catalog: CatalogArguments,
    /// Only this job.
    #[arg(long, value_name = "NAME")]
    pub job: Option<String>,
    /// Only this database.
    #[arg(long, value_name = "DB")]
    pub database: Option<String>,
    /// Only restore points committed at this time or later, such as 2026-11-22T14:30:00Z.
    #[arg(long, value_name = "TIME")]
    pub since: Option<UtcTime>,
    /// Read only every N-th block; quick, and finds less.
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "engine")]
    pub sample: u64,
    /// Let this engine read the restore points through virtual devices, as a restore would, and
    /// say whether it could restore them: of a SQL Server (`mssql://USER@HOST`), RESTORE
    /// VERIFYONLY. Nothing is restored. Without it every stored byte is checked against the
    /// checksums that were made at the source, which needs no engine and no key.
    #[arg(long, value_name = "ENGINE")]
    pub engine: Option<String>,
    /// Only this restore point.
    #[arg(long, value_name = "ID", requires = "engine")]
    pub point: Option<PointId>,
    /// `CHECKSUM`: the engine refuses what was backed up without page checksums.
    #[arg(long, requires = "engine")]
    pub checksum: bool,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub secrets: SecretArguments,
}
