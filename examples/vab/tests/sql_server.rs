//! The real program against a stand-in for SQL Server: over its protocol, through virtual devices
//! between two processes.
#![cfg(all(unix, feature = "mssql"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and the lints know only test functions"
)]

mod common;
#[path = "../../../crates/engine/src/mssql/statement/tests/lexer.rs"]
mod lexer;
#[path = "../../../crates/engine/tests/mssql/stand_in/mod.rs"]
mod stand_in;
#[expect(dead_code, reason = "other tests use the rest")]
#[path = "../../../crates/engine/tests/mssql/tds/mod.rs"]
mod tds;

use std::ffi::OsString;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use common::{JOB, Ran, Server, empty_repository, list, text};
use stand_in::StandIn;
use tds::session::{PASSWORD, USER};
use vab_manager::engine::{DatabaseState, Engine, RecoveryModel};
use vab_manager::{BackupSet, Clock, ServerTime, SystemClock};

fn now() -> ServerTime {
    ServerTime::from_micros(SystemClock.now().as_micros())
}

/// Lets the clock go on, and returns a moment between what was and what comes.
fn pause() -> ServerTime {
    std::thread::sleep(Duration::from_millis(30));
    let moment = now();
    std::thread::sleep(Duration::from_millis(30));
    moment
}

/// A backup manager, a SQL Server, and the program between them.
struct Lab {
    server: Server,
    sql: Arc<StandIn>,
    engine: String,
    _folder: tempfile::TempDir,
}

impl Lab {
    fn new(change: impl FnOnce(&mut StandIn)) -> Self {
        let (folder, repository) = empty_repository();
        let devices = folder.path().join("d");
        let mut sql = StandIn::new(devices.clone(), now);
        change(&mut sql);
        let (sql, address) = sql.start(None);
        let devices = devices.display();
        Self {
            server: Server::start(&repository),
            sql,
            engine: format!("mssql://{USER}@{address}?encrypt=no&devices=pipe:{devices}"),
            _folder: folder,
        }
    }

    /// The program with a password, and with nothing else from the environment of the tests.
    fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = common::vab(arguments);
        command
            .args(["--engine", &self.engine])
            .env("VAB_MSSQL_PASSWORD", PASSWORD);
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let output = self.command(arguments).output().unwrap();
        Ran {
            status: output.status,
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn backup_arguments<'a>(&'a self, kind: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let mut arguments = vec!["backup", "--server", &self.server.address, "--job", JOB];
        arguments.extend(["--database", "Sales", "--type", kind]);
        arguments.extend(more);
        arguments
    }

    fn backup(&self, kind: &str, more: &[&str]) -> Ran {
        self.run(&self.backup_arguments(kind, more))
    }

    fn restore(&self, more: &[&str]) -> Ran {
        let mut arguments = vec!["restore", "--server", &self.server.address];
        arguments.extend(["--database", "Sales"]);
        arguments.extend(more);
        self.run(&arguments)
    }

    fn points(&self) -> Vec<serde_json::Value> {
        list(["--server", &self.server.address])
    }

    fn put(&self, keys: std::ops::Range<u64>, value: &str) {
        let database = self.sql.instance.database("Sales").unwrap();
        let mut transaction = database.begin().unwrap();
        for key in keys {
            transaction.put(key, value.repeat(50).as_bytes()).unwrap();
        }
        transaction.commit().unwrap();
    }

    fn rows(&self, database: &str) -> Vec<(u64, Vec<u8>)> {
        self.sql
            .instance
            .database(database)
            .unwrap()
            .rows()
            .unwrap()
    }
}

fn sales(sql: &mut StandIn) {
    let sales = sql
        .instance
        .create_database("Sales", RecoveryModel::Full)
        .unwrap();
    sales.put(1, b"first").unwrap();
}

#[test]
fn a_chain_is_backed_up_and_restored_to_a_time() {
    let lab = Lab::new(sales);
    lab.put(0..500, "first");
    lab.backup("full", &["--streams", "4"]).success();
    lab.put(100..200, "second");
    lab.backup("log", &[]).success();
    lab.put(150..300, "third");
    lab.backup("diff", &["--streams", "2"]).success();
    lab.put(600..700, "fourth");
    let moment = pause();
    let then = lab.rows("Sales");
    lab.put(0..500, "a mistake");
    lab.backup("full", &["--copy-only"]).success();
    lab.backup("log", &["--streams", "3"]).success();

    let said = lab.sql.said("BACKUP");
    assert_eq!(said.len(), 5);
    assert!(said[0].starts_with("BACKUP DATABASE [Sales] TO VIRTUAL_DEVICE = N'"));
    assert_eq!(said[0].matches("VIRTUAL_DEVICE").count(), 4);
    assert!(said[0].contains("CHECKSUM, NO_COMPRESSION, BLOCKSIZE = 65536"));
    assert!(said[2].contains(" WITH DIFFERENTIAL, "));
    assert!(said[3].contains(" WITH COPY_ONLY, "));
    assert!(said[4].starts_with("BACKUP LOG [Sales] TO "));

    let points = lab.points();
    assert_eq!(points.len(), 5);
    assert!(
        points
            .iter()
            .all(|point| text(point, "database") == "Sales")
    );

    let at = moment.to_string();
    let stdout = lab.restore(&["--as", "Copy", "--at", &at]).success();
    assert!(stdout.contains("it is online"), "{stdout}");
    assert_eq!(lab.rows("Copy"), then);
    let said = lab.sql.said("RESTORE");
    let verbs: Vec<_> = said
        .iter()
        .filter_map(|text| text.split(" FROM ").next())
        .collect();
    assert_eq!(
        verbs,
        [
            "RESTORE FILELISTONLY",
            "RESTORE DATABASE [Copy]",
            "RESTORE DATABASE [Copy]",
            "RESTORE LOG [Copy]"
        ]
    );
    assert!(said[1].contains(
        " WITH NORECOVERY, MOVE N'Sales' TO N'/var/opt/mssql/data/Copy_Sales.mdf', \
         MOVE N'Sales_log' TO N'/var/opt/mssql/log/Copy_Sales_log.ldf', "
    ));
    assert!(
        said[3].contains(" WITH RECOVERY, STOPAT = N'2"),
        "{}",
        said[3]
    );

    // Without a time, the newest state.
    lab.restore(&["--as", "Newest"]).success();
    assert_eq!(lab.rows("Newest"), lab.rows("Sales"));
}

#[test]
fn a_database_that_is_there_is_replaced_only_with_consent() {
    let lab = Lab::new(sales);
    lab.backup("full", &[]).success();
    let saved = lab.rows("Sales");
    lab.put(0..10, "later");
    let later = lab.rows("Sales");
    let error = lab.restore(&[]).failure(9);
    assert!(error.contains("is there already"), "{error}");
    assert_eq!(lab.rows("Sales"), later);
    assert!(lab.sql.said("RESTORE DATABASE").is_empty());
    lab.restore(&["--replace"]).success();
    assert_eq!(lab.rows("Sales"), saved);
    let said = lab.sql.said("RESTORE DATABASE");
    assert!(
        said[0].contains(" WITH RECOVERY, REPLACE, MOVE "),
        "{}",
        said[0]
    );
}

#[test]
fn the_servers_own_words_are_what_the_user_sees() {
    let lab = Lab::new(|sql| {
        sales(sql);
        sql.refuses = Some((
            262,
            "BACKUP DATABASE permission denied in database 'Sales'.",
        ));
    });
    let error = lab.backup("full", &[]).failure(9);
    let words = "permission denied in database 'Sales'. (state 1) (message 262)";
    assert!(error.contains(words), "{error}");
    assert!(!error.contains("terminating abnormally"), "{error}");
    assert!(lab.points().is_empty());
}

#[test]
fn what_is_damaged_fails_in_the_middle_and_leaves_nothing() {
    let lab = Lab::new(sales);
    lab.put(0..20_000, "many pages");
    let database = lab.sql.instance.database("Sales").unwrap();
    database.checkpoint().unwrap();
    database.damage_page(200).unwrap();
    let error = lab.backup("full", &["--streams", "3"]).failure(9);
    assert!(error.contains("(message 824)"), "{error}");
    assert!(lab.points().is_empty());
}

#[test]
fn a_login_that_may_not_is_told_so_before_anything_begins() {
    let lab = Lab::new(|sql| {
        sales(sql);
        sql.sysadmin = false;
    });
    let error = lab.backup("full", &[]).failure(1);
    assert!(
        error.contains("ALTER SERVER ROLE sysadmin ADD MEMBER"),
        "{error}"
    );
    assert!(lab.sql.said("BACKUP").is_empty() && lab.points().is_empty());
}

#[test]
fn passwords_are_asked_for_and_never_shown() {
    let lab = Lab::new(sales);
    let output = lab
        .command(&lab.backup_arguments("full", &["-vv"]))
        .env_remove("VAB_MSSQL_PASSWORD")
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("VAB_MSSQL_PASSWORD"), "{error}");
    let output = lab
        .command(&lab.backup_arguments("full", &["-vv"]))
        .env("VAB_MSSQL_PASSWORD", "Hunter2")
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.contains("18456") && !error.contains("Hunter2"),
        "{error}"
    );
    let output = lab
        .command(&lab.backup_arguments("full", &["-vv"]))
        .output()
        .unwrap();
    assert!(output.status.success());
    let shown = [output.stdout, output.stderr].concat();
    let shown = String::from_utf8(shown).unwrap();
    assert!(
        shown.contains("BACKUP DATABASE [Sales]") && !shown.contains(PASSWORD),
        "{shown}"
    );
    assert!(
        shown.contains("BACKUP DATABASE successfully processed"),
        "{shown}"
    );
}

#[test]
fn a_backup_that_the_server_tells_otherwise_about_is_no_restore_point() {
    let lab = Lab::new(|sql| {
        sales(sql);
        sql.lies = Some(|set: &mut BackupSet| set.stripes += 1);
    });
    let error = lab.backup("full", &[]).failure(1);
    assert!(error.contains("was asked for"), "{error}");
    assert!(lab.points().is_empty());
}

/// Ctrl-C ends the program, the program's end ends the server's statement, and nothing is left.
#[test]
fn an_interrupt_ends_the_statement() {
    let lab = Lab::new(sales);
    lab.put(0..20_000, "a lot");
    let mut child = lab
        .command(&lab.backup_arguments("full", &[]))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    for _ in 0..30_000 {
        if !lab.sql.said("BACKUP").is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(
        !lab.sql.said("BACKUP").is_empty(),
        "it never came to the server"
    );
    common::signal("INT", child.id());
    let status = child.wait().unwrap();
    if !status.success() {
        assert!(lab.points().is_empty());
    }
    // The database is free for the next backup.
    let mut free = false;
    for _ in 0..100 {
        let ran = lab.backup("full", &["--tries", "1"]);
        free = ran.status.success();
        if free {
            break;
        }
        assert!(ran.stderr.contains("3023"), "{ran:?}");
    }
    assert!(free, "the backup that was ended still runs");
    let databases = lab.sql.instance.databases().unwrap();
    assert_eq!(databases[0].state, DatabaseState::Online);
}

#[test]
fn an_engine_that_cannot_be_is_named_with_advice() {
    let engine = |engine: &str| -> String {
        let arguments: Vec<OsString> =
            ["backup", "--job", "j", "--database", "d", "--type", "full"]
                .into_iter()
                .chain(["--engine", engine])
                .map(OsString::from)
                .collect();
        let output = common::vab(arguments)
            .env("VAB_MSSQL_PASSWORD", "x")
            .output()
            .unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let error = engine("mssql://sa:hunter2@db1");
    assert!(
        error.contains("VAB_MSSQL_PASSWORD") && !error.contains("hunter2"),
        "{error}"
    );
    assert!(engine("mssql://sa@127.0.0.1:1?encrypt=no").contains("cannot be reached"));
    assert!(engine("mssql://db1").contains("needs a name"));
    assert!(engine("oracle://db1").contains("mssql://USER@HOST"));
}
