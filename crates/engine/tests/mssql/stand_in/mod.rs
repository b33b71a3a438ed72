//! A stand-in for SQL Server: it speaks the protocol, answers the questions that are asked of a
//! server, and plays `BACKUP` and `RESTORE` with the embedded engine, through virtual devices in a
//! folder. What it does not know it refuses, as the server would.

pub(crate) mod answer;
pub(crate) mod fault;
mod look;
mod native;
mod parse;
mod play;
#[expect(dead_code, reason = "other tests use the rest")]
#[path = "../../../src/mtf/testing.rs"]
pub(crate) mod tape;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use vab_chain::{BackupSet, Lsn, ServerTime};
use vab_engine::{BackupRequest, DatabaseInfo, sim};

use self::fault::Fault;

use crate::tds::session::{Handler, Secure, Session, listen};
use crate::tds::token::{self, End};

/// The streams of a backup.
pub(crate) type Streams = fn(&BackupRequest) -> Vec<Vec<u8>>;

/// A server with databases.
pub(crate) struct StandIn {
    pub(crate) instance: sim::Instance,
    /// Where virtual devices are found.
    devices: PathBuf,
    /// The sets that were made, by the first device of each.
    history: Mutex<Vec<(String, BackupSet)>>,
    /// Every statement that came.
    said: Mutex<Vec<String>>,
    /// Whether the login may do everything.
    pub(crate) sysadmin: bool,
    /// The error with which every backup ends before it comes to its devices.
    pub(crate) refuses: Option<(u32, &'static str)>,
    /// Falsifies what is told about backups.
    pub(crate) lies: Option<fn(&mut BackupSet)>,
    /// Falsifies what is told about databases.
    pub(crate) stands: Mutex<Option<fn(&mut DatabaseInfo)>>,
    /// What its backups are instead of the embedded engine's streams: a stream for each device.
    pub(crate) streams: Option<Streams>,
    /// What goes wrong with the next statement that moves data.
    pub(crate) fault: Mutex<Option<Fault>>,
    /// Marked transactions: database, mark, log record, time.
    pub(crate) marks: Mutex<Vec<(String, String, Lsn, ServerTime)>>,
}

impl StandIn {
    pub(crate) fn new(devices: PathBuf, clock: fn() -> ServerTime) -> Self {
        Self {
            instance: sim::Instance::memory(sim::Options::new(clock).server("SIM").utc_offset(0)),
            devices,
            history: Mutex::default(),
            said: Mutex::default(),
            sysadmin: true,
            refuses: None,
            lies: None,
            stands: Mutex::default(),
            streams: None,
            fault: Mutex::default(),
            marks: Mutex::default(),
        }
    }

    /// Starts to listen.
    pub(crate) fn start(self, secure: Option<Arc<dyn Secure>>) -> (Arc<Self>, SocketAddr) {
        let server = Arc::new(self);
        let handler = Arc::clone(&server) as Arc<dyn Handler>;
        let address = listen(secure, handler);
        (server, address)
    }

    /// The statements that came and begin with this word.
    pub(crate) fn said(&self, word: &str) -> Vec<String> {
        let said = self.said.lock().unwrap();
        said.iter()
            .filter(|text| text.starts_with(word))
            .cloned()
            .collect()
    }
}

impl Handler for StandIn {
    fn batch(&self, session: &mut Session, text: &str) -> io::Result<()> {
        self.said.lock().unwrap().push(text.to_owned());
        if let Some(table) = answer::answer(self, text) {
            session.send(&table.tokens())?;
            return session.end(End::Well);
        }
        if text == "SET LANGUAGE us_english" {
            session.send(&token::info(
                5703,
                "Changed language setting to us_english.",
            ))?;
            return session.end(End::Well);
        }
        match parse::parse(text) {
            Ok(statement) => play::play(self, session, statement),
            Err(near) => {
                let text = format!("Incorrect syntax near '{near}'.");
                session.send(&token::error(102, 1, &text))?;
                session.end(End::Badly)
            }
        }
    }
}
