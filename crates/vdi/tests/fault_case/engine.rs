//! The engine of a case: it does its work, and tells how it ended.

use std::thread;
use std::time::Duration;

use vab_vdi::{Direction, EngineDevice, EngineError, EngineTransport};

use super::{Case, EngineEnd, Fault, PIECE, PIECES, Shared, Stage};
use crate::common::{LIMIT, request};

/// How the devices ended, and whether the set was closed normally.
pub(super) fn run(
    case: Case,
    transport: &dyn EngineTransport,
    shared: &Shared,
) -> (Vec<EngineEnd>, bool) {
    let mut request = request(case.devices, case.direction);
    if matches!(case.fault, Fault::Timeout(stage) if stage != Stage::Open) {
        request.command_timeout = Some(Duration::from_millis(300));
    }
    let Ok(mut set) = transport.open_set(request, LIMIT) else {
        return (vec![EngineEnd::Other; case.devices], false);
    };
    let devices = set.devices();
    *shared.engine.lock().unwrap() = Some(set);
    shared.engine_here.set();
    let ends = thread::scope(|scope| {
        let devices = devices.into_iter().enumerate();
        let threads: Vec<_> = devices
            .map(|(index, device)| {
                scope.spawn(move || {
                    if case.starts_late() {
                        shared.go.wait();
                    }
                    // The others end after the victim, so that the fault meets them at work.
                    let victim = index == case.victim();
                    let before_end = || {
                        if !victim {
                            shared.engine_over.wait();
                        }
                    };
                    let result = work(case, device, before_end);
                    if victim {
                        shared.engine_over.set();
                    }
                    result.map_or_else(|error| EngineEnd::from(&error), |()| EngineEnd::Closed)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let set = shared.engine.lock().unwrap().take();
    (ends, set.is_some_and(|set| set.close().is_ok()))
}

fn work(
    case: Case,
    mut device: EngineDevice,
    before_end: impl FnOnce(),
) -> Result<(), EngineError> {
    let mut piece = vec![7; PIECE];
    match case.direction {
        Direction::Backup => {
            for _ in 0..PIECES {
                device.write(&piece)?;
            }
        }
        Direction::Restore => while device.read(&mut piece)? > 0 {},
    }
    device.flush()?;
    before_end();
    device.complete()?;
    device.close()
}
