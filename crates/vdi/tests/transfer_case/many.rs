//! As many devices as a set can have, all at once.

use std::thread;

use vab_vdi::Direction;

use crate::common::{Both, LIMIT, content};

pub(crate) fn sixty_four_devices_work_at_once(both: &Both) {
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

pub(crate) fn sixty_four_devices_are_restored_at_once(both: &Both) {
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
