//! One restore, and the look at the files before it.

use vab_chain::BackupKind;

use super::link::Link;
use super::{Server, no_such};
use crate::engine::DatabaseState;
use crate::error::EngineError;
use crate::mssql::before::Identity;
use crate::mssql::files::{self, ListedFile, undo_file};
use crate::mssql::statement::{
    self as sql, After, Look, Name, Read, Recover, ReplaceConsent, ServerPath, Stop,
};
use crate::refusal::Refusal;
use crate::request::{
    FileMove, FilesRequest, ProgressSink, RecoverRequest, Recovery, RestoreRequest, Restored,
    StopAt, StopOutcome,
};

pub(super) fn file_moves(
    server: &Server,
    request: &FilesRequest,
) -> Result<Vec<FileMove>, EngineError> {
    let mut link = server.link()?;
    let identity = link.identity()?;
    let name = Name::new(request.database.as_str())?;
    let read = Read::new(Look::Files, request.devices.clone()).statement()?;
    let rows = link.run(&read, &request.cancel, &ProgressSink::default(), 0)?;
    let listed: Result<Vec<_>, _> = rows.iter().map(ListedFile::of_row).collect();
    let present = link.ask(&files::files_of(&name))?;
    let present: Result<Vec<_>, EngineError> = present
        .iter()
        .map(|row| Ok((row.some_text("name")?, row.some_text("physical_name")?)))
        .collect();
    let listed = listed?;
    let asked = files::Asked {
        database: &request.database,
        placement: &request.placement,
    };
    asked.moves(&listed, &present?, &identity)
}

pub(super) fn restore(server: &Server, request: &RestoreRequest) -> Result<Restored, EngineError> {
    let mut link = server.link()?;
    let identity = link.identity()?;
    let name = Name::new(request.database.as_str())?;
    protect(&mut link, &name, request)?;

    let mut restore = sql::Restore::new(name.clone(), request.kind, request.devices.clone());
    restore.geometry = request.geometry;
    restore.buffers = server.options.buffers;
    restore.stats = Some(server.stats());
    restore.checksum = request.checksum;
    restore.continue_after_error = request.continue_after_error;
    restore.after = after(request.recovery, &request.database, &identity)?;
    restore.replace = request
        .replace
        .then(|| ReplaceConsent::to_overwrite(name.clone()));
    for moved in &request.files {
        restore.moves.push(sql::FileMove {
            logical: Name::new(moved.logical.as_str())?,
            to: ServerPath::new(moved.to.as_str())?,
        });
    }
    restore.stop = match &request.stop_at {
        // A differential and a full are chosen so that they end before the mark.
        Some(StopAt::Mark { .. }) if request.kind != BackupKind::Log => None,
        stop => stop.as_ref().map(stop_of).transpose()?,
    };
    if restore.after != After::NoRecovery {
        restore.keep_cdc = server.options.keep_cdc;
        restore.keep_replication = server.options.keep_replication;
    }
    let statement = restore.statement()?;
    link.run(&statement, &request.cancel, &request.progress, 0)?;
    standing(
        &mut link,
        &name,
        request.stop_at.is_some().then_some(request.recovery),
    )
}

pub(super) fn recover(server: &Server, request: &RecoverRequest) -> Result<Restored, EngineError> {
    let mut link = server.link()?;
    let identity = link.identity()?;
    let database = Name::new(request.database.as_str())?;
    let recover = Recover {
        database: database.clone(),
        after: after(request.recovery, &request.database, &identity)?,
    };
    let sink = ProgressSink::default();
    link.run(&recover.statement()?, &crate::Cancel::new(), &sink, 0)?;
    standing(&mut link, &database, None)
}

/// A database that is there is touched only with consent. Left to itself, SQL Server overwrites one
/// without `REPLACE` when no log would be lost.
fn protect(link: &mut Link, name: &Name, request: &RestoreRequest) -> Result<(), EngineError> {
    let database = || request.database.clone();
    match link.database(name)? {
        Some(info) if request.kind == BackupKind::Full => {
            if request.replace || info.state == DatabaseState::Restoring {
                return Ok(());
            }
            Err(Refusal::Exists {
                database: database(),
            }
            .into())
        }
        Some(info) => match info.state {
            DatabaseState::Restoring | DatabaseState::Standby => Ok(()),
            state => Err(Refusal::NotRestoring {
                database: database(),
                state,
            }
            .into()),
        },
        None if request.kind == BackupKind::Full => Ok(()),
        None => Err(Refusal::NothingToApplyTo {
            database: database(),
        }
        .into()),
    }
}

fn after(recovery: Recovery, database: &str, server: &Identity) -> Result<After, EngineError> {
    Ok(match recovery {
        Recovery::NoRecovery => After::NoRecovery,
        Recovery::Recovery => After::Recovery,
        Recovery::Standby => {
            After::Standby(undo_file(database, server).ok_or(EngineError::Unsupported {
                what: "leave a database in standby: it has no default folder for data",
            })?)
        }
    })
}

fn stop_of(stop: &StopAt) -> Result<Stop, EngineError> {
    Ok(match stop {
        StopAt::Time(time) => Stop::Time(*time),
        StopAt::Lsn { lsn, edge } => Stop::Lsn {
            lsn: *lsn,
            edge: *edge,
        },
        StopAt::Mark { name, after, edge } => Stop::Mark {
            name: Name::new(name.as_str())?,
            after: *after,
            edge: *edge,
        },
    })
}

/// How the database stands after a restore. `stop` is the state that was asked for, if a stop was.
fn standing(link: &mut Link, name: &Name, stop: Option<Recovery>) -> Result<Restored, EngineError> {
    let info = link.database(name)?.ok_or_else(|| no_such(name.as_str()))?;
    let outcome = match (stop, info.state) {
        (None, _) => StopOutcome::NotAsked,
        // A stop beyond the end leaves the database restoring, though recovery was asked for.
        (Some(Recovery::Recovery | Recovery::Standby), DatabaseState::Online)
        | (Some(Recovery::Standby), DatabaseState::Standby) => StopOutcome::Reached,
        _ => StopOutcome::Beyond,
    };
    let redo = info.redo_lsn.or(info.last_log_backup_lsn);
    let mut restored = Restored::new(info.state, outcome, redo.unwrap_or_default());
    restored.fork = info.fork;
    Ok(restored)
}
