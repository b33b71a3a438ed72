//! A session that was on its way when the server was killed: its note, and what lies behind the
//! committed end.

use std::sync::{Arc, OnceLock};

use vab_chain::BackupKind;
use vab_repository::storage::StoragePath;

use super::archive::{self, Archive, now};
use super::memory::Memory;
use super::{edit, whole_points};
use crate::input::Input;
use crate::stamp;

const KEY: [u8; 16] = [7; 16];

/// Two restore points, and two blocks in each stream of a session that was not committed: of the
/// first its note says that they are durable, the second lie behind that.
fn interrupted(encrypted: bool) -> &'static (Archive, StoragePath) {
    static PLAIN: OnceLock<(Archive, StoragePath)> = OnceLock::new();
    static ENCRYPTED: OnceLock<(Archive, StoragePath)> = OnceLock::new();
    let place = if encrypted { &ENCRYPTED } else { &PLAIN };
    place.get_or_init(|| {
        let sound = Archive::chosen(if encrypted { 5 } else { 64 });
        let memory = Arc::new(Memory::of(sound.files.clone()));
        let server = memory.open_noting(0);
        let session = super::begin(&server, encrypted, BackupKind::Log);
        session.keep_key(KEY).expect("it is kept");
        super::write(&session, encrypted);
        session.sync().expect("memory does not fail");
        let id = session.id();
        // Killed: what was on the disk then is all that is left.
        let memory = Arc::new(Memory::of(memory.files()));
        drop((session, server));
        let server = memory.open_for_writing();
        let session = server.take_up(id, KEY).expect("it is kept");
        super::write(&session, encrypted);
        session.sync().expect("memory does not fail");
        let mut files = memory.files();
        // Of the server that was killed.
        files.retain(|path, _| !path.file().as_str().contains(".owner"));
        let note = files
            .keys()
            .find(|path| path.file().split_extension().1 == "VABNOTE");
        let note = note.expect("it was kept").clone();
        (Archive::of(files, encrypted), note)
    })
}

/// The first byte chooses an archive, the second says what is made right behind the edits: bit 0
/// the records of the data, bit 1 the checksum of the note.
pub fn taken_up(data: &[u8]) {
    let mut input = Input(data);
    let (archive, note_path) = interrupted(input.byte() < 64);
    let right = input.byte();
    let mut files = archive.files.clone();
    let data = files.get(&archive.data).cloned().unwrap_or_default();
    let note = files.get(note_path).cloned();
    let (mut data, mut note) = edit::all(data, note, &mut input);
    if right % 2 == 1 {
        edit::restamp(&mut data);
    }
    if right % 4 >= 2
        && let Some(note) = &mut note
        && let Some(at) = note.len().checked_sub(4)
    {
        stamp::seal(note, at);
    }
    files.insert(archive.data.clone(), data);
    match note {
        Some(note) => files.insert(note_path.clone(), note),
        None => files.remove(note_path),
    };
    let memory = Arc::new(Memory::of(files));
    let server = memory.open_for_writing();
    let whole = whole_points(&server, &[]);
    for interrupted in server.interrupted() {
        let Ok(session) = server.take_up(interrupted.session, KEY) else {
            continue;
        };
        let encrypted = interrupted.request.encrypted;
        super::write(&session, encrypted);
        let ends = session.ends();
        let facts = archive::facts(9, BackupKind::Log);
        let _ = session.commit(&facts, &ends, now());
    }
    drop(server);
    let after = whole_points(&memory.open_for_writing(), &[]);
    assert!(
        whole.is_subset(&after),
        "taking up lost {whole:?}, has {after:?}"
    );
}
