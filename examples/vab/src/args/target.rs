//! The moment that a restore is to.

use clap::Args;
use vab_manager::chain::Lsn;
use vab_manager::{PointId, RestoreTarget, ServerTime};

/// The moment; the newest that can be reached, if none is given.
#[derive(Debug, Default, Args)]
pub(crate) struct TargetArguments {
    /// Stop at this moment of the server's local clock, such as 2026-11-22T14:30:00.
    #[arg(long, value_name = "TIME", conflicts_with_all = ["point", "at_mark", "before_mark", "at_lsn", "before_lsn"])]
    pub at: Option<ServerTime>,
    /// Restore to the end of this restore point.
    #[arg(long, value_name = "ID", conflicts_with_all = ["at_mark", "before_mark", "at_lsn", "before_lsn"])]
    pub point: Option<PointId>,
    /// Stop behind the transaction with this mark, which is applied (STOPATMARK). The engine has
    /// to remember the mark (`msdb.dbo.logmarkhistory`); where it does not, give its LSN.
    #[arg(long, value_name = "MARK", conflicts_with_all = ["before_mark", "at_lsn", "before_lsn"])]
    pub at_mark: Option<String>,
    /// Stop before the transaction with this mark, which is not applied (STOPBEFOREMARK).
    #[arg(long, value_name = "MARK", conflicts_with_all = ["at_lsn", "before_lsn"])]
    pub before_mark: Option<String>,
    /// The first such mark at this moment of the server's local clock or later; the first of all
    /// without this.
    #[arg(long, value_name = "TIME", conflicts_with_all = ["at", "point", "at_lsn", "before_lsn"])]
    pub mark_after: Option<ServerTime>,
    /// Stop behind this log record, a number of up to 25 digits.
    #[arg(long, value_name = "LSN", conflicts_with = "before_lsn")]
    pub at_lsn: Option<Lsn>,
    /// Stop before this log record.
    #[arg(long, value_name = "LSN")]
    pub before_lsn: Option<Lsn>,
    /// Plan around this restore point, for instance because it is damaged (repeatable).
    #[arg(long, value_name = "ID")]
    pub without: Vec<PointId>,
}

impl TargetArguments {
    pub(crate) fn target(self) -> Result<RestoreTarget, String> {
        let after = self.mark_after;
        let mark = |name, including| RestoreTarget::Mark {
            name,
            after,
            including,
        };
        let record = self.at_lsn.map(|lsn| (lsn, true));
        let record = record.or(self.before_lsn.map(|lsn| (lsn, false)));
        if let Some((lsn, including)) = record {
            return Ok(RestoreTarget::Lsn { lsn, including });
        }
        Ok(
            match (self.at, self.point, self.at_mark, self.before_mark) {
                (Some(time), ..) => RestoreTarget::Time(time),
                (_, Some(point), ..) => RestoreTarget::Point(point),
                (_, _, Some(name), _) => mark(name, true),
                (_, _, _, Some(name)) => mark(name, false),
                _ if after.is_some() => {
                    return Err("--mark-after needs --at-mark or --before-mark".to_owned());
                }
                _ => RestoreTarget::Latest,
            },
        )
    }
}
