//! A backup manager, a SQL Server, and the program between them.

use std::sync::Arc;
use std::time::Duration;

use vab_manager::engine::{DatabaseInfo, RecoveryModel, sim};
use vab_manager::{Clock, ServerTime, SystemClock};

use crate::common::{self, JOB, Ran, Server, empty_repository, list};
use crate::stand_in::StandIn;
use crate::tds::session::{PASSWORD, USER};

pub(crate) fn now() -> ServerTime {
    ServerTime::from_micros(SystemClock.now().as_micros())
}

/// Of an embedded engine in a folder.
pub(crate) fn options() -> sim::Options {
    sim::Options::new(now).utc_offset(0)
}

/// Lets the clock go on, and returns a moment between what was and what comes.
pub(crate) fn pause() -> ServerTime {
    std::thread::sleep(Duration::from_millis(30));
    let moment = now();
    std::thread::sleep(Duration::from_millis(30));
    moment
}

/// A backup manager, a SQL Server, and the program between them.
pub(crate) struct Lab {
    pub(crate) server: Server,
    pub(crate) sql: Arc<StandIn>,
    pub(crate) engine: String,
    _folder: tempfile::TempDir,
}

impl Lab {
    pub(crate) fn new(change: impl FnOnce(&mut StandIn)) -> Self {
        let (folder, repository) = empty_repository();
        let devices = folder.path().join("d");
        let mut sql = StandIn::new(devices.clone(), now);
        change(&mut sql);
        Self::of(sql, &devices, folder, &repository)
    }

    /// With a repository that is there.
    #[cfg(target_os = "linux")]
    pub(crate) fn in_repository(
        repository: &std::path::Path,
        change: impl FnOnce(&mut StandIn),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let devices = folder.path().join("d");
        let mut sql = StandIn::new(devices.clone(), now);
        change(&mut sql);
        Self::of(sql, &devices, folder, repository)
    }

    fn of(
        sql: StandIn,
        devices: &std::path::Path,
        folder: tempfile::TempDir,
        repository: &std::path::Path,
    ) -> Self {
        let (sql, address) = sql.start(None);
        // Backslashes and all, as a part of an address.
        let devices = devices.display().to_string().replace('%', "%25");
        Self {
            server: Server::start(repository),
            sql,
            engine: format!("mssql://{USER}@{address}?encrypt=no&devices=pipe:{devices}"),
            _folder: folder,
        }
    }

    /// The program with a password, and with nothing else from the environment of the tests.
    pub(crate) fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = common::vab(arguments);
        command
            .args(["--engine", &self.engine])
            .env("VAB_MSSQL_PASSWORD", PASSWORD);
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        let output = self.command(arguments).output().unwrap();
        Ran {
            status: output.status,
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub(crate) fn backup_arguments<'a>(&'a self, kind: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let mut arguments = vec!["backup", "--server", &self.server.address, "--job", JOB];
        arguments.extend(["--database", "Sales", "--type", kind]);
        arguments.extend(more);
        arguments
    }

    pub(crate) fn backup(&self, kind: &str, more: &[&str]) -> Ran {
        self.run(&self.backup_arguments(kind, more))
    }

    pub(crate) fn restore(&self, more: &[&str]) -> Ran {
        let mut arguments = vec!["restore", "--server", &self.server.address];
        arguments.extend(["--database", "Sales"]);
        arguments.extend(more);
        self.run(&arguments)
    }

    pub(crate) fn points(&self) -> Vec<serde_json::Value> {
        list(["--server", &self.server.address])
    }

    pub(crate) fn put(&self, keys: std::ops::Range<u64>, value: &str) {
        let database = self.sql.instance.database("Sales").unwrap();
        let mut transaction = database.begin().unwrap();
        for key in keys {
            transaction.put(key, value.repeat(50).as_bytes()).unwrap();
        }
        transaction.commit().unwrap();
    }

    /// A transaction with a mark, as the server writes it down.
    pub(crate) fn mark(&self, mark: &str, value: &str) {
        let database = self.sql.instance.database("Sales").unwrap();
        let mut transaction = database.begin().unwrap();
        transaction.put(7, value.as_bytes()).unwrap();
        let time = now();
        let at = transaction.commit_marked(mark).unwrap();
        let mut marks = self.sql.marks.lock().unwrap();
        marks.push(("Sales".to_owned(), mark.to_owned(), at, time));
    }

    pub(crate) fn checkpoint(&self, database: &str) {
        let database = self.sql.instance.database(database).unwrap();
        database.checkpoint().unwrap();
    }

    /// Falsifies from now on how databases stand.
    pub(crate) fn stands(&self, stands: Option<fn(&mut DatabaseInfo)>) {
        *self.sql.stands.lock().unwrap() = stands;
    }

    pub(crate) fn rows(&self, database: &str) -> Vec<(u64, Vec<u8>)> {
        self.sql
            .instance
            .database(database)
            .unwrap()
            .rows()
            .unwrap()
    }
}

pub(crate) fn sales(sql: &mut StandIn) {
    let sales = sql
        .instance
        .create_database("Sales", RecoveryModel::Full)
        .unwrap();
    sales.put(1, b"first").unwrap();
}
