//! Plays a statement with the embedded engine.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use vab_chain::BackupKind;
use vab_engine::{
    BackupError, BackupRequest, Engine, Look, Progress, ProgressSink, RestoreError, RestoreRequest,
};
use vab_vdi::pipe::Directory;
use vab_vdi::{EngineAbortHandle, EngineError, EngineSet, EngineTransport, OpenSetRequest};

use super::fault::Fault;
use super::parse::Statement;
use super::{StandIn, look, native};
use crate::tds::session::Session;
use crate::tds::table::Table;
use crate::tds::token::{self, End};

pub(super) const WAIT: Duration = Duration::from_secs(20);
/// How long it waits for a device set before it looks whether it is to go on.
const SLICE: Duration = Duration::from_millis(50);

/// A number and a text of the server.
pub(super) struct Refused(pub(super) u32, pub(super) String);

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
        Statement::Look(look, names) => {
            let verb = match look {
                Look::Header => "RESTORE HEADERONLY",
                Look::Files => "RESTORE FILELIST",
                Look::Label => "RESTORE LABELONLY",
                Look::Verify => "VERIFY DATABASE",
            };
            long(server, session, verb, |devices, _| {
                look::look(server, look, &names, devices)
            })
        }
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
#[derive(Clone)]
pub(super) struct Interruptible(Arc<Inner>);

struct Inner {
    folder: Directory,
    open: Mutex<Vec<EngineAbortHandle>>,
    stopped: AtomicBool,
    /// What goes wrong in the middle of the data.
    fault: Option<Fault>,
    /// The middle of the data has been reached.
    middle: AtomicBool,
}

impl Interruptible {
    fn new(server: &StandIn, fault: Option<Fault>) -> Self {
        Self(Arc::new(Inner {
            folder: Directory::open(&server.devices).unwrap(),
            open: Mutex::default(),
            stopped: AtomicBool::new(false),
            fault,
            middle: AtomicBool::new(false),
        }))
    }

    fn stop(&self) {
        self.0.stopped.store(true, Ordering::Relaxed);
        for set in self.0.open.lock().unwrap().drain(..) {
            set.abort();
        }
    }

    /// The engine has moved so much of its data.
    fn moved(&self, percent: u64) {
        let middle = percent >= 20 && self.0.fault.is_some();
        if !middle || self.0.middle.swap(true, Ordering::Relaxed) {
            return;
        }
        match self.0.fault {
            Some(Fault::InTheMiddle(..) | Fault::Dropped | Fault::DevicesDie) => self.stop(),
            Some(Fault::Hangs) => {
                while !self.0.stopped.load(Ordering::Relaxed) {
                    thread::sleep(Duration::from_millis(2));
                }
            }
            _ => {}
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
            match self.0.folder.open_set(request.clone(), SLICE) {
                Ok(set) => {
                    self.0.open.lock().unwrap().push(set.abort_handle());
                    return Ok(set);
                }
                Err(EngineError::NoSuchSet { .. })
                    if waited < timeout && !self.0.stopped.load(Ordering::Relaxed) =>
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
    let looks = verb.starts_with("RESTORE H")
        || verb.starts_with("RESTORE F")
        || verb.starts_with("RESTORE L");
    let fault = if looks {
        None
    } else {
        server.fault.lock().unwrap().take()
    };
    let devices = Interruptible::new(server, fault);
    let percent = Arc::new(AtomicU64::new(0));
    let (ended, cancelled) = thread::scope(|scope| {
        let working = scope.spawn(|| match fault {
            Some(Fault::Refused(number, text)) => Err(Refused(number, text.to_owned())),
            _ => work(&devices, &percent),
        });
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
    let ended = match fault {
        Some(Fault::Dropped) => return Err(io::ErrorKind::ConnectionAborted.into()),
        Some(Fault::InTheMiddle(number, text) | Fault::AtTheEnd(number, text)) => {
            Err(Refused(number, text.to_owned()))
        }
        _ => ended,
    };
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

fn sink(percent: &Arc<AtomicU64>, devices: &Interruptible) -> ProgressSink {
    let (percent, devices) = (Arc::clone(percent), devices.clone());
    ProgressSink::new(move |Progress { bytes, total }| {
        let now = (bytes * 100)
            .checked_div(total)
            .unwrap_or_default()
            .min(100);
        percent.fetch_max(now, Ordering::Relaxed);
        devices.moved(now);
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
    request.progress = sink(percent, devices);
    let first = request.devices[0].to_string();
    if let Some(streams) = server.streams {
        let streams = streams(&request);
        let set = native::write(&request, &streams, devices);
        let set = set.map_err(|error| device(&first, false, &error))?;
        server.history.lock().unwrap().push((first, set));
        return Ok(None);
    }
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
    request.progress = sink(percent, devices);
    // A restored differential says so itself; `RESTORE DATABASE` does not. It moves no files.
    let moves = !request.files.is_empty();
    if request.kind == BackupKind::Full && !moves && is_restoring(server, &request.database) {
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

pub(super) fn device(name: &str, opening: bool, error: &dyn std::error::Error) -> Refused {
    let number = if opening { 3201 } else { 3202 };
    Refused(
        number,
        format!("Cannot use backup device '{name}': {error}."),
    )
}
