//! Saving what is whole in a damaged file.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::panic,
    reason = "a test that fails is to end at once"
)]

mod common;
mod disk;

use std::io::Cursor;

use common::{Backup, assert_restores, at, request};
use disk::workload::{open, storage};
use disk::{Image, MemoryDisk};
use vab_chain::BackupKind::{Full, Log};
use vab_repository::salvage::{Outcome, SalvageError, SalvageReport, salvage_on};
use vab_repository::verify::PointReport;
use vab_repository::{StoredPoint, VerifyOptions};

/// A data file, its metadata, and what is in it.
struct Archive {
    data: Vec<u8>,
    metadata: Vec<u8>,
    backups: Vec<Backup>,
    points: Vec<StoredPoint>,
}

fn archive(encrypted: bool) -> Archive {
    let disk = MemoryDisk::of(Image::default(), false);
    let server = open(&disk).unwrap();
    let mut backups = vec![
        Backup::new(1, &[&[5000, 300], &[700]]),
        Backup::new(2, &[&[100, 9000]]),
        Backup::new(3, &[&[40]]),
    ];
    for (backup, kind) in backups.iter_mut().zip([Full, Log, Log]) {
        backup.encrypted = encrypted;
        let request = request("Sales", kind, backup.streams.len() as u16, 1);
        let session = backup.begin(&server, &request).unwrap();
        backup.write_all(&session).unwrap();
        backup.commit(session, &request).unwrap();
    }
    let image = disk.image();
    let content = |extension: &str| {
        let mut names = image.names.keys();
        let path = names.find(|path| path.file().as_str().ends_with(extension));
        image.content(path.unwrap()).unwrap().clone()
    };
    Archive {
        data: content(".VAB"),
        metadata: content(".VASM"),
        backups,
        points: server.points(None, None),
    }
}

impl Archive {
    fn salvage(&self, with_metadata: bool) -> (SalvageReport, MemoryDisk) {
        let to = MemoryDisk::of(Image::default(), false);
        let metadata = with_metadata.then(|| self.metadata.clone());
        let data = Cursor::new(self.data.clone());
        let report = salvage_on(data, "damaged.VAB", metadata, &storage(&to), at(50)).unwrap();
        (report, to)
    }

    /// The report says that those numbers were saved, and they restore; the others were lost.
    fn check(&self, with_metadata: bool, saved: &[u64]) -> SalvageReport {
        let (report, to) = self.salvage(with_metadata);
        let server = open(&to).unwrap();
        assert_eq!(server.notices(), []);
        let points = server.points(None, None);
        assert_eq!(points.len(), saved.len());
        for (backup, before) in self.backups.iter().zip(&self.points) {
            let now = points.iter().find(|point| point.id == before.id);
            assert_eq!(now.is_some(), saved.contains(&backup.number));
            if let Some(now) = now {
                assert_restores(&server, now, backup);
                assert_eq!(now.facts, before.facts);
                assert_eq!(now.committed, before.committed);
            }
        }
        assert_eq!(report.saved(), saved.len());
        let verified = server.verify(&VerifyOptions::default(), |_| {}).unwrap();
        assert!(verified.files.is_empty(), "{verified:?}");
        assert!(
            verified.points.iter().all(PointReport::is_whole),
            "{verified:?}"
        );
        report
    }

    /// The page of the n-th record of a kind.
    fn record(&mut self, kind: [u8; 4], number: usize) -> &mut [u8] {
        let mut pages = self.data.chunks_mut(4096);
        let mut of_kind = pages.by_ref().filter(|page| page.starts_with(&kind));
        of_kind.nth(number).unwrap()
    }
}

#[test]
fn a_sound_file_is_saved_whole() {
    for encrypted in [false, true] {
        let report = archive(encrypted).check(true, &[1, 2, 3]);
        assert_eq!(report.header, None);
        assert_eq!(report.key_slots, encrypted.then_some(0));
        archive(encrypted).check(false, &[1, 2, 3]);
    }
}

#[test]
fn a_damaged_block_costs_its_restore_point_only() {
    let mut archive = archive(false);
    // The second session has the blocks 3 and 4.
    archive.record(*b"VBLK", 4)[500] ^= 1;
    let report = archive.check(true, &[1, 3]);
    let Outcome::Lost { reason } = &report.points[1].outcome else {
        panic!("{report:?}");
    };
    assert!(reason.contains("block 1 of stream 0"), "{reason}");
}

#[test]
fn a_damaged_commit_is_named_by_the_metadata() {
    let mut archive = archive(false);
    archive.record(*b"VCMT", 1)[300] ^= 1;
    let report = archive.check(true, &[1, 3]);
    assert_eq!(report.points.len(), 3);
    assert_eq!(report.points[1].id, archive.points[1].id);
    let report = archive.check(false, &[1, 3]);
    assert_eq!(report.points.len(), 2, "nobody knows of it");
}

#[test]
fn a_lost_header_costs_nothing() {
    for encrypted in [false, true] {
        let mut archive = archive(encrypted);
        archive.data[..4096].fill(0);
        let report = archive.check(true, &[1, 2, 3]);
        assert!(report.header.is_some());
        archive.check(false, &[1, 2, 3]);
    }
}

#[test]
fn a_file_cut_short_keeps_what_was_before() {
    let mut archive = archive(false);
    let end = archive.data.len() - 5000;
    archive.data.truncate(end);
    let report = archive.check(true, &[1, 2]);
    assert!(matches!(report.points[2].outcome, Outcome::Lost { .. }));
}

#[test]
fn every_zeroed_page_costs_the_restore_point_it_lies_in() {
    let whole = archive(false);
    let mut ends: Vec<usize> = Vec::new();
    for (number, page) in whole.data.chunks(4096).enumerate() {
        if page.starts_with(b"VCMT") {
            ends.push(number);
        }
    }
    for page in 1..whole.data.len() / 4096 {
        let mut damaged = archive(false);
        damaged.data[page * 4096..(page + 1) * 4096].fill(0);
        let lost = ends.iter().position(|end| page <= *end).unwrap() as u64 + 1;
        let saved: Vec<u64> = (1..=3).filter(|number| *number != lost).collect();
        for with_metadata in [true, false] {
            damaged.check(with_metadata, &saved);
        }
    }
}

#[test]
fn what_is_no_data_file_and_a_folder_in_use_are_refused() {
    let to = MemoryDisk::of(Image::default(), false);
    let noise = Cursor::new(common::payload(1, 0, 0, 50_000));
    let refused = salvage_on(noise, "noise", None, &storage(&to), at(0));
    assert!(matches!(refused, Err(SalvageError::NotAVab { .. })));
    assert!(to.image().names.is_empty());
    let archive = archive(false);
    drop(open(&to).unwrap());
    let refused = salvage_on(
        Cursor::new(archive.data),
        "file",
        None,
        &storage(&to),
        at(0),
    );
    assert!(matches!(refused, Err(SalvageError::NotEmpty { .. })));
}
