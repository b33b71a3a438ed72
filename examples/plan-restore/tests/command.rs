//! The command as a DBA runs it.
#![expect(clippy::expect_used, reason = "a test that fails loudly")]

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

fn run(rows: &Value, arguments: &[&str]) -> Output {
    run_text(&rows.to_string(), arguments)
}

fn run_text(text: &str, arguments: &[&str]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_plan-restore"))
        .arg("-")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    // It may refuse its arguments before it reads.
    let _ = child
        .stdin
        .take()
        .expect("standard input")
        .write_all(text.as_bytes());
    child.wait_with_output().expect("the command ends")
}

fn answer(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).expect("JSON on standard output")
}

fn kinds(answer: &Value) -> Vec<&str> {
    let steps = answer["steps"].as_array().expect("steps");
    steps
        .iter()
        .filter_map(|step| step["kind"].as_str())
        .collect()
}

fn guid(n: u32) -> String {
    format!("00000000-0000-0000-0000-{n:012}")
}

fn full(n: u32) -> Value {
    json!({
        "BackupType": 1, "DatabaseName": "Sales", "ServerName": "SQL1",
        "FirstLSN": 34_000_000_006_900_179_u64, "LastLSN": 34_000_000_014_400_001_u64,
        "CheckpointLSN": 34_000_000_006_900_179_u64, "DatabaseBackupLSN": 0,
        "BackupStartDate": "2026-11-01T10:00:00", "BackupFinishDate": "2026-11-01T10:00:30",
        "BackupSetGUID": guid(n), "BackupPath": "C:\\backup\\full.bak",
    })
}

fn log(n: u32, first: &str, last: &str, minute: u32) -> Value {
    json!({
        "backuptype": "2", "databasename": "Sales", "servername": "SQL1",
        "firstlsn": first, "lastlsn": last,
        "backupstartdate": format!("2026-11-01T10:{minute:02}:00"),
        "backupfinishdate": format!("2026-11-01T10:{minute:02}:05"),
        "backupsetguid": guid(n), "fullname": format!("C:\\backup\\{n}.trn"),
    })
}

const A: &str = "34000000006900179";
const B: &str = "34000000020000001";
const C: &str = "34000000030000001";
const D: &str = "34000000040000001";

#[test]
fn a_full_and_logs_up_to_a_time() {
    let rows = json!([log(3, B, C, 30), log(2, A, B, 15), full(1)]);
    let output = run(&rows, &["--json", "--at", "2026-11-01T10:20:00"]);
    assert_eq!(output.status.code(), Some(0));
    let answer = answer(&output);
    assert_eq!(kinds(&answer), ["full", "log", "log"]);
    assert_eq!(answer["steps"][2]["stop_at"], "2026-11-01T10:20:00");
    assert_eq!(answer["steps"][0]["first_lsn"], A);
    assert_eq!(answer["steps"][1]["files"], json!(["C:\\backup\\2.trn"]));
}

#[test]
fn a_gap_is_named_with_exit_code_3() {
    let rows = json!([full(1), log(2, A, B, 15), log(4, C, D, 45)]);
    let output = run(&rows, &["--json", "--at", "2026-11-01T10:40:00"]);
    assert_eq!(output.status.code(), Some(3));
    let reason = &answer(&output)["unreachable"];
    assert_eq!(reason["reason"], "log_gap");
    assert_eq!(
        (&reason["from_lsn"], &reason["to_lsn"]),
        (&json!(B), &json!(C))
    );
    assert_eq!(reason["nearest_before"], "2026-11-01T10:15:05");
}

#[test]
fn stripes_are_one_step_with_all_files() {
    let mut stripe = full(1);
    stripe["BackupPath"] = json!("D:\\backup\\full2.bak");
    let answer = answer(&run(&json!([full(1), stripe]), &["--json"]));
    let files = json!(["C:\\backup\\full.bak", "D:\\backup\\full2.bak"]);
    assert_eq!(answer["steps"][0]["files"], files);
    assert_eq!(kinds(&answer), ["full"]);
}

#[test]
fn several_databases_need_a_choice() {
    let mut other = full(9);
    other["DatabaseName"] = json!("Stock");
    let rows = json!([full(1), other]);
    let output = run(&rows, &["--json"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("Sales, Stock"));
    let chosen = run(&rows, &["--json", "--database", "stock"]);
    assert_eq!(answer(&chosen)["steps"][0]["backup_set_id"], guid(9));
}

#[test]
fn a_base_without_identity_is_found_by_lsn_and_said_so() {
    let mut diff = full(5);
    diff["BackupType"] = json!(5);
    diff["DatabaseBackupLSN"] = json!(34_000_000_006_900_179_u64);
    diff["LastLSN"] = json!(34_000_000_025_000_001_u64);
    diff["FirstLSN"] = json!(34_000_000_024_000_001_u64);
    diff["BackupFinishDate"] = json!("2026-11-01T10:20:00");
    let rows = json!([full(1), diff]);
    let with = answer(&run(&rows, &["--json"]));
    assert_eq!(kinds(&with), ["full", "diff"]);
    assert!(with["notes"].to_string().contains("does not name its base"));
    let without = answer(&run(&rows, &["--json", "--no-diff"]));
    assert_eq!(kinds(&without), ["full"]);
}

#[test]
fn an_exact_base_that_is_not_there_is_not_replaced_by_one_with_the_same_lsn() {
    let mut diff = full(5);
    diff["BackupType"] = json!(5);
    diff["DifferentialBaseGUID"] = json!(guid(77));
    diff["DifferentialBaseLSN"] = json!(34_000_000_006_900_179_u64);
    let answer = answer(&run(&json!([full(1), diff]), &["--json"]));
    assert_eq!(kinds(&answer), ["full"]);
}

#[test]
fn rows_without_files_identities_or_known_columns_can_be_planned() {
    let mut row = full(1);
    let fields = row.as_object_mut().expect("a row");
    fields.remove("BackupSetGUID");
    fields.remove("BackupPath");
    fields.remove("CheckpointLSN");
    fields.insert("Whatever".to_owned(), json!({"a": [1, 2.5, null]}));
    let answer = answer(&run(&json!([row]), &["--json"]));
    assert_eq!(answer["steps"][0]["backup_set_id"], Value::Null);
    assert_eq!(answer["steps"][0]["files"], json!([]));
}

#[test]
fn lsns_beyond_64_bits_keep_their_digits() {
    let text = json!([full(1)])
        .to_string()
        .replace("34000000014400001", "4294967295000000014400001");
    let answer = answer(&run_text(&text, &["--json"]));
    assert_eq!(answer["reaches"]["lsn"], "4294967295000000014400001");
}

#[test]
fn a_restore_under_way_goes_on() {
    let rows = json!([full(1), log(2, A, B, 15), log(3, B, C, 30)]);
    let answer = answer(&run(&rows, &["--json", "--continue-from", B]));
    assert_eq!(kinds(&answer), ["log"]);
}

#[test]
fn statements_are_printed() {
    let rows = json!([full(1), log(2, A, B, 15)]);
    let output = run(&rows, &["--tsql", "--at", "2026-11-01 10:10:00"]);
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(text.contains("RESTORE DATABASE [Sales]\n    FROM DISK = N'C:\\backup\\full.bak'"));
    assert!(text.contains("STOPAT = N'2026-11-01T10:10:00'"));
    assert!(text.ends_with("RESTORE DATABASE [Sales] WITH RECOVERY;\n"));
}

#[test]
fn what_is_not_a_history_is_refused_in_words() {
    for (text, words) in [
        ("", "not a JSON array"),
        ("[]", "no backups"),
        ("[1]", "not a JSON array"),
        ("[{}]", "row 1: it has no BackupType"),
        (r#"[{"BackupType": 1, "FirstLSN": "x"}]"#, "not an LSN"),
        (r#"[{"BackupType": 1}]"#, "no FirstLSN"),
    ] {
        let output = run_text(text, &["--json"]);
        assert_eq!(output.status.code(), Some(2), "{text}");
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(message.contains(words), "{text}: {message}");
    }
}

/// With `VAB_HEADERS_DIR`: a real export.
#[test]
fn a_real_export_is_planned_with_its_differential() {
    let Some(folder) = std::env::var_os("VAB_HEADERS_DIR") else {
        eprintln!("skipped: VAB_HEADERS_DIR does not name a folder with header exports");
        return;
    };
    let file = std::path::Path::new(&folder).join("DiffRestore.json");
    let output = Command::new(env!("CARGO_BIN_EXE_plan-restore"))
        .arg(file)
        .arg("--json")
        .output()
        .expect("the command runs");
    let answer = answer(&output);
    assert_eq!(
        kinds(&answer),
        ["full", "diff", "log", "log", "log", "log", "log"]
    );
    assert_eq!(answer["reaches"]["lsn"], "34000000028400001");
}
