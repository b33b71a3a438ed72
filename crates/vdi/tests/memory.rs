//! Backup and restore through a hub.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use std::thread;
use std::time::Duration;

use vab_vdi::memory::Hub;
use vab_vdi::{
    Command, CommandCode, CompletionCode, Device, DeviceError, DeviceName, Direction, EngineError,
    EngineSet, EngineTransport, Event, Geometry, OpenSet, OpenSetRequest, SetConfig, Transport,
    Waited,
};

const LIMIT: Duration = Duration::from_secs(10);

fn name() -> DeviceName {
    DeviceName::new("set").unwrap()
}

/// Both sides of a set, ready for commands.
fn pair(devices: usize, direction: Direction) -> (OpenSet, Vec<Device>, EngineSet) {
    let hub = Hub::new();
    let config = SetConfig::new(&name(), devices).unwrap();
    let names = config.device_names().to_vec();
    let set = hub.create(config).unwrap();
    let geometry = Geometry::new(512, 65_536).unwrap();
    let request = OpenSetRequest::new(names, direction, geometry);
    let engine = hub.open_set(request, LIMIT).unwrap();
    let Waited::Ready(set) = set.wait(LIMIT).unwrap() else {
        panic!("the engine is there")
    };
    let (set, devices) = set.open().unwrap();
    (set, devices, engine)
}

fn content(device: usize, length: usize) -> Vec<u8> {
    (0..length)
        .map(|i| u8::try_from((i * 7 + i / 251 + device) % 256).unwrap())
        .collect()
}

#[test]
fn a_backup_of_four_devices_arrives_as_it_was_written() {
    let (set, devices, mut engine) = pair(4, Direction::Backup);
    thread::scope(|scope| {
        for (number, mut device) in engine.devices().into_iter().enumerate() {
            scope.spawn(move || {
                device.write(&content(number, 1_000_000)).unwrap();
                device.flush().unwrap();
                device.complete().unwrap();
                device.close().unwrap();
            });
        }
        for (number, device) in devices.into_iter().enumerate() {
            scope.spawn(move || {
                let (mut saved, mut flushed, mut completed) = (Vec::new(), 0, 0);
                loop {
                    match device.next_command(Some(LIMIT)).unwrap() {
                        Event::Command(Command::Write(write)) => {
                            saved.extend_from_slice(write.data());
                            write.complete().unwrap();
                        }
                        Event::Command(Command::Flush(flush)) => {
                            flushed += 1;
                            flush.complete().unwrap();
                        }
                        Event::Command(Command::Complete(complete)) => {
                            completed += 1;
                            complete.complete().unwrap();
                        }
                        Event::Command(Command::Read(_)) | Event::TimedOut => panic!("wrong event"),
                        Event::Ended => break,
                    }
                }
                assert!(saved == content(number, 1_000_000));
                assert_eq!((flushed, completed), (1, 1));
            });
        }
    });
    engine.close().unwrap();
    set.close().unwrap();
}

#[test]
fn a_restore_gives_what_the_client_has() {
    let (set, devices, mut engine) = pair(1, Direction::Restore);
    let data = content(0, 300_001);
    let reader = thread::spawn(move || {
        let mut device = engine.devices().pop().unwrap();
        let (mut read, mut piece) = (Vec::new(), vec![0; 100_000]);
        loop {
            match device.read(&mut piece).unwrap() {
                0 => break,
                count => read.extend_from_slice(&piece[..count]),
            }
        }
        device.close().unwrap();
        engine.close().unwrap();
        read
    });
    let mut rest = &data[..];
    loop {
        match devices[0].next_command(Some(LIMIT)).unwrap() {
            Event::Command(Command::Read(mut read)) => {
                let count = rest.len().min(read.size());
                read.buffer()[..count].copy_from_slice(&rest[..count]);
                rest = &rest[count..];
                if rest.is_empty() {
                    read.complete_end_of_data(count).unwrap();
                } else {
                    read.complete(count).unwrap();
                }
            }
            Event::Ended => break,
            other => panic!("{other:?}"),
        }
    }
    drop(devices);
    set.close().unwrap();
    assert!(reader.join().unwrap() == data);
}

#[test]
fn commands_are_completed_in_any_order() {
    let (set, devices, mut engine) = pair(1, Direction::Backup);
    let writer = thread::spawn(move || {
        let mut device = engine.devices().pop().unwrap();
        device.write(&content(0, 3 * 65_536)).unwrap();
        device.close().unwrap();
        engine.close()
    });
    let mut held = Vec::new();
    for _ in 0..3 {
        match devices[0].next_command(Some(LIMIT)).unwrap() {
            Event::Command(Command::Write(write)) => held.push(write),
            other => panic!("{other:?}"),
        }
    }
    let saved: Vec<u8> = held
        .iter()
        .flat_map(|write| write.data().to_vec())
        .collect();
    for write in held.into_iter().rev() {
        write.complete().unwrap();
    }
    assert!(matches!(
        devices[0].next_command(Some(LIMIT)),
        Ok(Event::Ended)
    ));
    set.close().unwrap();
    writer.join().unwrap().unwrap();
    assert!(saved == content(0, 3 * 65_536));
}

#[test]
fn a_dropped_command_fails_the_operation() {
    let (set, devices, mut engine) = pair(1, Direction::Backup);
    let writer = thread::spawn(move || {
        let mut device = engine.devices().pop().unwrap();
        device.write(b"lost")?;
        device.close()
    });
    drop(devices[0].next_command(Some(LIMIT)).unwrap());
    assert!(matches!(
        devices[0].next_command(Some(LIMIT)),
        Err(DeviceError::Aborted)
    ));
    let failed = writer.join().unwrap();
    assert!(matches!(
        failed,
        Err(EngineError::Failed {
            command: CommandCode::WRITE,
            code: CompletionCode::OPERATION_ABORTED
        })
    ));
    assert!(set.close().is_err());
}

#[test]
fn other_commands_are_answered_inside_and_remembered() {
    let (set, devices, mut engine) = pair(1, Direction::Backup);
    let asker = thread::spawn(move || {
        let mut device = engine.devices().pop().unwrap();
        let clear = device.command(CommandCode::CLEAR_ERROR).unwrap();
        let rewind = device.command(CommandCode::REWIND).unwrap();
        let unknown = device.command(CommandCode(4711)).unwrap();
        device.close().unwrap();
        engine.close().unwrap();
        [clear, rewind, unknown]
    });
    assert!(matches!(
        devices[0].next_command(Some(LIMIT)),
        Ok(Event::Ended)
    ));
    assert_eq!(
        asker.join().unwrap(),
        [
            CompletionCode::SUCCESS,
            CompletionCode::NOT_SUPPORTED,
            CompletionCode::NOT_SUPPORTED
        ]
    );
    let refused = devices[0].refused();
    assert_eq!((refused.count, refused.last), (2, Some(CommandCode(4711))));
    set.close().unwrap();
}

#[test]
fn an_abort_wakes_both_sides() {
    let (set, devices, mut engine) = pair(2, Direction::Backup);
    let abort = set.abort_handle();
    let writers: Vec<_> = engine
        .devices()
        .into_iter()
        .map(|mut device| thread::spawn(move || device.write(&vec![1; 10_000_000])))
        .collect();
    let Ok(Event::Command(_held)) = devices[0].next_command(Some(LIMIT)) else {
        panic!("a write was on its way")
    };
    thread::spawn(move || abort.abort()).join().unwrap();
    for writer in writers {
        assert!(matches!(writer.join().unwrap(), Err(EngineError::Aborted)));
    }
    for device in &devices {
        assert!(matches!(
            device.next_command(Some(LIMIT)),
            Err(DeviceError::Aborted)
        ));
    }
}

#[test]
fn a_lost_engine_is_seen_on_every_device() {
    let (set, devices, engine) = pair(4, Direction::Backup);
    drop(engine);
    for device in &devices {
        assert!(matches!(
            device.next_command(Some(LIMIT)),
            Err(DeviceError::EngineLost)
        ));
    }
    assert!(set.close().is_err());
}

#[test]
fn a_lost_client_is_seen_on_every_device() {
    let (set, mut devices, mut engine) = pair(4, Direction::Backup);
    drop(devices.pop());
    for mut device in engine.devices() {
        assert!(matches!(device.write(b"x"), Err(EngineError::ClientLost)));
    }
    drop(devices);
    assert!(set.close().is_err());
}

#[test]
fn an_engine_that_never_comes_leaves_the_set_to_be_waited_for() {
    let hub = Hub::new();
    let set = hub.create(SetConfig::new(&name(), 1).unwrap()).unwrap();
    let Waited::NotYet(set) = set.wait(Duration::from_millis(1)).unwrap() else {
        panic!("nobody came")
    };
    assert!(hub.create(SetConfig::new(&name(), 1).unwrap()).is_err());
    drop(set);
    assert!(hub.create(SetConfig::new(&name(), 1).unwrap()).is_ok());
}

#[test]
fn a_client_that_never_comes_ends_the_engines_wait() {
    let request = OpenSetRequest::new(vec![name()], Direction::Backup, Geometry::default());
    let error = Hub::new()
        .open_set(request, Duration::from_millis(1))
        .unwrap_err();
    assert!(matches!(error, EngineError::NoSuchSet { .. }));
}
