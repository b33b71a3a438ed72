//! A whole repository with a hostile data file: opened, recovered, verified, read, appended to.

mod archive;
mod edit;
mod memory;

use std::collections::BTreeSet;
use std::sync::Arc;

use vab_chain::{BackupKind, PointId};
use vab_repository::storage::LocalDirectory;
use vab_repository::{Repository, RepositoryOptions, VerifyOptions};

use crate::input::Input;
use archive::{Archive, now};
use memory::Memory;

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
pub fn repository(data: &[u8]) {
    let mut input = Input(data);
    let choice = input.byte();
    let archive = Archive::chosen(if choice == 255 { 64 } else { choice });
    let right = if choice == 255 { 0 } else { input.byte() };
    let (data, metadata) = if choice == 255 {
        (input.0.to_vec(), None)
    } else {
        edit::edited(archive, right, &mut input)
    };
    let mut files = archive.files.clone();
    files.insert(archive.data.clone(), data);
    match metadata {
        Some(metadata) => files.insert(archive.metadata.clone(), metadata),
        None => files.remove(&archive.metadata),
    };
    let memory = Arc::new(Memory::of(files));
    let storage = || Arc::new(LocalDirectory::over(Arc::<Memory>::clone(&memory) as Arc<_>));
    let reader = Repository::open_read_only_on(storage()).expect("damage is no failure");
    let whole = read_all(&reader);
    drop(reader);
    // What a server does with it takes four times as long, so only some inputs come so far.
    if right % 16 >= 4 {
        return;
    }

    let open = || {
        Repository::open_on(storage(), RepositoryOptions::default(), now())
            .expect("damage is no failure")
    };
    let server = open();
    let recovered = read_all(&server);
    assert!(
        whole.is_subset(&recovered),
        "recovery lost {whole:?}, has {recovered:?}"
    );
    let Some(added) = append(&server, archive.encrypted) else {
        return;
    };
    drop(server);
    let after = read_all(&open());
    assert!(after.contains(&added), "what was committed is not whole");
    assert!(
        recovered.is_subset(&after),
        "a commit lost {recovered:?}, has {after:?}"
    );
}

/// Reads every block of every restore point; gives those that are whole, as far as one identity
/// means one of them.
fn read_all(repository: &Repository) -> BTreeSet<PointId> {
    let points = repository.points(None, None);
    let mut ids = BTreeSet::new();
    let mut twice = BTreeSet::new();
    for point in &points {
        if !ids.insert(point.id) {
            twice.insert(point.id);
        }
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
    let report = repository
        .verify(&VerifyOptions::default(), |_| {})
        .expect("damage is no failure");
    let whole = report.points.iter().filter(|point| point.is_whole());
    whole
        .map(|point| point.point.id)
        .filter(|id| !twice.contains(id))
        .collect()
}

/// Commits one more session.
fn append(repository: &Repository, encrypted: bool) -> Option<PointId> {
    let session = if encrypted {
        let area = vab_format::vab::KeyArea::default().encode().ok()?;
        repository.begin_encrypted(archive::request(true, BackupKind::Log), &area)
    } else {
        repository.begin(archive::request(false, BackupKind::Log))
    };
    let session = session.expect("a new file can always be begun");
    for stream in 0..2 {
        let (header, payload) = archive::block(session.id(), encrypted, stream, 0);
        session.write(&header, &payload).expect("it is due");
    }
    let ends = session.ends();
    let facts = archive::facts(9, BackupKind::Log);
    let point = session.commit(&facts, &ends, now()).expect("it came whole");
    Some(point.id)
}
