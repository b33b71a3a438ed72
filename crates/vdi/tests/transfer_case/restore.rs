//! What an engine reads.

use std::thread;

use vab_vdi::{Command, CompletionCode, DeviceError, Direction, EngineError, Event};

use crate::common::{Both, LIMIT, content};

pub(crate) fn a_restore_gives_what_the_client_has(both: &Both) {
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

pub(crate) fn reads_of_all_sizes_give_the_stream(both: &Both) {
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

pub(crate) fn reads_in_place_give_the_stream_also_between_others(both: &Both) {
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
pub(crate) fn an_engine_may_close_with_a_read_still_asked_for(both: &Both) {
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

pub(crate) fn more_bytes_than_asked_for_are_refused(both: &Both) {
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
