//! Plays a statement with the embedded engine.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use vab_chain::BackupKind;
use vab_engine::{
    BackupError, BackupRequest, Engine, Progress, ProgressSink, RestoreError, RestoreRequest,
};
use vab_vdi::pipe::Directory;
use vab_vdi::{
    DeviceName, Direction, EngineAbortHandle, EngineError, EngineSet, EngineTransport, Geometry,
    OpenSetRequest,
};

use super::StandIn;
use super::parse::Statement;
use crate::tds::session::Session;
use crate::tds::table::{Cell, Table, Type};
use crate::tds::token::{self, End};

const WAIT: Duration = Duration::from_secs(20);
/// How long it waits for a device set before it looks whether it is to go on.
const SLICE: Duration = Duration::from_millis(50);

/// A number and a text of the server.
struct Refused(u32, String);

pub(super) fn play(
    server: &StandIn,
    session: &mut Session,
    statement: Statement,
) -> io::Result<()> {
    match statement {
        Statement::Backup(request) => {
            let verb = match request.kind {
                BackupKind::Log => "BACKUP LOG",
                _ => "BACKUP DATABASE",
            };
            long(server, session, verb, |devices, percent| {
                backup(server, request, devices, percent)
            })
        }
        Statement::Restore(request) => {
            let verb = match request.kind {
                BackupKind::Log => "RESTORE LOG",
                _ => "RESTORE DATABASE",
            };
            long(server, session, verb, |devices, percent| {
                restore(server, request, devices, percent)
            })
        }
        Statement::Files(names) => long(server, session, "RESTORE FILELIST", |devices, _| {
            files(&names, devices)
        }),
        Statement::Recover(request) => {
            long(server, session, "RESTORE DATABASE", |_, _| {
                match server.instance.recover(&request) {
                    Ok(_) => Ok(None),
                    Err(error) => Err(restore_refused(&error)),
                }
            })
        }
    }
}

/// The sets that are open can be aborted, and no more are waited for then.
struct Interruptible {
    folder: Directory,
    open: Mutex<Vec<EngineAbortHandle>>,
    stopped: AtomicBool,
}

impl Interruptible {
    fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        for set in self.open.lock().unwrap().drain(..) {
            set.abort();
        }
    }
}

impl EngineTransport for Interruptible {
    fn open_set(
        &self,
        request: OpenSetRequest,
        timeout: Duration,
    ) -> Result<EngineSet, EngineError> {
        let mut waited = Duration::ZERO;
        loop {
            match self.folder.open_set(request.clone(), SLICE) {
                Ok(set) => {
                    self.open.lock().unwrap().push(set.abort_handle());
                    return Ok(set);
                }
                Err(EngineError::NoSuchSet { .. })
                    if waited < timeout && !self.stopped.load(Ordering::Relaxed) =>
                {
                    waited += SLICE;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Does work on a thread of its own, tells how far it is, and listens for an attention meanwhile.
fn long(
    server: &StandIn,
    session: &mut Session,
    verb: &str,
    work: impl FnOnce(&Interruptible, &Arc<AtomicU64>) -> Result<Option<Table>, Refused> + Send,
) -> io::Result<()> {
    let devices = Interruptible {
        folder: Directory::open(&server.devices).unwrap(),
        open: Mutex::default(),
        stopped: AtomicBool::new(false),
    };
    let percent = Arc::new(AtomicU64::new(0));
    let (ended, cancelled) = thread::scope(|scope| {
        let working = scope.spawn(|| work(&devices, &percent));
        let (mut told, mut cancelled) = (0, false);
        while !working.is_finished() {
            let asked = if cancelled {
                Ok(true)
            } else {
                session.attention(Duration::from_millis(5))
            };
            // As the server does when the one who asked is gone.
            cancelled = asked.as_ref().is_ok_and(|asked| *asked) || asked.is_err();
            if cancelled {
                devices.stop();
                continue;
            }
            let now = percent.load(Ordering::Relaxed) / 5 * 5;
            if now > told {
                told = now;
                session.send(&token::info(3211, &format!("{now} percent processed.")))?;
            }
        }
        let ended = working.join().unwrap();
        io::Result::Ok((ended, cancelled))
    })?;
    if cancelled {
        return session.end(End::Cancelled);
    }
    match ended {
        Ok(table) => {
            if let Some(table) = table {
                session.send(&table.tokens())?;
            }
            session.send(&token::info(
                3014,
                &format!("{verb} successfully processed 7 pages."),
            ))?;
            session.end(End::Well)
        }
        Err(Refused(number, text)) => {
            session.send(&token::error(number, 1, &text))?;
            session.send(&token::error(
                3013,
                1,
                &format!("{verb} is terminating abnormally."),
            ))?;
            session.end(End::Badly)
        }
    }
}

fn sink(percent: &Arc<AtomicU64>) -> ProgressSink {
    let percent = Arc::clone(percent);
    ProgressSink::new(move |Progress { bytes, total }| {
        let now = (bytes * 100)
            .checked_div(total)
            .unwrap_or_default()
            .min(100);
        percent.fetch_max(now, Ordering::Relaxed);
    })
}

fn backup(
    server: &StandIn,
    mut request: BackupRequest,
    devices: &Interruptible,
    percent: &Arc<AtomicU64>,
) -> Result<Option<Table>, Refused> {
    if let Some((number, text)) = server.refuses {
        return Err(Refused(number, text.to_owned()));
    }
    request.timeout = WAIT;
    request.progress = sink(percent);
    let first = request.devices[0].to_string();
    match server.instance.backup(&request, devices) {
        Ok(set) => {
            server.history.lock().unwrap().push((first, set));
            Ok(None)
        }
        Err(error) => Err(match error.refusal() {
            Some(refusal) => Refused(refusal.number(), refusal.to_string()),
            None => device(&first, matches!(error, BackupError::Set(_)), &error),
        }),
    }
}

fn restore(
    server: &StandIn,
    mut request: RestoreRequest,
    devices: &Interruptible,
    percent: &Arc<AtomicU64>,
) -> Result<Option<Table>, Refused> {
    request.timeout = WAIT;
    request.progress = sink(percent);
    // A restored differential says so itself; `RESTORE DATABASE` does not.
    if request.kind == BackupKind::Full && is_restoring(server, &request.database) {
        request.kind = BackupKind::Differential;
    }
    match server.instance.restore(&request, devices) {
        Ok(_) => Ok(None),
        Err(error) => Err(restore_refused(&error)),
    }
}

fn is_restoring(server: &StandIn, name: &str) -> bool {
    let databases = server.instance.databases().unwrap();
    databases.iter().any(|database| {
        database.name == name && database.state == vab_engine::DatabaseState::Restoring
    })
}

fn restore_refused(error: &RestoreError) -> Refused {
    match error.refusal() {
        Some(refusal) => Refused(refusal.number(), refusal.to_string()),
        None => device("virtual", matches!(error, RestoreError::Set(_)), error),
    }
}

fn device(name: &str, opening: bool, error: &dyn std::error::Error) -> Refused {
    let number = if opening { 3201 } else { 3202 };
    Refused(
        number,
        format!("Cannot use backup device '{name}': {error}."),
    )
}

/// Reads a little, as the server does for the list of files.
fn files(names: &[DeviceName], devices: &Interruptible) -> Result<Option<Table>, Refused> {
    let request = OpenSetRequest::new(names.to_vec(), Direction::Restore, Geometry::default());
    let read = || -> Result<(), EngineError> {
        let mut set = devices.open_set(request, WAIT)?;
        for (index, mut device) in set.devices().into_iter().enumerate() {
            if index == 0 {
                device.read(&mut vec![0; 65_536])?;
            }
            device.close()?;
        }
        set.close()
    };
    read().map_err(|error| device("virtual", true, &error))?;
    let file = |logical: &str, physical: &str, kind: &str| {
        vec![logical.into(), physical.into(), Cell::from(kind)]
    };
    let columns = [
        ("LogicalName", Type::NVarChar),
        ("PhysicalName", Type::NVarChar),
        ("Type", Type::Char(1)),
    ];
    let table = Table::new(&columns)
        .row(file("Sales", r"C:\old\Sales.mdf", "D"))
        .row(file("Sales_log", r"C:\old\Sales_log.ldf", "L"));
    Ok(Some(table))
}
