//! Answers what is asked about the server, its databases and its backups.

use vab_chain::{BackupKind, BackupSet, Lsn};
use vab_engine::{DatabaseInfo, DatabaseState, Engine, RecoveryModel};

use super::StandIn;
use crate::lexer::{Token, tokens};
use crate::tds::table::{Cell, Table, Type};

/// The answer to a question; `None` when it is none that is known.
pub(super) fn answer(server: &StandIn, text: &str) -> Option<Table> {
    if text.contains("SERVERPROPERTY('ProductVersion')") {
        return Some(identity(server.sysadmin));
    }
    if !text.starts_with("SELECT ") {
        return None;
    }
    let wanted = tokens(text)
        .unwrap_or_default()
        .into_iter()
        .rev()
        .find_map(|token| match token {
            Token::Text(text) => Some(text),
            _ => None,
        });
    if text.contains("FROM sys.databases AS d LEFT JOIN") {
        let one = text.contains(" AND d.name = ").then_some(wanted).flatten();
        let mut all = server.instance.databases().unwrap();
        all.retain(|info| {
            one.as_ref()
                .is_none_or(|name| info.name.eq_ignore_ascii_case(name))
        });
        if let Some(stands) = *server.stands.lock().unwrap() {
            all.iter_mut().for_each(stands);
        }
        return Some(databases(&all));
    }
    if text.contains("FROM msdb.dbo.backupset AS s") {
        let device = wanted?;
        let history = server.history.lock().unwrap();
        let on_device = history.iter().filter(|(first, _)| *first == device);
        let mut all: Vec<_> = on_device.map(|(_, set)| set.clone()).collect();
        if let Some(lie) = server.lies {
            all.iter_mut().for_each(lie);
        }
        return Some(sets(&all));
    }
    if text.contains("FROM msdb.dbo.logmarkhistory") {
        return Some(marks(server, &wanted?, text));
    }
    if text.contains("FROM sys.master_files AS f JOIN") {
        return Some(Table::new(&[
            ("name", Type::NVarChar),
            ("physical_name", Type::NVarChar),
        ]));
    }
    None
}

/// The marked transactions of a database between two LSNs.
fn marks(server: &StandIn, database: &str, text: &str) -> Table {
    let bound = |sign: &str| -> Lsn {
        let (_, rest) = text.split_once(sign).unwrap();
        rest.split(' ').next().unwrap().parse().unwrap()
    };
    let (first, end) = (bound("lsn >= "), bound("lsn < "));
    let mut table = Table::new(&[
        ("mark_name", Type::NVarChar),
        ("lsn", Type::VarChar),
        ("mark_time", Type::DateTime2),
    ]);
    for (of, name, at, time) in server.marks.lock().unwrap().iter() {
        if of == database && (first..end).contains(at) {
            table = table.row(vec![name.as_str().into(), lsn(Some(*at)), (*time).into()]);
        }
    }
    table
}

/// What a server says about itself.
pub(crate) fn identity(sysadmin: bool) -> Table {
    let columns = [
        ("version", Type::NVarChar),
        ("edition", Type::NVarChar),
        ("server", Type::NVarChar),
        ("banner", Type::NVarChar),
        ("login", Type::NVarChar),
        ("sysadmin", Type::Int(4)),
        ("data_path", Type::NVarChar),
        ("log_path", Type::NVarChar),
    ];
    Table::new(&columns).row(vec![
        "16.0.4135.4".into(),
        "Developer Edition (64-bit)".into(),
        "SIM".into(),
        "Microsoft SQL Server 2022 on Linux (Ubuntu 22.04)".into(),
        crate::tds::session::USER.into(),
        i64::from(sysadmin).into(),
        "/var/opt/mssql/data/".into(),
        "/var/opt/mssql/log/".into(),
    ])
}

fn lsn(lsn: Option<Lsn>) -> Cell {
    lsn.map(|lsn| lsn.to_string()).as_deref().into()
}

/// What a server says about these databases.
pub(crate) fn databases(all: &[DatabaseInfo]) -> Table {
    let mut table = Table::new(&[
        ("name", Type::NVarChar),
        ("state", Type::TinyInt),
        ("is_in_standby", Type::Bit),
        ("recovery_model", Type::TinyInt),
        ("is_read_only", Type::Bit),
        ("database_guid", Type::Guid),
        ("family_guid", Type::Guid),
        ("recovery_fork_guid", Type::Guid),
        ("last_log_backup_lsn", Type::VarChar),
        ("differential_base_lsn", Type::VarChar),
        ("differential_base_guid", Type::Guid),
        ("redo_start_lsn", Type::VarChar),
        ("data_bytes", Type::Int(8)),
        ("replica_role", Type::Int(4)),
        ("preferred", Type::Int(4)),
    ]);
    for info in all {
        let base = info.differential_base;
        table = table.row(vec![
            info.name.as_str().into(),
            match info.state {
                DatabaseState::Restoring => 1,
                DatabaseState::Recovering => 2,
                DatabaseState::RecoveryPending => 3,
                DatabaseState::Suspect => 4,
                DatabaseState::Emergency => 5,
                DatabaseState::Offline => 6,
                _ => 0,
            }
            .into(),
            (info.state == DatabaseState::Standby).into(),
            match info.recovery_model {
                RecoveryModel::Full => 1,
                RecoveryModel::BulkLogged => 2,
                RecoveryModel::Simple => 3,
            }
            .into(),
            info.read_only.into(),
            info.database_id.map(|id| id.0).into(),
            info.family_id.map(|id| id.0).into(),
            info.fork.map(|id| id.0).into(),
            lsn(info.last_log_backup_lsn),
            lsn(base.map(|base| base.lsn)),
            base.and_then(|base| base.id).map(|id| id.0).into(),
            lsn(info.redo_lsn),
            i64::try_from(info.data_bytes).unwrap().into(),
            info.replica
                .map(|replica| 1 + i64::from(replica.secondary))
                .into(),
            info.replica
                .map(|replica| i64::from(replica.preferred))
                .into(),
        ]);
    }
    table
}

/// What a server has written down about these backups.
pub(crate) fn sets(all: &[BackupSet]) -> Table {
    let mut table = Table::new(&[
        ("backup_set_uuid", Type::Guid),
        ("database_name", Type::NVarChar),
        ("server_name", Type::NVarChar),
        ("type", Type::Char(1)),
        ("is_copy_only", Type::Bit),
        ("first_lsn", Type::VarChar),
        ("last_lsn", Type::VarChar),
        ("checkpoint_lsn", Type::VarChar),
        ("database_backup_lsn", Type::VarChar),
        ("differential_base_lsn", Type::VarChar),
        ("differential_base_guid", Type::Guid),
        ("first_recovery_fork_guid", Type::Guid),
        ("last_recovery_fork_guid", Type::Guid),
        ("fork_point_lsn", Type::VarChar),
        ("database_guid", Type::Guid),
        ("family_guid", Type::Guid),
        ("begins_log_chain", Type::Bit),
        ("has_bulk_logged_data", Type::Bit),
        ("is_force_offline", Type::Bit),
        ("is_damaged", Type::Bit),
        ("has_incomplete_metadata", Type::Bit),
        ("has_backup_checksums", Type::Bit),
        ("backup_start_date", Type::DateTime2),
        ("backup_finish_date", Type::DateTime2),
        ("time_zone", Type::Int(2)),
        ("stripes", Type::Int(4)),
    ]);
    for set in all {
        table = table.row(row(set));
    }
    table
}

fn row(set: &BackupSet) -> Vec<Cell> {
    let base = set.differential_base;
    vec![
        set.id.0.into(),
        set.database.as_str().into(),
        set.server.as_str().into(),
        match set.kind {
            BackupKind::Full => "D",
            BackupKind::Differential => "I",
            BackupKind::Log => "L",
        }
        .into(),
        set.copy_only.into(),
        lsn(Some(set.first_lsn)),
        lsn(Some(set.last_lsn)),
        lsn(Some(set.checkpoint_lsn)),
        lsn(Some(set.database_backup_lsn)),
        lsn(base.map(|base| base.lsn)),
        base.and_then(|base| base.id).map(|id| id.0).into(),
        set.first_fork.map(|id| id.0).into(),
        set.last_fork.map(|id| id.0).into(),
        lsn(set.fork_point),
        set.database_id.map(|id| id.0).into(),
        set.family_id.map(|id| id.0).into(),
        set.flags.begins_log_chain.into(),
        set.flags.bulk_logged.into(),
        set.flags.tail.into(),
        set.flags.damaged.into(),
        set.flags.incomplete_metadata.into(),
        set.flags.checksums.into(),
        set.started.into(),
        set.finished.into(),
        set.utc_offset.map(|minutes| i64::from(minutes / 15)).into(),
        i64::from(set.stripes).into(),
    ]
}
