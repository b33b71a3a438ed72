//! The facts of a backup set, from `msdb`.

use vab_chain::{
    BackupKind, BackupSet, BackupSetId, DatabaseId, DifferentialBase, FamilyId, ForkId, Lsn, Mark,
};
use vab_vdi::DeviceName;

use crate::mssql::connection::{Row, RowError, Value};
use crate::mssql::statement::{Query, Statement};

/// The sets on the media set whose first medium was this device. The name of a device set is a GUID
/// that is used once, so that this is exactly the backup that went there, whatever other backups
/// of the database ran at the same time.
pub(in crate::mssql) fn sets_on(device: &DeviceName) -> Statement {
    Query::new(
        "SELECT s.backup_set_uuid, s.database_name, s.server_name, s.type, s.is_copy_only, \
         CONVERT(varchar(30), s.first_lsn) AS first_lsn, \
         CONVERT(varchar(30), s.last_lsn) AS last_lsn, \
         CONVERT(varchar(30), s.checkpoint_lsn) AS checkpoint_lsn, \
         CONVERT(varchar(30), s.database_backup_lsn) AS database_backup_lsn, \
         CONVERT(varchar(30), s.differential_base_lsn) AS differential_base_lsn, \
         s.differential_base_guid, s.first_recovery_fork_guid, s.last_recovery_fork_guid, \
         CONVERT(varchar(30), s.fork_point_lsn) AS fork_point_lsn, \
         s.database_guid, s.family_guid, s.begins_log_chain, s.has_bulk_logged_data, \
         s.is_force_offline, s.is_damaged, s.has_incomplete_metadata, s.has_backup_checksums, \
         s.backup_start_date, s.backup_finish_date, s.time_zone, \
         (SELECT COUNT(*) FROM msdb.dbo.backupmediafamily AS n \
         WHERE n.media_set_id = s.media_set_id AND n.mirror = 0) AS stripes \
         FROM msdb.dbo.backupset AS s \
         WHERE s.media_set_id IN (SELECT m.media_set_id FROM msdb.dbo.backupmediafamily AS m \
         WHERE m.family_sequence_number = 1 AND m.physical_device_name = ",
    )
    .text(device.as_str())
    .words(")")
    .statement()
}

/// The marked transactions of a database in a range of LSNs.
pub(in crate::mssql) fn marks(database: &str, first: Lsn, end: Lsn) -> Statement {
    Query::new(
        "SELECT mark_name, CONVERT(varchar(30), lsn) AS lsn, mark_time \
         FROM msdb.dbo.logmarkhistory WHERE database_name = ",
    )
    .text(database)
    .words(" AND lsn >= ")
    .lsn(first)
    .words(" AND lsn < ")
    .lsn(end)
    .words(" ORDER BY lsn")
    .statement()
}

pub(in crate::mssql) fn mark_of_row(row: &Row) -> Result<Mark, RowError> {
    Ok(Mark {
        name: row.some_text("mark_name")?,
        lsn: row.lsn("lsn")?.unwrap_or_default(),
        time: row.some_time("mark_time")?,
    })
}

/// `time_zone` where the server did not know it.
const NO_ZONE: i64 = 127;

pub(in crate::mssql) fn of_row(row: &Row) -> Result<BackupSet, RowError> {
    let kind = match row.some_text("type")?.trim() {
        "D" => BackupKind::Full,
        "I" => BackupKind::Differential,
        "L" => BackupKind::Log,
        other => {
            return Err(RowError {
                column: "type",
                expected: "D, I or L",
                found: Some(Value::Text(other.to_owned())),
            });
        }
    };
    let id = row.guid("backup_set_uuid")?.ok_or(RowError {
        column: "backup_set_uuid",
        expected: "a GUID",
        found: Some(Value::Null),
    })?;
    let lsn = |column| Ok(row.lsn(column)?.unwrap_or_default());
    let mut set = BackupSet::new(
        BackupSetId(id),
        row.some_text("database_name")?,
        kind,
        lsn("first_lsn")?..lsn("last_lsn")?,
        row.some_time("backup_start_date")?,
        row.some_time("backup_finish_date")?,
    );
    set.server = row.text("server_name")?.unwrap_or_default();
    set.copy_only = row.bit("is_copy_only")?;
    set.checkpoint_lsn = lsn("checkpoint_lsn")?;
    set.database_backup_lsn = lsn("database_backup_lsn")?;
    if kind == BackupKind::Differential {
        set.differential_base = row
            .lsn("differential_base_lsn")?
            .map(|lsn| -> Result<_, RowError> {
                let id = row.guid("differential_base_guid")?.map(BackupSetId);
                Ok(DifferentialBase { id, lsn })
            })
            .transpose()?;
    }
    set.first_fork = row.guid("first_recovery_fork_guid")?.map(ForkId);
    set.last_fork = row.guid("last_recovery_fork_guid")?.map(ForkId);
    set.fork_point = row.lsn("fork_point_lsn")?;
    set.database_id = row.guid("database_guid")?.map(DatabaseId);
    set.family_id = row.guid("family_guid")?.map(FamilyId);
    set.flags.begins_log_chain = row.bit("begins_log_chain")?;
    set.flags.bulk_logged = row.bit("has_bulk_logged_data")?;
    set.flags.tail = row.bit("is_force_offline")?;
    set.flags.damaged = row.bit("is_damaged")?;
    set.flags.incomplete_metadata = row.bit("has_incomplete_metadata")?;
    set.flags.checksums = row.bit("has_backup_checksums")?;
    // In quarters of an hour.
    set.utc_offset = row
        .integer("time_zone")?
        .filter(|zone| *zone != NO_ZONE)
        .and_then(|zone| i16::try_from(zone.saturating_mul(15)).ok());
    set.stripes = row
        .integer("stripes")?
        .and_then(|stripes| u16::try_from(stripes).ok())
        .unwrap_or(1);
    Ok(set)
}
