//! Files of earlier programs are read by this one, and this one still writes the same bytes.
//!
//! A folder of `tests/golden` is never changed once its format version was released.

#![cfg(test)]

mod common;

use std::io::Read;
use std::path::PathBuf;

use common::{Plan, four, open};
use vab_format::vacm::Vacm;
use vab_format::vasm::Vasm;

fn golden(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/v1")
        .join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn version_1_of_a_vab_is_read() {
    let mut reader = open(&golden("plain.VAB"));
    assert_eq!(*reader.header(), common::header());
    reader.verify_all().unwrap();
    for (ordinal, plan) in (1..).zip(four()) {
        let session = reader.session(ordinal).unwrap();
        assert_eq!(session.commit.session, plan.record());
        for end in plan.ends() {
            let mut raw = Vec::new();
            let mut stream = reader.stream(&session, end.stream);
            stream.read_to_end(&mut raw).unwrap();
            assert_eq!(raw, plan.raw(end.stream));
        }
    }
}

#[test]
fn version_1_of_a_vasm_is_read() {
    let vasm = Vasm::decode(&golden("plain.VASM")).unwrap();
    assert_eq!(vasm, open(&golden("plain.VAB")).vasm().unwrap());
    let records: Vec<_> = four().iter().map(Plan::record).collect();
    assert!(vasm.sessions.iter().map(|s| &s.record).eq(&records));
}

#[test]
fn version_1_of_a_vacm_is_read() {
    let vacm = Vacm::decode(&golden("job.VACM")).unwrap();
    assert_eq!(vacm.job, common::header().job);
    assert_eq!(vacm.files.len(), 1);
    assert_eq!(vacm.files[0].name, "plain.VAB");
    assert_eq!(vacm.files[0].sessions, 4);
}

#[test]
#[ignore = "writes the files anew: only for a new version of the format"]
fn write_the_golden_files() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1");
    std::fs::create_dir_all(&folder).unwrap();
    for (name, bytes) in common::golden() {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
}

#[test]
fn the_same_bytes_are_written_today() {
    for (name, bytes) in common::golden() {
        assert!(golden(name) == bytes, "{name} would be written differently");
    }
}
