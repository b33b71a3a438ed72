//! `vab verify --engine` and `vab headers`.

use crate::common::{run, text};
use crate::lab::{Lab, sales};
use crate::stand_in::fault::Fault;

fn point(lab: &Lab) -> String {
    text(&lab.points()[0], "id").to_owned()
}

#[test]
fn the_server_shows_header_files_and_label_of_a_restore_point() {
    let lab = Lab::new(sales);
    lab.backup("full", &["--streams", "2"]).success();
    let point = point(&lab);
    let headers = |more: &[&str]| {
        let mut arguments = vec![
            "headers",
            "--server",
            &lab.server.address,
            "--point",
            &point,
        ];
        arguments.extend(more);
        lab.run(&arguments).success()
    };
    let header = headers(&[]);
    assert!(header.contains("DatabaseName         Sales"), "{header}");
    assert!(header.contains("BackupName           -"), "{header}");
    assert!(header.contains("EncryptorThumbprint  0xCAFE"), "{header}");
    assert!(
        header.contains("BackupSize           18446744073709551615"),
        "{header}"
    );
    let rows: serde_json::Value = serde_json::from_str(&headers(&["--json"])).unwrap();
    assert_eq!(rows[0]["DatabaseName"], "Sales");
    assert!(rows[0]["BackupName"].is_null());
    assert!(headers(&["--files"]).contains(r"C:\old\Sales_log.ldf"));
    assert!(headers(&["--label"]).contains("FamilyCount"));
    let said: Vec<_> = lab.sql.said("RESTORE");
    let verbs: Vec<_> = said
        .iter()
        .filter_map(|text| text.split(" FROM ").next())
        .collect();
    assert_eq!(
        verbs,
        [
            "RESTORE HEADERONLY",
            "RESTORE HEADERONLY",
            "RESTORE FILELISTONLY",
            "RESTORE LABELONLY"
        ]
    );
    assert!(
        said.iter()
            .all(|text| text.matches("VIRTUAL_DEVICE").count() == 2)
    );
}

#[test]
fn the_server_verifies_restore_points() {
    let lab = Lab::new(sales);
    lab.put(0..3000, "a row");
    lab.backup("full", &["--streams", "4"]).success();
    lab.put(0..50, "another");
    lab.backup("log", &[]).success();
    let verify = |more: &[&str]| {
        let mut arguments = vec!["verify", "--server", &lab.server.address];
        arguments.extend(more);
        lab.run(&arguments)
    };
    let all = verify(&[]).success();
    assert_eq!(all.matches("valid   ").count(), 2, "{all}");
    assert!(all.contains("2 restore points read by the engine, 0 that it would not restore"));
    let said = lab.sql.said("RESTORE VERIFYONLY FROM ");
    assert_eq!(said.len(), 2);
    assert!(said[0].ends_with(" WITH STATS = 5"), "{}", said[0]);

    let log = text(&lab.points()[1], "id").to_owned();
    let one = verify(&["--point", &log, "--checksum", "--json"]).success();
    let report: serde_json::Value = serde_json::from_str(&one).unwrap();
    assert_eq!(report["invalid"], 0);
    assert_eq!(report["points"][0]["valid"], true);
    assert!(lab.sql.said("RESTORE VERIFYONLY")[2].ends_with(" WITH CHECKSUM, STATS = 5"));

    *lab.sql.fault.lock().unwrap() = Some(Fault::AtTheEnd(
        3189,
        "Damage to the backup set was detected.",
    ));
    let ran = verify(&[]);
    assert_eq!(ran.status.code(), Some(3), "{ran:?}");
    assert_eq!(ran.stdout.matches("INVALID").count(), 1, "{ran:?}");
    assert!(
        ran.stdout
            .contains("Damage to the backup set was detected. (state 1) (message 3189)"),
        "{ran:?}"
    );
    assert!(
        ran.stdout.contains("1 that it would not restore"),
        "{ran:?}"
    );
    assert!(
        verify(&["--database", "Nobody"])
            .failure(1)
            .contains("no such restore points")
    );
}

#[test]
fn an_engine_that_cannot_look_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let lab = Lab::new(sales);
    lab.backup("full", &[]).success();
    let engine = format!("sim:{}", folder.path().display());
    drop(vab_manager::engine::sim::Instance::create(folder.path(), crate::lab::options()).unwrap());
    let point = point(&lab);
    let server = lab.server.address.as_str();
    let looks = [
        "headers", "--server", server, "--point", &point, "--engine", &engine,
    ];
    let error = run(looks).failure(1);
    assert!(
        error.contains("this engine cannot say what it sees"),
        "{error}"
    );
    let error = run(["verify", "--server", server]).failure(1);
    assert!(
        error.contains("--repository") && error.contains("--engine"),
        "{error}"
    );
}
