//! Options of SQL Server, from the command line into the statements.

use crate::lab::{Lab, pause, sales};

#[test]
fn a_backup_is_made_as_it_was_asked_for() {
    let lab = Lab::new(sales);
    let more = [
        "--buffer-count",
        "12",
        "--max-transfer-size",
        "256KiB",
        "--block-size",
        "4KiB",
        "--stats",
        "1",
        "--no-checksum",
        "--server-compression",
        "--continue-after-error",
        "--compression",
        "none",
    ];
    let ran = lab.backup("full", &more);
    assert!(ran.stderr.contains("needs --block-size 4KiB"), "{ran:?}");
    ran.success();
    let said = lab.sql.said("BACKUP").remove(0);
    let (_, options) = said.split_once(" WITH ").unwrap();
    assert_eq!(
        options,
        "NO_CHECKSUM, CONTINUE_AFTER_ERROR, COMPRESSION, BLOCKSIZE = 4096, \
         MAXTRANSFERSIZE = 262144, BUFFERCOUNT = 12, STATS = 1"
    );
}

#[test]
fn a_restore_is_made_as_it_was_asked_for() {
    let lab = Lab::new(sales);
    lab.backup("full", &["--block-size", "4KiB"]).success();
    lab.put(10..20, "more");
    lab.backup("log", &["--block-size", "4KiB"]).success();
    let more = [
        "--as",
        "Copy",
        "--block-size",
        "4KiB",
        "--max-transfer-size",
        "4MiB",
        "--buffer-count",
        "3",
        "--stats",
        "10",
        "--keep-cdc",
        "--keep-replication",
        "--checksum",
        "--move",
        "sales=/fast/it's.mdf",
        "--log-folder",
        "/logs/",
    ];
    lab.restore(&more).success();
    assert_eq!(lab.rows("Copy"), lab.rows("Sales"));
    let said = lab.sql.said("RESTORE ");
    let options = |text: &str| text.split_once(" WITH ").unwrap().1.to_owned();
    assert_eq!(
        options(&said[1]),
        "NORECOVERY, MOVE N'Sales' TO N'/fast/it''s.mdf', \
         MOVE N'Sales_log' TO N'/logs/Copy_Sales_log.ldf', CHECKSUM, BLOCKSIZE = 4096, \
         MAXTRANSFERSIZE = 4194304, BUFFERCOUNT = 3, STATS = 10"
    );
    assert_eq!(
        options(&said[2]),
        "RECOVERY, KEEP_CDC, KEEP_REPLICATION, CHECKSUM, BLOCKSIZE = 4096, \
         MAXTRANSFERSIZE = 4194304, BUFFERCOUNT = 3, STATS = 10"
    );
}

#[test]
fn what_cannot_be_is_refused_with_its_range() {
    let lab = Lab::new(sales);
    lab.backup("full", &[]).success();
    for (more, words) in [
        (&["--block-size", "1000"][..], "1000"),
        (&["--max-transfer-size", "100KiB"], "102400"),
        (&["--max-transfer-size", "5MiB"], "5242880"),
    ] {
        let error = lab.backup("full", more).failure(1);
        assert!(error.contains(words), "{error}");
    }
    for more in [
        &["--stats", "0"][..],
        &["--stats", "101"],
        &["--buffer-count", "0"],
        &["--block-size", "big"],
    ] {
        lab.backup("full", more).failure(2);
    }
    lab.restore(&["--as", "C", "--keep-cdc", "--no-recovery"])
        .failure(2);
    lab.restore(&["--as", "C", "--move", "Sales"]).failure(2);
    let error = lab
        .restore(&["--as", "C", "--move", "Nobody=/x"])
        .failure(9);
    assert!(
        error.contains("it has Sales, Sales_log (message 3234)")
            || error.contains("it has Sales, Sales_log"),
        "{error}"
    );
    assert_eq!(lab.sql.said("BACKUP").len(), 1);
    assert!(lab.sql.said("RESTORE DATABASE").is_empty());
}

#[test]
fn another_engine_has_no_such_options() {
    let folder = tempfile::tempdir().unwrap();
    let engine = format!("sim:{}", folder.path().display());
    let error = crate::common::run([
        "backup",
        "--job",
        "j",
        "--database",
        "d",
        "--type",
        "full",
        "--engine",
        &engine,
        "--buffer-count",
        "4",
    ]);
    assert!(error.failure(1).contains("options of a SQL Server"));
}

#[test]
fn a_database_is_restored_to_a_mark() {
    let lab = Lab::new(sales);
    lab.put(0..100, "first");
    lab.backup("full", &[]).success();
    let mut states = Vec::new();
    let mut moments = Vec::new();
    for value in ["second", "third"] {
        let before = lab.rows("Sales");
        lab.mark("before the import", value);
        states.push((before, lab.rows("Sales")));
        moments.push(pause());
        lab.put(0..100, "later");
    }
    lab.backup("log", &["--streams", "2"]).success();
    let after = moments[0].to_string();
    for (number, (arguments, expected)) in [
        (&["--before-mark", "before the import"][..], &states[0].0),
        (&["--at-mark", "before the import"], &states[0].1),
        (
            &["--before-mark", "before the import", "--mark-after", &after],
            &states[1].0,
        ),
        (
            &["--at-mark", "before the import", "--mark-after", &after],
            &states[1].1,
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("Copy{number}");
        let more = [arguments, &["--as", &name]].concat();
        lab.restore(&more).success();
        assert!(&lab.rows(&name) == expected, "{arguments:?}");
    }
    let said = lab.sql.said("RESTORE LOG");
    assert!(
        said[0].contains(" WITH RECOVERY, STOPBEFOREMARK = N'lsn:"),
        "{}",
        said[0]
    );
    assert!(
        said[1].contains(" WITH RECOVERY, STOPATMARK = N'lsn:"),
        "{}",
        said[1]
    );
    let error = lab
        .restore(&["--as", "C", "--at-mark", "nobody set it"])
        .failure(3);
    assert!(error.contains("nobody set it"), "{error}");
    lab.restore(&["--as", "C", "--mark-after", &after])
        .failure(1);
    let lsn = lab.sql.marks.lock().unwrap()[0].2.to_string();
    lab.restore(&["--as", "ByLsn", "--before-lsn", &lsn])
        .success();
    assert!(lab.rows("ByLsn") == states[0].0);
    let plan = ["--at-mark", "before the import", "--dry-run"];
    assert!(lab.restore(&plan).success().contains(&lsn));
}

#[test]
fn a_restore_tells_a_program_what_it_did() {
    let lab = Lab::new(sales);
    lab.backup("full", &[]).success();
    lab.put(10..20, "more");
    lab.backup("log", &[]).success();
    let told = lab.restore(&["--as", "Copy", "--json"]).success();
    let report: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(report["version"], 1);
    assert_eq!(report["outcome"], "success");
    assert_eq!(report["restored_as"], "Copy");
    assert_eq!(report["state"], "online");
    let kinds: Vec<_> = report["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| &step["kind"])
        .collect();
    assert_eq!(kinds.len(), 2);
    assert!(
        report["steps"][0]["file"]
            .as_str()
            .unwrap()
            .contains(".VAB"),
        "{report}"
    );
    let ran = lab.restore(&["--as", "Copy", "--json"]);
    assert_eq!(ran.status.code(), Some(9));
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["outcome"], "refused");
    assert!(
        report["error"]
            .as_str()
            .unwrap()
            .contains("is there already")
    );
}
