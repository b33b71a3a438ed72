//! The file system of the machine that the tests run on, whichever it is.

use super::*;

fn name(text: &str) -> DiskName {
    DiskName::for_name(text, |_| false)
}

fn file(text: &str) -> StoragePath {
    StoragePath::in_root(name(text))
}

fn write(system: &HostFileSystem, path: &StoragePath, content: &[u8]) {
    let raw = system.create(path).unwrap();
    assert_eq!(raw.write_at(content, 0).unwrap(), content.len());
    raw.sync().unwrap();
}

fn read(system: &HostFileSystem, path: &StoragePath) -> Vec<u8> {
    let raw = system.open(path, Access::Read).unwrap();
    let mut content = vec![0; 100];
    let count = raw.read_at(&mut content, 0).unwrap();
    content.truncate(count);
    content
}

#[test]
fn a_file_is_renamed_over_one_that_a_reader_has_open() {
    if cfg!(windows) && std::env::vars_os().any(|(name, _)| name == "WINEPREFIX") {
        println!("skipped: Wine does not rename over a file that is open");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let system = HostFileSystem::new(folder.path());
    write(&system, &file("state"), b"old");
    write(&system, &file("state.tmp"), b"new");
    let reader = system.open(&file("state"), Access::Read).unwrap();
    system.rename(&file("state.tmp"), &file("state")).unwrap();
    system.sync_folder(None).unwrap();
    assert_eq!(read(&system, &file("state")), b"new");
    let mut content = [0; 3];
    assert_eq!(reader.read_at(&mut content, 0).unwrap(), 3);
    assert_eq!(&content, b"old", "the reader keeps what it opened");
}

#[test]
fn a_file_is_renamed_over_one_that_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let system = HostFileSystem::new(folder.path());
    write(&system, &file("state"), b"old and longer");
    write(&system, &file("state.tmp"), b"new");
    system.rename(&file("state.tmp"), &file("state")).unwrap();
    system.sync_folder(None).unwrap();
    assert_eq!(read(&system, &file("state")), b"new");
    assert_eq!(system.list(None).unwrap().len(), 1);
}

#[test]
fn a_file_is_not_listed_as_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("letter.txt"), "x").unwrap();
    let error = HostFileSystem::new(folder.path().join("letter.txt"))
        .list(None)
        .unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotADirectory);
}

#[test]
fn an_open_file_is_removed_and_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let system = HostFileSystem::new(folder.path());
    write(&system, &file("state.tmp"), b"left over");
    let reader = system.open(&file("state.tmp"), Access::Read).unwrap();
    system.remove(&file("state.tmp")).unwrap();
    drop(reader);
    write(&system, &file("state.tmp"), b"new");
    assert_eq!(read(&system, &file("state.tmp")), b"new");
}

#[test]
fn a_file_that_is_there_is_not_created_and_one_that_is_not_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let system = HostFileSystem::new(folder.path());
    write(&system, &file("data"), b"1");
    let kind = |result: io::Result<()>| result.map_err(|error| error.kind());
    let created = system.create(&file("data")).map(drop);
    assert_eq!(kind(created), Err(io::ErrorKind::AlreadyExists));
    let opened = system.open(&file("other"), Access::Read).map(drop);
    assert_eq!(kind(opened), Err(io::ErrorKind::NotFound));
    assert_eq!(
        kind(system.remove(&file("other"))),
        Err(io::ErrorKind::NotFound)
    );
}

#[test]
fn positions_are_kept_apart_and_beyond_the_end_is_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let system = HostFileSystem::new(folder.path());
    let raw = system.create(&file("data")).unwrap();
    assert_eq!(raw.write_at(b"second", 8197).unwrap(), 6);
    assert_eq!(raw.write_at(b"first", 8192).unwrap(), 5);
    assert_eq!(raw.length().unwrap(), 8192 + 11);
    let mut content = [9; 16];
    assert_eq!(raw.read_at(&mut content, 8190).unwrap(), 13);
    assert_eq!(&content[..13], b"\0\0firstsecond");
    assert_eq!(raw.read_at(&mut content, 1 << 20).unwrap(), 0);
    raw.start_write_back(0, 8192);
    raw.truncate(8197).unwrap();
    assert_eq!(raw.read_at(&mut content, 8192).unwrap(), 5);
}

#[test]
fn a_lock_has_one_holder_and_hinders_no_reader() {
    let folder = tempfile::tempdir().unwrap();
    let system = HostFileSystem::new(folder.path());
    let held = system.lock(&file("lock")).unwrap().unwrap();
    assert!(system.lock(&file("lock")).unwrap().is_none());
    let looked = fs::metadata(folder.path().join("lock")).unwrap();
    assert_eq!(looked.len(), 0);
    let looking = File::open(folder.path().join("lock")).unwrap();
    drop(held);
    assert!(system.lock(&file("lock")).unwrap().is_some());
    drop(looking);
}

#[test]
fn names_that_the_system_keeps_for_itself_become_files() {
    let folder = tempfile::tempdir().unwrap();
    let system = HostFileSystem::new(folder.path());
    let names = [
        "CON",
        "nul",
        "COM1",
        "LPT9.txt",
        "aux.VAB",
        "CONIN$",
        "a:b",
        "what?",
        "ends with.",
        "ends ",
        "a\\b",
        "<>|\"*",
        "Größe",
    ];
    for text in names {
        let job = name(text);
        system.create_folder(&job).unwrap();
        let path = StoragePath::in_folder(job.clone(), name(text));
        write(&system, &path, text.as_bytes());
        assert_eq!(read(&system, &path), text.as_bytes());
        let listed = system.list(Some(&job)).unwrap();
        assert_eq!(listed.len(), 1, "{text}");
        assert!(listed.iter().all(|entry| entry.name == name(text)));
    }
    assert_eq!(system.list(None).unwrap().len(), names.len());
}

#[test]
fn a_path_beyond_260_characters_is_a_path() {
    let folder = tempfile::tempdir().unwrap();
    let deep = (0..5).fold(folder.path().to_owned(), |deep, _| {
        deep.join("d".repeat(80))
    });
    fs::create_dir_all(&deep).unwrap();
    let system = HostFileSystem::new(&deep);
    let (job, base) = (name(&"j".repeat(96)), name(&"f".repeat(96)));
    system.create_folder(&job).unwrap();
    let path = StoragePath::in_folder(job.clone(), base);
    write(&system, &path.extended("tmp"), b"deep");
    system.rename(&path.extended("tmp"), &path).unwrap();
    system.sync_folder(Some(&job)).unwrap();
    assert_eq!(read(&system, &path), b"deep");
    assert_eq!(system.list(Some(&job)).unwrap().len(), 1);
    assert!(system.lock(&file("lock")).unwrap().is_some());
    system.remove(&path).unwrap();
}

#[test]
fn there_is_free_space() {
    let folder = tempfile::tempdir().unwrap();
    let system = HostFileSystem::new(folder.path());
    assert!(system.free_bytes().unwrap().unwrap() > 0);
}
