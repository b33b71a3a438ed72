//! What connects to a set, and is no engine; and engines and clients that die.

#![cfg(any(unix, windows))]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs, thread};

use common::{LIMIT, content, name, request};
use vab_vdi::pipe::Directory;
use vab_vdi::{
    Command, DeviceError, Direction, EngineError, EngineTransport, Event, SetConfig, Transport,
    Waited,
};

/// Connects to a set as anything may.
#[cfg(unix)]
fn knock(folder: &Path) -> std::os::unix::net::UnixStream {
    let stranger = std::os::unix::net::UnixStream::connect(file_in(folder)).unwrap();
    stranger.set_read_timeout(Some(LIMIT)).unwrap();
    stranger
}

#[cfg(windows)]
fn knock(folder: &Path) -> fs::File {
    let pipe = fs::read_to_string(file_in(folder)).unwrap();
    let mut options = fs::OpenOptions::new();
    // Reading and writing, as an engine opens it.
    std::os::windows::fs::OpenOptionsExt::access_mode(&mut options, 0x12_0183);
    options.read(true).write(true).open(pipe).unwrap()
}

/// The file that a set left in its folder.
fn file_in(folder: &Path) -> PathBuf {
    let mut files = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    files
        .find(|path| path.extension().is_some_and(|end| end == "vdi"))
        .unwrap()
}

#[test]
fn nonsense_is_let_go_and_the_engine_still_comes() {
    let folder = tempfile::tempdir().unwrap();
    let directory = Directory::open(folder.path()).unwrap();
    let directory = directory.handshake_limit(Duration::from_millis(100));
    let config = SetConfig::new(&name(), 2).unwrap();
    let mut set = directory.create(config).unwrap();
    let huge = u32::MAX.to_le_bytes();
    let half_hello = [&100_u32.to_le_bytes()[..], b"VABVDI\x02\x00"].concat();
    let no_hello = [&9_u32.to_le_bytes()[..], b"something"].concat();
    let messages: [&[u8]; 5] = [
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        &huge,
        &half_hello,
        &no_hello,
    ];
    for message in messages {
        let mut stranger = knock(folder.path());
        stranger.write_all(message).unwrap();
        set = match set.wait(Duration::from_millis(1)).unwrap() {
            Waited::NotYet(set) => set,
            Waited::Ready(_) => panic!("{message:?} is no engine"),
        };
        let mut answer = Vec::new();
        // It ends, with an answer or without.
        let _ = stranger.read_to_end(&mut answer);
        assert!(answer.len() < 64);
    }
    let engine = thread::spawn(move || {
        directory
            .open_set(request(2, Direction::Backup), LIMIT)
            .map(|_| ())
    });
    assert!(matches!(set.wait(LIMIT), Ok(Waited::Ready(_))));
    engine.join().unwrap().unwrap();
}

#[test]
fn a_set_has_one_engine() {
    let folder = tempfile::tempdir().unwrap();
    let directory = Directory::open(folder.path()).unwrap();
    let set = directory
        .create(SetConfig::new(&name(), 1).unwrap())
        .unwrap();
    let engines: Vec<_> = (0..2)
        .map(|_| {
            let directory = directory.clone();
            let limit = Duration::from_millis(300);
            thread::spawn(move || directory.open_set(request(1, Direction::Backup), limit))
        })
        .collect();
    let waited = set.wait(LIMIT).unwrap();
    assert!(matches!(waited, Waited::Ready(_)));
    let engines: Vec<_> = engines
        .into_iter()
        .map(|engine| engine.join().unwrap())
        .collect();
    let refused: Vec<_> = engines
        .iter()
        .filter_map(|engine| engine.as_ref().err())
        .collect();
    assert_eq!(refused.len(), 1);
    let error = refused.first().unwrap();
    assert!(matches!(
        error,
        EngineError::NoSuchSet { .. } | EngineError::Busy { .. }
    ));
}

#[test]
fn one_side_without_shared_memory_is_enough_for_the_connections() {
    for (client_shares, engine_shares) in [(true, false), (false, true)] {
        let folder = tempfile::tempdir().unwrap();
        let directory = |shares: bool| {
            let directory = Directory::open(folder.path()).unwrap();
            if shares {
                directory
            } else {
                directory.without_shared_memory()
            }
        };
        let config = SetConfig::new(&name(), 1).unwrap();
        let set = directory(client_shares).create(config).unwrap();
        let transport = directory(engine_shares);
        let engine = thread::spawn(move || {
            let mut set = transport.open_set(request(1, Direction::Backup), LIMIT)?;
            let mut device = set.devices().pop().unwrap();
            device.write(&content(0, 300_000))?;
            device.close()?;
            set.close()
        });
        let Waited::Ready(set) = set.wait(LIMIT).unwrap() else {
            panic!("the engine did not come")
        };
        let (set, devices) = set.open().unwrap();
        let mut saved = Vec::new();
        vab_vdi::serve::backup(devices.first().unwrap(), &mut saved, Some(LIMIT)).unwrap();
        set.close().unwrap();
        engine.join().unwrap().unwrap();
        assert!(saved == content(0, 300_000));
    }
}

/// This test binary once more, as the other process.
fn other_process(role: &str, folder: &Path) -> Child {
    Process::new(env::current_exe().unwrap())
        .args(["--exact", "as_another_process", "--nocapture"])
        .env("VAB_VDI_TEST_ROLE", role)
        .env("VAB_VDI_TEST_FOLDER", folder)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// What the other process does; nothing when the tests run.
#[test]
fn as_another_process() {
    let Ok(role) = env::var("VAB_VDI_TEST_ROLE") else {
        return;
    };
    let directory = Directory::open(env::var("VAB_VDI_TEST_FOLDER").unwrap()).unwrap();
    match role.as_str() {
        "engine" => {
            let mut set = directory
                .open_set(request(2, Direction::Backup), LIMIT)
                .unwrap();
            thread::scope(|scope| {
                for (number, mut device) in set.devices().into_iter().enumerate() {
                    scope.spawn(move || {
                        device.write(&content(number, 1_000_000)).unwrap();
                        device.complete().unwrap();
                        device.close().unwrap();
                    });
                }
            });
            set.close().unwrap();
        }
        "client" => {
            let config = SetConfig::new(&name(), 2).unwrap();
            let set = directory.create(config).unwrap();
            let Waited::Ready(set) = set.wait(LIMIT).unwrap() else {
                panic!("the engine did not come")
            };
            let (_set, devices) = set.open().unwrap();
            // Takes one command and holds it.
            let _held = devices.first().unwrap().next_command(Some(LIMIT)).unwrap();
            thread::sleep(LIMIT);
        }
        other => panic!("{other}"),
    }
}

#[test]
fn an_engine_in_another_process_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let directory = Directory::open(folder.path()).unwrap();
    let set = directory
        .create(SetConfig::new(&name(), 2).unwrap())
        .unwrap();
    let mut engine = other_process("engine", folder.path());
    let Waited::Ready(set) = set.wait(LIMIT).unwrap() else {
        panic!("the engine did not come")
    };
    let (set, devices) = set.open().unwrap();
    thread::scope(|scope| {
        for (number, device) in devices.into_iter().enumerate() {
            scope.spawn(move || {
                let mut saved = Vec::new();
                vab_vdi::serve::backup(&device, &mut saved, Some(LIMIT)).unwrap();
                assert!(saved == content(number, 1_000_000));
            });
        }
    });
    set.close().unwrap();
    assert!(engine.wait().unwrap().success());
}

#[test]
fn a_killed_engine_is_seen_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let directory = Directory::open(folder.path()).unwrap();
    let set = directory
        .create(SetConfig::new(&name(), 2).unwrap())
        .unwrap();
    let mut engine = other_process("engine", folder.path());
    let Waited::Ready(set) = set.wait(LIMIT).unwrap() else {
        panic!("the engine did not come")
    };
    let (set, devices) = set.open().unwrap();
    let device = devices.first().unwrap();
    let Event::Command(Command::Write(held)) = device.next_command(Some(LIMIT)).unwrap() else {
        panic!("a write was on its way")
    };
    engine.kill().unwrap();
    engine.wait().unwrap();
    assert_eq!(held.data(), &content(0, 1_000_000)[..held.data().len()]);
    let _ = held.complete();
    for device in &devices {
        let error = loop {
            match device.next_command(None) {
                Ok(Event::Command(command)) => drop(command),
                Ok(_) => panic!("the device did not end normally"),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, DeviceError::EngineLost), "{error}");
    }
    assert!(set.close().is_err());
}

#[test]
fn a_killed_client_is_seen_at_once_and_its_name_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let directory = Directory::open(folder.path()).unwrap();
    let mut client = other_process("client", folder.path());
    let mut set = directory
        .open_set(request(2, Direction::Backup), LIMIT)
        .unwrap();
    let taken = directory.create(SetConfig::new(&name(), 1).unwrap());
    assert!(taken.is_err());
    let kill = Arc::new(common::Once::default());
    let devices = set.devices();
    thread::scope(|scope| {
        let writers: Vec<_> = devices
            .into_iter()
            .map(|mut device| {
                let kill = Arc::clone(&kill);
                scope.spawn(move || {
                    device.write(&[1; 100])?;
                    kill.wait();
                    device.complete()
                })
            })
            .collect();
        client.kill().unwrap();
        client.wait().unwrap();
        kill.set();
        for writer in writers {
            assert!(matches!(
                writer.join().unwrap(),
                Err(EngineError::ClientLost | EngineError::Aborted)
            ));
        }
    });
    drop(set);
    drop(
        directory
            .create(SetConfig::new(&name(), 1).unwrap())
            .unwrap(),
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
