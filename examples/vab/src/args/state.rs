//! Arguments about the state that a restore begins with and leaves.

use clap::Args;
use vab_manager::engine::Recovery;

/// What becomes of the database that is there.
#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent flags of a command line"
)]
pub(crate) struct StateArguments {
    /// First back up the tail of the log of the database that is there, which leaves it
    /// restoring; then restore over it. Nothing is lost.
    #[arg(long, conflicts_with_all = ["replace", "name", "repository"])]
    pub tail: bool,
    /// With --tail: the database that is there is damaged; ask for its log as it is (`NO_TRUNCATE`).
    /// Of one that does not start (suspect) this is done anyway.
    #[arg(long, requires = "tail")]
    pub damaged: bool,
    /// Leave the database restoring, so that more can be restored.
    #[arg(long, conflicts_with = "standby")]
    pub no_recovery: bool,
    /// Leave the database readable, so that more log can be restored.
    #[arg(long)]
    pub standby: bool,
}

impl StateArguments {
    pub(crate) fn recovery(&self) -> Recovery {
        match (self.no_recovery, self.standby) {
            (true, _) => Recovery::NoRecovery,
            (false, true) => Recovery::Standby,
            (false, false) => Recovery::Recovery,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct RecoverArguments {
    /// The engine: `mssql://USER@HOST` is a SQL Server, `sim:DIR` the embedded one.
    #[arg(long, value_name = "ENGINE")]
    pub engine: String,
    /// The database that is restoring or in standby.
    #[arg(long, value_name = "DB")]
    pub database: String,
    /// Make it readable only, so that more log can be restored.
    #[arg(long)]
    pub standby: bool,
}
