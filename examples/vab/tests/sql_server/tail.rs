//! The tail of the log, also of a database that does not start.

use vab_manager::engine::{DatabaseInfo, DatabaseState};

use crate::lab::{Lab, sales};

fn suspect(info: &mut DatabaseInfo) {
    if info.name == "Sales" && info.state == DatabaseState::Online {
        info.state = DatabaseState::Suspect;
        // What is not known of a database that does not start.
        info.last_log_backup_lsn = None;
        info.fork = None;
    }
}

fn emergency(info: &mut DatabaseInfo) {
    info.state = DatabaseState::Emergency;
}

#[test]
fn the_tail_of_a_database_that_does_not_start_is_saved_and_restored() {
    let lab = Lab::new(sales);
    lab.put(0..100, "first");
    lab.backup("full", &[]).success();
    lab.put(0..50, "never backed up");
    let newest = lab.rows("Sales");
    lab.stands(Some(suspect));
    let error = lab.backup("log", &[]).failure(1);
    assert!(error.contains("suspect"), "{error}");
    let error = lab.restore(&[]).failure(9);
    assert!(error.contains("--tail"), "{error}");

    let told = lab.restore(&["--tail", "--json"]).success();
    let report: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(report["tail"]["kind"], "log");
    let said = lab.sql.said("BACKUP LOG").remove(0);
    assert!(
        said.contains(" WITH NORECOVERY, NO_TRUNCATE, CHECKSUM, "),
        "{said}"
    );
    lab.stands(None);
    assert_eq!(lab.rows("Sales"), newest);
}

#[test]
fn the_tail_of_a_database_that_is_said_to_be_damaged_is_asked_for_as_it_is() {
    let lab = Lab::new(sales);
    lab.backup("full", &[]).success();
    lab.put(0..50, "more");
    let newest = lab.rows("Sales");
    lab.restore(&["--damaged"]).failure(2);
    lab.restore(&["--tail", "--damaged"]).success();
    assert!(lab.sql.said("BACKUP LOG")[0].contains(" WITH NORECOVERY, NO_TRUNCATE, "));
    assert_eq!(lab.rows("Sales"), newest);
}

/// The server is lost, its log is not: first the tail, and the restore elsewhere and later.
#[test]
fn a_tail_is_saved_without_a_restore() {
    let lab = Lab::new(sales);
    lab.backup("full", &[]).success();
    lab.put(0..50, "more");
    let newest = lab.rows("Sales");
    lab.stands(Some(suspect));
    let server = lab.server.address.clone();
    let tail = |more: &[&str]| {
        let mut arguments = vec!["tail", "--server", &server, "--database", "Sales"];
        arguments.extend(more);
        lab.run(&arguments)
    };
    let told = tail(&["--json"]).success();
    let point: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(point["kind"], "log");
    assert!(lab.sql.said("BACKUP LOG")[0].contains(" WITH NORECOVERY, NO_TRUNCATE, "));
    lab.stands(None);
    // It is over: the database is restoring.
    let error = tail(&[]).failure(9);
    assert!(error.contains("restoring"), "{error}");
    lab.restore(&["--as", "Elsewhere"]).success();
    assert_eq!(lab.rows("Elsewhere"), newest);
}

/// Documented: BACKUP is not allowed there, not even with `NO_TRUNCATE`.
#[test]
fn a_database_in_emergency_has_no_tail() {
    let lab = Lab::new(sales);
    lab.backup("full", &[]).success();
    lab.stands(Some(emergency));
    for more in [&["--tail"][..], &["--tail", "--damaged"]] {
        let ran = lab.restore(more);
        assert!(ran.stderr.contains("emergency"), "{ran:?}");
        assert_eq!(ran.status.code(), Some(7), "{ran:?}");
    }
    assert!(lab.sql.said("BACKUP LOG").is_empty());
}
