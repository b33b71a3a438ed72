//! What one side sees when the other one aborts or goes away.

use std::thread;

use vab_vdi::{DeviceError, Direction, EngineError, Event};

use crate::common::{Both, LIMIT};

pub(crate) fn an_abort_wakes_both_sides(both: &Both) {
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

pub(crate) fn a_lost_engine_is_seen_on_every_device(both: &Both) {
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

pub(crate) fn a_lost_client_is_seen_on_every_device(both: &Both) {
    let (set, mut devices, mut engine) = both.pair(4, Direction::Backup);
    drop(devices.pop());
    for mut device in engine.devices() {
        assert!(matches!(device.write(b"x"), Err(EngineError::ClientLost)));
    }
    drop(devices);
    assert!(set.close().is_err());
}
