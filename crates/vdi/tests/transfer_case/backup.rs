//! What an engine writes, and how its commands are completed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use vab_vdi::{
    Command, CommandCode, CompletionCode, DeviceError, Direction, EngineError, Event, SetConfig,
    Waited,
};

use crate::common::{Both, LIMIT, content, name, request};

pub(crate) fn a_backup_of_four_devices_arrives_as_it_was_written(both: &Both) {
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

pub(crate) fn commands_are_completed_in_any_order(both: &Both) {
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

pub(crate) fn a_dropped_command_fails_the_operation(both: &Both) {
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

pub(crate) fn without_complete_the_last_command_is_a_flush(both: &Both) {
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

pub(crate) fn an_engine_that_is_faster_than_its_client_waits(both: &Both) {
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

pub(crate) fn other_commands_are_answered_inside_and_remembered(both: &Both) {
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
