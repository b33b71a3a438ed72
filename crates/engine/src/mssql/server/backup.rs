//! One backup: the statement, and what the server wrote down about it.

use vab_chain::{BackupKind, BackupSet};
use vab_vdi::DeviceName;

use super::link::Link;
use super::{Server, no_such};
use crate::engine::{DatabaseInfo, DatabaseState, RecoveryModel};
use crate::error::EngineError;
use crate::mssql::after;
use crate::mssql::files::undo_file;
use crate::mssql::statement::{Backup, Illegal, LogTail, Name};
use crate::refusal::Refusal;
use crate::request::{BackupRequest, Tail};

/// How often the facts of a backup that was made are asked for. A log that is backed up is gone
/// from the server: such a backup must not be lost for a question that failed.
const ATTEMPTS: usize = 3;

pub(super) fn backup(server: &Server, request: &BackupRequest) -> Result<BackupSet, EngineError> {
    let mut link = server.link()?;
    let identity = link.identity()?;
    let name = Name::new(request.database.as_str())?;
    let database = link
        .database(&name)?
        .ok_or_else(|| no_such(name.as_str()))?;
    check(&database, request)?;

    let mut backup = Backup::new(name, request.kind, request.devices.clone());
    // A differential never changes the chain.
    backup.copy_only = request.copy_only && request.kind != BackupKind::Differential;
    backup.geometry = request.geometry;
    backup.checksum = request.checksum;
    backup.continue_after_error = request.continue_after_error;
    backup.compression = Some(server.options.compression);
    backup.buffers = server.options.buffers;
    backup.stats = Some(server.stats());
    backup.no_truncate = request.no_truncate;
    backup.tail = match request.tail {
        Tail::KeepOnline => LogTail::Keep,
        Tail::NoRecovery => LogTail::NoRecovery,
        Tail::Standby => LogTail::Standby(undo_file(&request.database, &identity).ok_or(
            EngineError::Unsupported {
                what: "leave a database in standby: it has no default folder for data",
            },
        )?),
    };
    let statement = backup.statement()?;
    let Some(first) = request.devices.first() else {
        return Err(Illegal::Devices { found: 0 }.into());
    };
    let total = match request.kind {
        BackupKind::Full => database.data_bytes,
        BackupKind::Differential | BackupKind::Log => 0,
    };
    link.run(&statement, &request.cancel, &request.progress, total)?;
    facts(server, link, first).and_then(|set| agree(set, request))
}

/// What the server would refuse after the devices were made.
fn check(info: &DatabaseInfo, request: &BackupRequest) -> Result<(), Refusal> {
    let (database, kind) = (info.name.clone(), request.kind);
    // NO_TRUNCATE takes the log of a database that does not start, but not of one that is offline
    // or in emergency.
    let as_it_is = request.no_truncate
        && matches!(
            info.state,
            DatabaseState::Suspect | DatabaseState::RecoveryPending
        );
    if info.state != DatabaseState::Online && !as_it_is {
        return Err(Refusal::NotOnline {
            database,
            state: info.state,
        });
    }
    if kind == BackupKind::Log && info.recovery_model == RecoveryModel::Simple {
        return Err(Refusal::LogBackupInSimple {
            database,
            model: info.recovery_model,
        });
    }
    Ok(())
}

/// The facts of the set on a device, over a new connection where the old one is lost.
fn facts(server: &Server, link: Link, first: &DeviceName) -> Result<BackupSet, EngineError> {
    let mut link = Some(link);
    let mut attempt = || {
        let mut link = match link.take() {
            Some(link) => link,
            None => server.link()?,
        };
        set_on(&mut link, first)
    };
    let mut found = attempt();
    for _ in 1..ATTEMPTS {
        match found {
            Err(EngineError::Io { .. }) => found = attempt(),
            other => return other,
        }
    }
    found
}

fn set_on(link: &mut Link, first: &DeviceName) -> Result<BackupSet, EngineError> {
    let rows = link.ask(&after::sets_on(first))?;
    let [row] = rows.as_slice() else {
        return Err(EngineError::Answer {
            reason: format!(
                "msdb has {} backup sets on the device {first}, where there must be one",
                rows.len()
            ),
        });
    };
    let mut set = after::of_row(row)?;
    if set.kind == BackupKind::Log {
        let marks = link.ask(&after::marks(&set.database, set.first_lsn, set.last_lsn))?;
        let marks: Result<_, _> = marks.iter().map(after::mark_of_row).collect();
        set.marks = marks?;
    }
    Ok(set)
}

/// Whether the set is the one that was asked for.
fn agree(set: BackupSet, request: &BackupRequest) -> Result<BackupSet, EngineError> {
    let asked = format!(
        "a {} backup of {} in {} stripes",
        request.kind,
        request.database,
        request.devices.len()
    );
    let same = set.kind == request.kind
        && set.database.to_lowercase() == request.database.to_lowercase()
        && usize::from(set.stripes) == request.devices.len();
    if same {
        return Ok(set);
    }
    Err(EngineError::Answer {
        reason: format!(
            "{asked} was asked for, and msdb has a {} backup of {} in {} stripes on the device",
            set.kind, set.database, set.stripes
        ),
    })
}
