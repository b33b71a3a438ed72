//! Bytes that a client keeps beyond their command.

use std::collections::HashSet;
use std::thread;

use vab_vdi::{
    Command, CommandCode, CompletionCode, Device, DeviceError, Direction, EngineError, Event,
    KeptBuffer, WriteCommand,
};

use crate::common::{Both, LIMIT, content};

const SIZE: usize = 65_536;

fn next_write(device: &Device) -> WriteCommand<'_> {
    match device.next_command(Some(LIMIT)).unwrap() {
        Event::Command(Command::Write(write)) => write,
        other => panic!("{other:?}"),
    }
}

fn keep(device: &Device) -> KeptBuffer {
    let (kept, taken) = next_write(device).keep().unwrap();
    taken.complete().unwrap();
    kept
}

pub(crate) fn what_is_kept_stays_while_the_engine_goes_on(both: &Both) {
    let (set, devices, mut engine) = both.pair(1, Direction::Backup);
    let writer = thread::spawn(move || {
        let mut device = engine.devices().pop().unwrap();
        device.write(&content(0, 50 * SIZE + 100)).unwrap();
        device.close().unwrap();
        engine.close().unwrap();
    });
    devices[0].keep_at_most(51);
    let kept: Vec<_> = (0..51).map(|_| keep(&devices[0])).collect();
    assert!(matches!(
        devices[0].next_command(Some(LIMIT)),
        Ok(Event::Ended)
    ));
    writer.join().unwrap();
    drop(devices);
    set.close().unwrap();
    // No two are the same memory, and all of it outlives the set.
    let places: HashSet<_> = kept.iter().map(|it| it.as_ref().as_ptr()).collect();
    assert_eq!(places.len(), kept.len());
    let saved: Vec<u8> = kept.iter().flat_map(|it| it.as_ref().to_vec()).collect();
    assert!(saved == content(0, 50 * SIZE + 100));
}

pub(crate) fn no_more_is_kept_than_was_said(both: &Both) {
    let (set, devices, mut engine) = both.pair(2, Direction::Backup);
    let writers: Vec<_> = engine
        .devices()
        .into_iter()
        .map(|mut device| {
            thread::spawn(move || {
                device.write(&content(0, 3 * SIZE)).unwrap();
                device.close().unwrap();
            })
        })
        .collect();
    let refused = next_write(&devices[1]).keep().unwrap_err();
    assert!(refused.data() == &content(0, 3 * SIZE)[..SIZE]);
    devices[0].keep_at_most(2);
    let first = keep(&devices[0]);
    let second = keep(&devices[0]);
    assert!(next_write(&devices[0]).keep().is_err_and(|write| {
        let same = write.data() == &content(0, 3 * SIZE)[2 * SIZE..];
        write.complete().unwrap();
        same
    }));
    let refused = refused.keep().unwrap_err();
    // What came back can be kept again, also by another device.
    drop(first);
    let (third, taken) = refused.keep().unwrap();
    taken.complete().unwrap();
    assert!(third.as_ref() == &content(0, 3 * SIZE)[..SIZE]);
    assert!(second.as_ref() == &content(0, 3 * SIZE)[SIZE..2 * SIZE]);
    for _ in 0..2 {
        next_write(&devices[1]).complete().unwrap();
    }
    for (writer, device) in writers.into_iter().zip(&devices) {
        assert!(matches!(device.next_command(Some(LIMIT)), Ok(Event::Ended)));
        writer.join().unwrap();
    }
    engine.close().unwrap();
    set.close().unwrap();
}

pub(crate) fn what_is_kept_outlives_a_lost_engine(both: &Both) {
    let (set, devices, mut engine) = both.pair(1, Direction::Backup);
    devices[0].keep_at_most(2);
    let mut writer = engine.devices().pop().unwrap();
    writer.write(&content(0, 2 * SIZE)).unwrap();
    let kept = keep(&devices[0]);
    let (second, taken) = next_write(&devices[0]).keep().unwrap();
    drop((writer, engine));
    assert!(matches!(taken.complete(), Err(DeviceError::EngineLost)));
    drop(devices);
    assert!(set.close().is_err());
    assert!([kept.as_ref(), second.as_ref()].concat() == content(0, 2 * SIZE));
}

pub(crate) fn a_command_that_is_dropped_after_its_bytes_were_kept_fails_the_operation(both: &Both) {
    let (set, devices, mut engine) = both.pair(1, Direction::Backup);
    devices[0].keep_at_most(1);
    let writer = thread::spawn(move || {
        let mut device = engine.devices().pop().unwrap();
        device.write(b"lost")?;
        device.close()
    });
    let (kept, taken) = next_write(&devices[0]).keep().unwrap();
    drop(taken);
    let failed = writer.join().unwrap();
    assert!(matches!(
        failed,
        Err(EngineError::Failed {
            command: CommandCode::WRITE,
            code: CompletionCode::OPERATION_ABORTED
        })
    ));
    assert!(set.close().is_err());
    assert_eq!(kept.as_ref(), b"lost");
}

pub(crate) fn memory_of_another_process_is_not_kept(both: &Both) {
    let (set, devices, mut engine) = both.pair(1, Direction::Backup);
    let writer = thread::spawn(move || {
        let mut device = engine.devices().pop().unwrap();
        device.write(&content(0, 10 * SIZE)).unwrap();
        device.close().unwrap();
        engine.close().unwrap();
    });
    devices[0].keep_at_most(100);
    let mut saved = Vec::new();
    for _ in 0..10 {
        // The command is as it was.
        let write = next_write(&devices[0]).keep().unwrap_err();
        saved.extend_from_slice(write.data());
        write.complete().unwrap();
    }
    assert!(matches!(
        devices[0].next_command(Some(LIMIT)),
        Ok(Event::Ended)
    ));
    set.close().unwrap();
    writer.join().unwrap();
    assert!(saved == content(0, 10 * SIZE));
}
