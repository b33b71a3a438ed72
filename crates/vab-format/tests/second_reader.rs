//! The reader in `reader.py`, written from `FORMAT.md` alone, sees what this crate sees.

#![cfg(test)]

mod common;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::{file, four, open};
use vab_format::session::{Facts, LogPosition, SessionRecord, SetKind};
use vab_format::vasm::Vasm;

/// Runs the second reader; `None`, in words, where there is no Python.
fn second_reader(arguments: &[&Path]) -> Option<Output> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reader.py");
    match Command::new("python3")
        .arg("-B")
        .arg(script)
        .args(arguments)
        .output()
    {
        Ok(output) => Some(output),
        Err(error) => {
            eprintln!("skipped: the second reader needs python3 ({error})");
            None
        }
    }
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/v1")
        .join(name)
}

/// A folder that is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("vab-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that stays behind does no harm.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn decimal(lsn: LogPosition) -> u128 {
    (u128::from(lsn.vlf) * 10_000_000_000 + u128::from(lsn.block)) * 100_000 + u128::from(lsn.slot)
}

fn session_lines(out: &mut String, ordinal: u64, record: &SessionRecord) {
    let kind = match record.kind() {
        None => "unknown",
        Some(SetKind::Full) => "full",
        Some(SetKind::Differential) => "diff",
        Some(_) => "log",
    };
    let lsns = match &record.facts {
        Facts::Known(facts) => {
            format!("{}..{}", decimal(facts.first_lsn), decimal(facts.last_lsn))
        }
        Facts::Opaque { .. } => "-".into(),
    };
    writeln!(out, "session {ordinal} {} {kind} lsn {lsns}", record.id).unwrap();
    for end in &record.streams {
        writeln!(
            out,
            "  stream {} blocks {} bytes {} stored {} crc {:08x}",
            end.stream, end.blocks, end.bytes, end.stored_bytes, end.crc
        )
        .unwrap();
    }
}

fn listing(vasm: &Vasm) -> String {
    let header = &vasm.header;
    let mut out = format!(
        "file {} job '{}' database '{}'\n",
        header.file, header.job, header.database
    );
    for (ordinal, session) in (1..).zip(&vasm.sessions) {
        session_lines(&mut out, ordinal, &session.record);
    }
    out
}

#[test]
fn both_list_the_same_sessions_and_extract_the_same_bytes() {
    let folder = Folder::new("second-reader");
    let path = golden("plain.VAB");
    let Some(output) = second_reader(&[&path, &folder.0]) else {
        return;
    };
    let bytes = std::fs::read(&path).unwrap();
    let mut due = listing(&open(&bytes).vasm().unwrap());
    writeln!(due, "committed {0} of {0}", bytes.len()).unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), due);
    assert!(output.status.success());
    for (ordinal, plan) in (1..).zip(four()) {
        for end in plan.ends() {
            let name = format!("{ordinal}-{}.raw", end.stream);
            let extracted = std::fs::read(folder.0.join(name)).unwrap();
            assert_eq!(extracted, plan.raw(end.stream));
        }
    }
}

#[test]
fn both_list_files_whose_content_they_cannot_read() {
    for name in ["compressed.VAB", "encrypted.VAB"] {
        let path = golden(name);
        let Some(output) = second_reader(&[&path]) else {
            return;
        };
        let bytes = std::fs::read(&path).unwrap();
        let mut due = listing(&open(&bytes).vasm().unwrap());
        writeln!(due, "committed {0} of {0}", bytes.len()).unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), due);
    }
}

#[test]
fn the_second_reader_decompresses_and_decrypts() {
    let folder = Folder::new("content");
    let key = "42".repeat(32);
    for name in ["compressed.VAB", "encrypted.VAB"] {
        let path = golden(name);
        let Some(output) = second_reader(&[&path, &folder.0, Path::new(&key)]) else {
            return;
        };
        assert!(output.status.success(), "{output:?}");
        // The first stream is LZ4, the third cannot be compressed. For the second, Zstandard, there
        // is nothing in the standard library.
        let lz4 = std::fs::read(folder.0.join("1-0.raw")).unwrap();
        let pages: Vec<u8> = (1..=18).flat_map(|page| [page; 512]).take(9000).collect();
        assert_eq!(lz4, pages);
        let noise = std::fs::read(folder.0.join("1-2.raw")).unwrap();
        assert_eq!(noise, common::raw(1, 0, 7000));
        std::fs::remove_file(folder.0.join("1-0.raw")).unwrap();
    }
    let path = golden("encrypted.VAB");
    let wrong = second_reader(&[&path, &folder.0, Path::new(&"43".repeat(32))]).unwrap();
    assert!(!wrong.status.success());
}

#[test]
fn both_read_the_metadata() {
    let path = golden("plain.VASM");
    let Some(output) = second_reader(&[&path]) else {
        return;
    };
    let vasm = Vasm::decode(&std::fs::read(&path).unwrap()).unwrap();
    let mut due = listing(&vasm);
    writeln!(due, "committed {}", vasm.committed_length()).unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), due);

    let output = second_reader(&[&golden("job.VACM")]).unwrap();
    let due = format!(
        "job {} '{}'\nfile {} 'plain.VAB' '{}' sessions 4 committed {}\n",
        vasm.header.job_id,
        vasm.header.job,
        vasm.header.file,
        vasm.header.database,
        vasm.committed_length()
    );
    assert_eq!(String::from_utf8_lossy(&output.stdout), due);
}

#[test]
fn both_stop_at_the_same_torn_session() {
    let folder = Folder::new("torn");
    let bytes = file(&four());
    for length in (4096..bytes.len()).step_by(4567) {
        let path = folder.0.join("torn.VAB");
        std::fs::write(&path, &bytes[..length]).unwrap();
        let Some(output) = second_reader(&[&path]) else {
            return;
        };
        let mut reader = open(&bytes[..length]);
        let mut due = listing(&reader.vasm().unwrap());
        writeln!(
            due,
            "committed {} of {length}",
            reader.end().committed_length
        )
        .unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), due);
    }
}
