//! A small archive, damaged in every way that bytes can be: every bit of every byte flipped, every
//! truncation, every sector of 512 and 4096 bytes zeroed, swapped with another, or with what lay
//! there before. Each must be noticed by `verify`, named at the right restore point, and no other
//! restore point may suffer.

#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails is to end at once"
)]

mod common;
mod disk;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use common::{Backup, assert_restores};
use disk::scenarios::backup;
use disk::workload::{Recording, Step, storage};
use disk::{Image, MemoryDisk};
use vab_chain::BackupKind::{Full, Log};
use vab_chain::PointId;
use vab_format::vasm::Vasm;
use vab_repository::names::DiskName;
use vab_repository::storage::StoragePath;
use vab_repository::{Repository, RepositoryOptions, Severity, VerifyOptions, VerifyReport};

/// An archive, where its restore points lie, and what its files held before.
struct Archive {
    image: Image,
    backups: BTreeMap<PointId, Backup>,
    extents: Vec<(StoragePath, Range<usize>, PointId)>,
    before: Vec<(StoragePath, Vec<u8>)>,
}

/// Three restore points in two files of one database, one of another; under one of them lies what
/// a session left that was given up.
fn archive() -> Archive {
    let mut recording = Recording::of(&[Step::Open]);
    let mut before = Vec::new();
    let mut remember = |recording: &Recording| {
        let image = recording.disk.image();
        before.extend(
            image
                .names
                .iter()
                .map(|(path, inode)| (path.clone(), image.files[inode].clone())),
        );
    };
    recording.run(&backup(Backup::new(1, &[&[700], &[100]]), "Sales", Full, 0));
    remember(&recording);
    let lost = Backup::new(9, &[&[4000, 300]]);
    let path = recording.repository.as_ref().unwrap().points(None, None)[0]
        .file
        .clone();
    {
        // What it wrote is looked at before it is given up.
        let session = recording
            .repository
            .as_ref()
            .unwrap()
            .begin(common::request("Sales", Log, 1, 1))
            .unwrap();
        assert_eq!(session.placement().file(), &path);
        lost.write_all(&session).unwrap();
        remember(&recording);
    }
    recording.run(&backup(Backup::new(2, &[&[200, 4000]]), "Sales", Log, 1));
    remember(&recording);
    recording.run(&backup(Backup::new(3, &[&[300]]), "Sales", Log, 30));
    recording.run(&backup(Backup::new(4, &[&[400]]), "Other", Full, 30));
    assert_eq!(recording.errors, [] as [String; 0]);
    recording.repository = None;
    let image = recording.disk.image();
    let mut extents = Vec::new();
    for path in image
        .names
        .keys()
        .filter(|path| path.file().as_str().ends_with("VASM"))
    {
        let vasm = Vasm::decode(image.content(path).unwrap()).unwrap();
        let data = path.file().as_str().replace(".VASM", ".VAB");
        let data = StoragePath::in_folder(
            path.folder().unwrap().clone(),
            DiskName::from_disk(&data).unwrap(),
        );
        let mut start = vasm.header.data_start as usize;
        for session in &vasm.sessions {
            let end = session.end() as usize;
            extents.push((data.clone(), start..end, PointId(session.record.id)));
            start = end;
        }
    }
    let backups = recording
        .committed
        .iter()
        .map(|(id, point)| (*id, point.backup.clone()));
    Archive {
        backups: backups.collect(),
        image,
        extents,
        before,
    }
}

impl Archive {
    /// The files whose damage must be noticed: all but those of the lock.
    fn files(&self) -> Vec<(StoragePath, Vec<u8>)> {
        let lock = |path: &StoragePath| path.file().as_str().starts_with("vab-repository.");
        let names = self.image.names.keys().filter(|path| !lock(path));
        names
            .map(|path| (path.clone(), self.image.content(path).unwrap().clone()))
            .collect()
    }

    /// The restore points that lie in a range of a file.
    fn touched(&self, path: &StoragePath, changed: &[Range<usize>]) -> BTreeSet<PointId> {
        let extents = self.extents.iter().filter(|(file, ..)| file == path);
        let touched = extents.filter(|(_, extent, _)| {
            changed
                .iter()
                .any(|range| range.start < extent.end && extent.start < range.end)
        });
        touched.map(|(.., id)| *id).collect()
    }
}

/// One way to damage a file.
struct Damage {
    path: StoragePath,
    content: Vec<u8>,
    /// What it changed.
    changed: Vec<Range<usize>>,
    what: String,
}

impl Damage {
    /// The file with other content; `None` when it is the same.
    fn new(path: &StoragePath, old: &[u8], content: Vec<u8>, what: String) -> Option<Self> {
        let mut changed = Vec::new();
        for at in 0..old.len().max(content.len()) {
            if old.get(at) != content.get(at) {
                changed.push(at..at + 1);
            }
        }
        (!changed.is_empty()).then(|| Self {
            path: path.clone(),
            content,
            changed,
            what,
        })
    }

    fn flip(path: &StoragePath, old: &[u8], at: usize, bit: usize) -> Self {
        let mut content = old.to_vec();
        content[at] ^= 1 << bit;
        let changed = std::iter::once(at..at + 1).collect();
        Self {
            path: path.clone(),
            content,
            changed,
            what: format!("bit {bit} of byte {at} flipped"),
        }
    }
}

fn verify(repository: &Repository) -> VerifyReport {
    repository
        .verify(&VerifyOptions::default(), |_| {})
        .unwrap()
}

/// Holds what is found in a damaged archive against where the damage is.
fn check(archive: &Archive, damage: &Damage, thorough: bool) -> Result<(), String> {
    let mut image = archive.image.clone();
    image
        .content_mut(&damage.path)
        .unwrap()
        .clone_from(&damage.content);
    let touched = archive.touched(&damage.path, &damage.changed);
    let disk = MemoryDisk::of(image, false);
    let repository = Repository::open_read_only_on(storage(&disk)).map_err(|e| e.to_string())?;
    let report = verify(&repository);
    judge(archive, &report, &touched)?;
    if report.worst() == Severity::Clean {
        return Err("not noticed".to_owned());
    }
    if touched.is_empty() && !report.files.iter().any(|file| file.file == damage.path) {
        return Err(format!("not named at its file: {:?}", report.files));
    }
    if !thorough {
        return Ok(());
    }
    for point in repository.points(None, None) {
        if !touched.contains(&point.id) {
            assert_restores(&repository, &point, &archive.backups[&point.id]);
        }
    }
    // A server that opens it, with recovery, does no harm either.
    let server = Repository::open_on(storage(&disk), RepositoryOptions::default(), common::at(40));
    let server = server.map_err(|error| error.to_string())?;
    judge(archive, &verify(&server), &touched).map_err(|wrong| format!("after recovery: {wrong}"))
}

/// Exactly those restore points are damaged that were touched.
fn judge(
    archive: &Archive,
    report: &VerifyReport,
    touched: &BTreeSet<PointId>,
) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for point in &report.points {
        let number = archive.backups[&point.point.id].number;
        seen.insert(point.point.id);
        if point.is_whole() == touched.contains(&point.point.id) {
            return Err(format!("backup {number}: {:?}", point.findings));
        }
    }
    match archive.backups.keys().find(|id| !seen.contains(id)) {
        None => Ok(()),
        Some(id) => Err(format!(
            "backup {} is not listed",
            archive.backups[id].number
        )),
    }
}

/// Runs many damages over all cores, each made when it is its turn.
fn run(archive: &Archive, count: usize, damage: impl Fn(usize) -> Damage + Sync) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let damage = &damage;
            scope.spawn(move || {
                for number in (thread..count).step_by(threads) {
                    assert_noticed(archive, &damage(number), false);
                }
            });
        }
    });
}

fn assert_noticed(archive: &Archive, damage: &Damage, thorough: bool) {
    if let Err(wrong) = check(archive, damage, thorough) {
        panic!("{}: {}: {wrong}", damage.path, damage.what);
    }
}

#[test]
fn a_sound_archive_is_clean() {
    let archive = archive();
    let disk = MemoryDisk::of(archive.image.clone(), false);
    let report = verify(&Repository::open_read_only_on(storage(&disk)).unwrap());
    assert_eq!(report.worst(), Severity::Clean, "{:?}", report.files);
    judge(&archive, &report, &BTreeSet::new()).unwrap();
    assert_eq!(archive.backups.len(), 4);
}

#[test]
fn every_flipped_bit_is_noticed() {
    let archive = archive();
    let mut count = 0;
    for (path, old) in archive.files() {
        run(&archive, 8 * old.len(), |number| {
            Damage::flip(&path, &old, number / 8, number % 8)
        });
        count += 8 * old.len();
    }
    println!("damage: {count} bits flipped, every one, {count} noticed and named");
}

#[test]
fn every_truncation_is_noticed() {
    let archive = archive();
    let mut count = 0;
    for (path, old) in archive.files() {
        run(&archive, old.len(), |length| Damage {
            path: path.clone(),
            content: old[..length].to_vec(),
            changed: std::iter::once(length..old.len()).collect(),
            what: format!("cut to {length} bytes"),
        });
        count += old.len();
    }
    println!("damage: {count} truncations, every one, {count} noticed and named");
}

#[test]
fn every_bad_sector_is_noticed() {
    let archive = archive();
    let (mut zeroed, mut swapped, mut older) = (0, 0, 0);
    for (path, old) in archive.files() {
        for sector in [512, 4096] {
            let starts: Vec<usize> = (0..old.len()).step_by(sector).collect();
            let mut damages = Vec::new();
            for &at in &starts {
                let range = at..(at + sector).min(old.len());
                let mut content = old.clone();
                content[range.clone()].fill(0);
                let damage = Damage::new(&path, &old, content, format!("{range:?} zeroed"));
                zeroed += usize::from(damage.is_some());
                damages.extend(damage);
                for &other in starts.iter().filter(|other| **other > at) {
                    if other + range.len() > old.len() {
                        continue;
                    }
                    let mut content = old.clone();
                    content[range.clone()].copy_from_slice(&old[other..other + range.len()]);
                    content[other..other + range.len()].copy_from_slice(&old[range.clone()]);
                    let what = format!("{range:?} swapped with {other}");
                    let damage = Damage::new(&path, &old, content, what);
                    swapped += usize::from(damage.is_some());
                    damages.extend(damage);
                }
                for (_, before) in archive.before.iter().filter(|(before, _)| *before == path) {
                    let Some(stale) = before.get(range.start..range.end.min(before.len())) else {
                        continue;
                    };
                    let mut content = old.clone();
                    content[range.start..range.start + stale.len()].copy_from_slice(stale);
                    let damage =
                        Damage::new(&path, &old, content, format!("{range:?} as it was before"));
                    older += usize::from(damage.is_some());
                    damages.extend(damage);
                }
            }
            for damage in &damages {
                assert_noticed(&archive, damage, true);
            }
        }
    }
    assert!(zeroed > 0 && swapped > 0 && older > 0);
    println!(
        "damage: sectors of 512 and 4096: {zeroed} zeroed, {swapped} swapped, {older} as before, \
         all noticed and named"
    );
}

#[test]
fn an_older_version_of_a_metadata_file_is_noticed() {
    let archive = archive();
    let mut count = 0;
    for (path, old) in &archive.before {
        let Some(now) = archive.image.content(path) else {
            continue;
        };
        if path.file().as_str().contains("VAB") || path.file().as_str().starts_with("vab-") {
            continue;
        }
        if let Some(mut damage) = Damage::new(path, now, old.clone(), "older version".to_owned()) {
            damage.changed = Vec::new();
            check(&archive, &damage, true).unwrap();
            count += 1;
        }
    }
    assert!(count > 0);
    println!("damage: {count} older metadata files, all noticed");
}

#[test]
fn a_lost_file_is_noticed() {
    let archive = archive();
    for (path, _) in archive.files() {
        let mut image = archive.image.clone();
        image.names.remove(&path);
        let disk = MemoryDisk::of(image, false);
        let repository = Repository::open_read_only_on(storage(&disk)).unwrap();
        let report = verify(&repository);
        assert!(
            report.files.iter().any(|file| file.file == path),
            "{path}: {:?}",
            report.files
        );
        let data = path.file().as_str().ends_with("VAB");
        let worst = if data {
            Severity::Damaged
        } else {
            Severity::Degraded
        };
        assert_eq!(report.worst(), worst, "{path}");
        for point in repository.points(None, None) {
            assert_restores(&repository, &point, &archive.backups[&point.id]);
        }
        let lost = archive
            .extents
            .iter()
            .filter(|(file, ..)| data && *file == path)
            .count();
        assert_eq!(repository.points(None, None).len(), 4 - lost);
    }
}
