//! Backups, restores and what the user is told.

use std::ffi::OsString;

use vab_manager::BackupSet;

use crate::common::{self, text};
use crate::lab::{Lab, pause, sales};
use crate::tds::session::PASSWORD;

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
#[cfg(unix)]
#[test]
fn an_interrupt_ends_the_statement() {
    use std::time::Duration;

    use vab_manager::engine::{DatabaseState, Engine};

    let lab = Lab::new(sales);
    lab.put(0..20_000, "a lot");
    let mut child = lab
        .command(&lab.backup_arguments("full", &[]))
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
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
