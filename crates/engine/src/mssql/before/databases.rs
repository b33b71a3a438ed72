//! The databases of a server and how they stand.

use vab_chain::{BackupSetId, DatabaseId, DifferentialBase, FamilyId, ForkId};

use crate::engine::{DatabaseInfo, DatabaseState, RecoveryModel, Replica};
use crate::mssql::connection::{Row, RowError};
use crate::mssql::statement::{Name, Query, Statement};

/// LSNs as texts, so that no driver makes less exact numbers of them. The base of differentials and
/// where redo goes on are those of the primary data file.
const WORDS: &str = "SELECT d.name, d.state, d.is_in_standby, d.recovery_model, d.is_read_only, \
     r.database_guid, r.family_guid, r.recovery_fork_guid, \
     CONVERT(varchar(30), r.last_log_backup_lsn) AS last_log_backup_lsn, \
     CONVERT(varchar(30), f.differential_base_lsn) AS differential_base_lsn, \
     f.differential_base_guid, \
     CONVERT(varchar(30), f.redo_start_lsn) AS redo_start_lsn, \
     (SELECT SUM(CONVERT(bigint, s.size)) * 8192 FROM sys.master_files AS s \
     WHERE s.database_id = d.database_id AND s.type = 0) AS data_bytes, \
     CONVERT(int, a.role) AS replica_role, \
     CASE WHEN d.replica_id IS NULL THEN NULL \
     ELSE CONVERT(int, sys.fn_hadr_backup_is_preferred_replica(d.name)) END AS preferred \
     FROM sys.databases AS d \
     LEFT JOIN sys.database_recovery_status AS r ON r.database_id = d.database_id \
     LEFT JOIN sys.master_files AS f ON f.database_id = d.database_id AND f.file_id = 1 \
     LEFT JOIN sys.dm_hadr_availability_replica_states AS a \
     ON a.replica_id = d.replica_id AND a.is_local = 1 \
     WHERE d.source_database_id IS NULL AND d.name <> N'tempdb'";

/// All databases but snapshots and `tempdb`; of one name, only that one.
pub(in crate::mssql) fn databases(name: Option<&Name>) -> Statement {
    let query = Query::new(WORDS);
    match name {
        Some(name) => query.words(" AND d.name = ").text(name.as_str()),
        None => query,
    }
    .words(" ORDER BY d.name")
    .statement()
}

pub(in crate::mssql) fn of_row(row: &Row) -> Result<DatabaseInfo, RowError> {
    let standby = row.bit("is_in_standby")?;
    let state = match row.integer("state")? {
        Some(0) if standby => DatabaseState::Standby,
        Some(0) => DatabaseState::Online,
        Some(1) => DatabaseState::Restoring,
        Some(2) => DatabaseState::Recovering,
        Some(3) => DatabaseState::RecoveryPending,
        Some(4) => DatabaseState::Suspect,
        Some(5) => DatabaseState::Emergency,
        _ => DatabaseState::Offline,
    };
    let model = match row.integer("recovery_model")? {
        Some(1) => RecoveryModel::Full,
        Some(2) => RecoveryModel::BulkLogged,
        _ => RecoveryModel::Simple,
    };
    let mut info = DatabaseInfo::new(row.some_text("name")?, state, model);
    info.database_id = row.guid("database_guid")?.map(DatabaseId);
    info.family_id = row.guid("family_guid")?.map(FamilyId);
    info.fork = row.guid("recovery_fork_guid")?.map(ForkId);
    info.last_log_backup_lsn = row.lsn("last_log_backup_lsn")?;
    info.differential_base = row
        .lsn("differential_base_lsn")?
        .zip(row.guid("differential_base_guid")?)
        .map(|(lsn, id)| DifferentialBase {
            id: Some(BackupSetId(id)),
            lsn,
        });
    if matches!(state, DatabaseState::Restoring | DatabaseState::Standby) {
        info.redo_lsn = row.lsn("redo_start_lsn")?;
    }
    let bytes = row.integer("data_bytes")?.unwrap_or_default();
    info.data_bytes = u64::try_from(bytes).unwrap_or_default();
    info.replica = row.integer("replica_role")?.map(|role| Replica {
        // 0 is a replica whose role is being settled.
        secondary: role != 1,
        preferred: row.bit("preferred").unwrap_or_default(),
    });
    // A secondary replica is read-only by its part, not by its setting.
    let secondary = info.replica.is_some_and(|replica| replica.secondary);
    info.read_only = row.bit("is_read_only")? && !secondary;
    Ok(info)
}
