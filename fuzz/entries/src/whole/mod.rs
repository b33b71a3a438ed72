//! A whole repository with a hostile data file: opened, recovered, verified, read, appended to.

mod archive;
mod edit;
mod memory;
mod salvaged;
mod segmented;
mod taken_up;

use std::collections::BTreeSet;
use std::sync::Arc;

use vab_chain::{BackupKind, PointId};
use vab_repository::{AppendSession, Repository, VerifyOptions};

use crate::input::Input;
use archive::{Archive, now};
use memory::Memory;
pub use salvaged::salvage;
pub use taken_up::taken_up;

/// The data file and the metadata of file and job of each sound archive.
pub(crate) fn sound_files() -> Vec<(Vec<u8>, Vec<u8>, Vec<u8>)> {
    let archives = [64, 5, 0].map(Archive::chosen);
    let files = archives.iter().map(|archive| {
        let of = |path| archive.files.get(path).cloned().unwrap_or_default();
        let mut all = archive.files.iter();
        let job = all.find(|(path, _)| path.file().split_extension().1 == "VACM");
        let job = job.map(|(_, content)| content.clone()).unwrap_or_default();
        (of(&archive.data), of(&archive.metadata), job)
    });
    files.collect()
}

pub(crate) fn some_facts(kind: BackupKind) -> vab_repository::SessionFacts {
    archive::facts(1, kind)
}

/// The first byte chooses a sound archive that the rest edits; 255 makes the rest a `.VAB` of its
/// own. The second says what is made right after the edits, and how far the input goes.
fn hostile(input: &mut Input<'_>) -> (&'static Archive, u8, Vec<u8>, Option<Vec<u8>>) {
    let choice = input.byte();
    if choice == 255 {
        return (Archive::chosen(64), 0, input.0.to_vec(), None);
    }
    let archive = Archive::chosen(choice);
    let right = input.byte();
    let (data, metadata) = edit::edited(archive, right, input);
    (archive, right, data, metadata)
}

/// A whole repository with a hostile data file and its metadata.
pub fn repository(data: &[u8]) {
    let (archive, right, data, metadata) = hostile(&mut Input(data));
    let mut files = archive.files.clone();
    files.insert(archive.data.clone(), data);
    match metadata {
        Some(metadata) => files.insert(archive.metadata.clone(), metadata),
        None => files.remove(&archive.metadata),
    };
    let memory = Arc::new(Memory::of(files));
    let reader = memory.open_for_reading();
    read_all(&reader);
    let whole = whole_points(&reader, &[]);
    drop(reader);
    // What a server does with it takes some times as long, so only some inputs come so far.
    if right % 16 >= 4 {
        return;
    }

    let server = memory.open_for_writing();
    let recovered = whole_points(&server, &[]);
    assert!(
        whole.is_subset(&recovered),
        "recovery lost {whole:?}, has {recovered:?}"
    );
    let added = append(&server, archive.encrypted);
    drop(server);
    let server = memory.open_for_writing();
    let after = whole_points(&server, &[added]);
    assert!(after.contains(&added), "what was committed is not whole");
    let lost = recovered.iter().find(|id| server.reader(**id).is_err());
    assert_eq!(lost, None, "a commit lost one of {recovered:?}");
}

/// Reads every block of every restore point.
fn read_all(repository: &Repository) {
    for point in repository.points(None, None) {
        let Ok(reader) = repository.reader(point.id) else {
            continue;
        };
        for stream in (0..).zip(reader.streams()).map(|(stream, _)| stream) {
            let mut sequence = 0;
            // A hostile index may claim any number of blocks: it ends at the first that is wrong.
            while reader.read_block(stream, sequence).is_ok() {
                sequence += 1;
            }
            let _ = reader.block_at(stream, sequence.saturating_mul(300));
        }
    }
}

/// Verifies these restore points, all when there are none of them; gives those that are whole, as
/// far as one identity means one of them.
fn whole_points(repository: &Repository, points: &[PointId]) -> BTreeSet<PointId> {
    let mut ids = BTreeSet::new();
    let mut twice = BTreeSet::new();
    for point in repository.points(None, None) {
        if !ids.insert(point.id) {
            twice.insert(point.id);
        }
    }
    let mut options = VerifyOptions::default();
    options.points = points.to_vec();
    let report = repository
        .verify(&options, |_| {})
        .expect("damage is no failure");
    let whole = report.points.iter().filter(|point| point.is_whole());
    whole
        .map(|point| point.point.id)
        .filter(|id| !twice.contains(id))
        .collect()
}

/// Commits one more session.
fn append(repository: &Repository, encrypted: bool) -> PointId {
    let session = begin(repository, encrypted, BackupKind::Log);
    write(&session, encrypted);
    let ends = session.ends();
    let facts = archive::facts(9, BackupKind::Log);
    let point = session.commit(&facts, &ends, now()).expect("it came whole");
    point.id
}

fn begin(repository: &Repository, encrypted: bool, kind: BackupKind) -> AppendSession {
    let request = archive::request(encrypted, kind);
    let session = if encrypted {
        let area = vab_format::vab::KeyArea::default().encode();
        repository.begin_encrypted(request, &area.expect("no slot is too long"))
    } else {
        repository.begin(request)
    };
    session.expect("a file can always be begun")
}

/// Writes the next block of each stream.
fn write(session: &AppendSession, encrypted: bool) {
    for end in session.ends() {
        let (mut header, payload) = archive::block(session.id(), encrypted, end.stream, end.blocks);
        header.offset = end.bytes;
        session.write(&header, &payload).expect("it is due");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archives_are_sound_before_they_are_edited() {
        for (number, points) in [(64, 2), (5, 2), (0, 3)] {
            let memory = Arc::new(Memory::of(Archive::chosen(number).files.clone()));
            let reader = memory.open_for_reading();
            assert!(reader.notices().is_empty(), "{:?}", reader.notices());
            assert_eq!(whole_points(&reader, &[]).len(), points, "archive {number}");
        }
    }

    #[test]
    fn one_archive_has_index_segments() {
        let (data, ..) = &sound_files()[2];
        let segments = data.chunks(4096).filter(|page| page.starts_with(b"VIDX"));
        assert_eq!(segments.count(), 4);
    }
}
