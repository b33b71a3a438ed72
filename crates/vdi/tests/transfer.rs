//! Backup and restore over every back end.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests, called from others"
)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use common::{Both, LIMIT, content, name, request};
use vab_vdi::{
    Command, CommandCode, CompletionCode, CreateError, DeviceError, Direction, EngineError, Event,
    OpenSetRequest, SetConfig, Waited,
};

/// The same tests for each back end; the second list for those that are both sides' own.
macro_rules! suite {
    ($($test:ident)*; $($own:ident)*) => {
        mod memory {
            $(#[test] fn $test() { super::$test(&super::common::memory()); })*
            $(#[test] fn $own() { super::$own(&super::common::memory()); })*
        }

        #[cfg(any(unix, windows))]
        mod pipe {
            $(#[test] fn $test() { super::$test(&super::common::pipe()); })*
            $(#[test] fn $own() { super::$own(&super::common::pipe()); })*
        }

        #[cfg(any(unix, windows))]
        mod plain_pipe {
            $(#[test] fn $test() { super::$test(&super::common::plain_pipe()); })*
            $(#[test] fn $own() { super::$own(&super::common::plain_pipe()); })*
        }

        #[cfg(any(target_os = "linux", windows))]
        mod native {
            $(#[test] fn $test() {
                if let Some(both) = super::common::native() {
                    super::$test(&both);
                }
            })*
        }
    };
}

suite! {
    a_backup_of_four_devices_arrives_as_it_was_written
    a_restore_gives_what_the_client_has
    commands_are_completed_in_any_order
    a_dropped_command_fails_the_operation
    an_abort_wakes_both_sides
    a_client_that_never_comes_ends_the_engines_wait
    an_engine_that_asks_for_other_devices_is_told_so
    devices_are_found_by_name_not_by_place
    reads_of_all_sizes_give_the_stream
    reads_in_place_give_the_stream_also_between_others
    an_engine_may_close_with_a_read_still_asked_for
    without_complete_the_last_command_is_a_flush
    more_bytes_than_asked_for_are_refused
    an_engine_that_is_faster_than_its_client_waits
    sixty_four_devices_work_at_once
    sixty_four_devices_are_restored_at_once;

    an_engine_that_never_comes_leaves_the_set_to_be_waited_for
    other_commands_are_answered_inside_and_remembered
    a_lost_engine_is_seen_on_every_device
    a_lost_client_is_seen_on_every_device
}

/// A request with a device that no set here has.
fn other_name() -> OpenSetRequest {
    let mut request = request(2, Direction::Backup);
    request.device_names.pop();
    request
        .device_names
        .push(vab_vdi::DeviceName::new("elsewhere").unwrap());
    request
}

fn a_backup_of_four_devices_arrives_as_it_was_written(both: &Both) {
    let (set, devices, mut engine) = both.pair(4, Direction::Backup);
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

fn a_restore_gives_what_the_client_has(both: &Both) {
    let (set, devices, mut engine) = both.pair(1, Direction::Restore);
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

fn commands_are_completed_in_any_order(both: &Both) {
    let (set, devices, mut engine) = both.pair(1, Direction::Backup);
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

fn a_dropped_command_fails_the_operation(both: &Both) {
    let (set, devices, mut engine) = both.pair(1, Direction::Backup);
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

fn other_commands_are_answered_inside_and_remembered(both: &Both) {
    let (set, devices, mut engine) = both.pair(1, Direction::Backup);
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

fn an_abort_wakes_both_sides(both: &Both) {
    let (set, devices, mut engine) = both.pair(2, Direction::Backup);
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

fn a_lost_engine_is_seen_on_every_device(both: &Both) {
    let (set, devices, engine) = both.pair(4, Direction::Backup);
    drop(engine);
    for device in &devices {
        assert!(matches!(
            device.next_command(Some(LIMIT)),
            Err(DeviceError::EngineLost)
        ));
    }
    assert!(set.close().is_err());
}

fn a_lost_client_is_seen_on_every_device(both: &Both) {
    let (set, mut devices, mut engine) = both.pair(4, Direction::Backup);
    drop(devices.pop());
    for mut device in engine.devices() {
        assert!(matches!(device.write(b"x"), Err(EngineError::ClientLost)));
    }
    drop(devices);
    assert!(set.close().is_err());
}

fn an_engine_that_never_comes_leaves_the_set_to_be_waited_for(both: &Both) {
    let set = both.create(1);
    let Waited::NotYet(set) = set.wait(Duration::from_millis(1)).unwrap() else {
        panic!("nobody came")
    };
    let again = both.client.create(SetConfig::new(&name(), 1).unwrap());
    assert!(matches!(again, Err(CreateError::NameTaken { .. })));
    drop(set);
    drop(both.create(1));
}

fn a_client_that_never_comes_ends_the_engines_wait(both: &Both) {
    let request = request(1, Direction::Backup);
    let error = both
        .engine
        .open_set(request, Duration::from_millis(1))
        .unwrap_err();
    assert!(matches!(error, EngineError::NoSuchSet { .. }));
}

fn an_engine_that_asks_for_other_devices_is_told_so(both: &Both) {
    for (asked, wrong) in [
        (request(2, Direction::Backup), "count"),
        (other_name(), "name"),
    ] {
        let mut set = both.create(if wrong == "count" { 3 } else { 2 });
        let transport = Arc::clone(&both.engine);
        let engine = thread::spawn(move || transport.open_set(asked, LIMIT));
        // However long the engine takes to come: it is answered while somebody waits for it.
        while !engine.is_finished() {
            set = match set.wait(Duration::from_millis(20)).unwrap() {
                Waited::NotYet(set) => set,
                Waited::Ready(_) => panic!("the set stays there for the right engine"),
            };
        }
        match engine.join().unwrap().unwrap_err() {
            EngineError::DeviceCount {
                wanted: 2,
                actual: 3,
                ..
            } => assert_eq!(wrong, "count"),
            EngineError::UnknownDevice { device, .. } => {
                assert_eq!((wrong, device.as_str()), ("name", "elsewhere"));
            }
            other => panic!("{other}"),
        }
    }
}

fn devices_are_found_by_name_not_by_place(both: &Both) {
    let mut request = request(3, Direction::Backup);
    request.device_names.swap(1, 2);
    let (set, mut engine) = both.meet(request);
    let (set, devices) = set.open().unwrap();
    let writers: Vec<_> = engine
        .devices()
        .into_iter()
        .map(|mut device| {
            thread::spawn(move || {
                let name = device.name().to_string();
                device.write(name.as_bytes()).unwrap();
                device.close().unwrap();
            })
        })
        .collect();
    for device in &devices {
        let mut saved = Vec::new();
        vab_vdi::serve::backup(device, &mut saved, Some(LIMIT)).unwrap();
        assert_eq!(saved, device.name().as_str().as_bytes());
    }
    for writer in writers {
        writer.join().unwrap();
    }
    engine.close().unwrap();
    set.close().unwrap();
}

fn reads_of_all_sizes_give_the_stream(both: &Both) {
    let (set, mut devices, mut engine) = both.pair(1, Direction::Restore);
    let data = content(3, 1_000_003);
    let source = data.clone();
    let device = devices.pop().unwrap();
    let client = thread::spawn(move || {
        let given = vab_vdi::serve::restore(&device, &mut &source[..], Some(LIMIT)).unwrap();
        set.close().unwrap();
        given
    });
    let mut device = engine.devices().pop().unwrap();
    let mut read = Vec::new();
    for size in [1, 511, 512, 513, 4096, 65_536, 65_537, 200_000]
        .into_iter()
        .cycle()
    {
        let mut piece = vec![0; size];
        match device.read(&mut piece).unwrap() {
            0 => break,
            count => read.extend_from_slice(&piece[..count]),
        }
    }
    assert_eq!(
        device.read(&mut [0; 10]).unwrap(),
        0,
        "the end stays the end"
    );
    device.close().unwrap();
    engine.close().unwrap();
    assert_eq!(client.join().unwrap(), 1_000_003);
    assert!(read == data);
}

fn reads_in_place_give_the_stream_also_between_others(both: &Both) {
    let (set, mut devices, mut engine) = both.pair(1, Direction::Restore);
    let data = content(5, 1_000_003);
    let source = data.clone();
    let device = devices.pop().unwrap();
    let client = thread::spawn(move || {
        vab_vdi::serve::restore(&device, &mut &source[..], Some(LIMIT)).unwrap();
        set.close().unwrap();
    });
    let mut device = engine.devices().pop().unwrap();
    let mut read = Vec::new();
    for size in [512, 4096, 100, 65_537].into_iter().cycle() {
        // The other way of reading gives what was asked for ahead, and leaves a rest.
        let mut piece = [0; 700];
        let count = device.read(&mut piece).unwrap();
        read.extend_from_slice(&piece[..count]);
        let more = device.read_with(size, |bytes| read.extend_from_slice(bytes));
        if more.unwrap().is_none() {
            break;
        }
    }
    assert_eq!(device.read_with(512, <[u8]>::len).unwrap(), None);
    device.close().unwrap();
    engine.close().unwrap();
    client.join().unwrap();
    assert!(read == data);
}

/// The read that was asked for ahead may have come to the end: that is no failure.
fn an_engine_may_close_with_a_read_still_asked_for(both: &Both) {
    let (set, mut devices, mut engine) = both.pair(1, Direction::Restore);
    let device = devices.pop().unwrap();
    let client = thread::spawn(move || {
        vab_vdi::serve::restore(&device, &mut &[7; 1024][..], Some(LIMIT)).unwrap();
        set.close().unwrap();
    });
    let mut device = engine.devices().pop().unwrap();
    assert_eq!(device.read_with(1024, <[u8]>::len).unwrap(), Some(1024));
    device.close().unwrap();
    engine.close().unwrap();
    client.join().unwrap();
}

fn without_complete_the_last_command_is_a_flush(both: &Both) {
    let config = SetConfig::new(&name(), 1).unwrap().without_complete();
    let set = both.client.create(config).unwrap();
    let transport = Arc::clone(&both.engine);
    let engine = thread::spawn(move || {
        let mut engine = transport.open_set(request(1, Direction::Backup), LIMIT)?;
        let mut device = engine.devices().pop().unwrap();
        device.complete()?;
        device.close()?;
        engine.close()
    });
    let Waited::Ready(set) = set.wait(LIMIT).unwrap() else {
        panic!("the engine did not come")
    };
    assert!(!set.configuration().complete_enabled);
    let (set, devices) = set.open().unwrap();
    match devices[0].next_command(Some(LIMIT)).unwrap() {
        Event::Command(Command::Flush(flush)) => flush.complete().unwrap(),
        other => panic!("{other:?}"),
    }
    assert!(matches!(
        devices[0].next_command(Some(LIMIT)),
        Ok(Event::Ended)
    ));
    set.close().unwrap();
    engine.join().unwrap().unwrap();
}

fn more_bytes_than_asked_for_are_refused(both: &Both) {
    let (_set, devices, mut engine) = both.pair(1, Direction::Restore);
    let reader = thread::spawn(move || engine.devices()[0].read(&mut [0; 512]).map(|_| ()));
    let Ok(Event::Command(Command::Read(read))) = devices[0].next_command(Some(LIMIT)) else {
        panic!("a read was on its way")
    };
    let result = read.complete(513);
    assert!(matches!(
        result,
        Err(DeviceError::TooManyBytes {
            size: 512,
            bytes: 513
        })
    ));
    let code = CompletionCode::READ_FAULT;
    let failed = reader.join().unwrap();
    assert!(matches!(failed, Err(EngineError::Failed { code: c, .. }) if c == code));
}

fn an_engine_that_is_faster_than_its_client_waits(both: &Both) {
    let (set, devices, mut engine) = both.pair(1, Direction::Backup);
    let written = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&written);
    let writer = thread::spawn(move || {
        let mut device = engine.devices().pop().unwrap();
        for _ in 0..100 {
            device.write(&vec![1; 65_536]).unwrap();
            count.fetch_add(1, Ordering::SeqCst);
        }
        device.close().unwrap();
        engine.close().unwrap();
    });
    let mut served = 0;
    while let Event::Command(Command::Write(write)) = devices[0].next_command(Some(LIMIT)).unwrap()
    {
        served += 1;
        // Four are outstanding at most, one of which is being served; one more call of `write`
        // may have returned by the time its predecessor was completed.
        assert!(written.load(Ordering::SeqCst) < served + 4);
        write.complete().unwrap();
    }
    assert_eq!(served, 100);
    set.close().unwrap();
    writer.join().unwrap();
}

fn sixty_four_devices_work_at_once(both: &Both) {
    let (set, devices, mut engine) = both.pair(64, Direction::Backup);
    thread::scope(|scope| {
        for (number, mut device) in engine.devices().into_iter().enumerate() {
            scope.spawn(move || {
                device.write(&content(number, 200_000)).unwrap();
                device.complete().unwrap();
                device.close().unwrap();
            });
        }
        for (number, device) in devices.into_iter().enumerate() {
            scope.spawn(move || {
                let mut saved = Vec::new();
                vab_vdi::serve::backup(&device, &mut saved, Some(LIMIT)).unwrap();
                assert!(saved == content(number, 200_000));
            });
        }
    });
    engine.close().unwrap();
    set.close().unwrap();
}

fn sixty_four_devices_are_restored_at_once(both: &Both) {
    let (set, devices, mut engine) = both.pair(64, Direction::Restore);
    thread::scope(|scope| {
        for (number, mut device) in engine.devices().into_iter().enumerate() {
            scope.spawn(move || {
                let (mut read, mut piece) = (Vec::new(), vec![0; 65_536]);
                loop {
                    match device.read(&mut piece).unwrap() {
                        0 => break,
                        count => read.extend_from_slice(&piece[..count]),
                    }
                }
                assert!(read == content(number, 100_000));
                device.close().unwrap();
            });
        }
        for (number, device) in devices.into_iter().enumerate() {
            scope.spawn(move || {
                let mut stream = std::io::Cursor::new(content(number, 100_000));
                vab_vdi::serve::restore(&device, &mut stream, Some(LIMIT)).unwrap();
            });
        }
    });
    engine.close().unwrap();
    set.close().unwrap();
}
