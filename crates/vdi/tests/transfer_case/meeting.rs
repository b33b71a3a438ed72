//! How both sides of a set meet, or do not.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use vab_vdi::{CreateError, Direction, EngineError, OpenSetRequest, SetConfig, Waited};

use crate::common::{Both, LIMIT, name, request};

pub(crate) fn a_client_that_never_comes_ends_the_engines_wait(both: &Both) {
    let request = request(1, Direction::Backup);
    let error = both
        .engine
        .open_set(request, Duration::from_millis(1))
        .unwrap_err();
    assert!(matches!(error, EngineError::NoSuchSet { .. }));
}

pub(crate) fn an_engine_that_asks_for_other_devices_is_told_so(both: &Both) {
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

pub(crate) fn devices_are_found_by_name_not_by_place(both: &Both) {
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

pub(crate) fn an_engine_that_never_comes_leaves_the_set_to_be_waited_for(both: &Both) {
    let set = both.create(1);
    let Waited::NotYet(set) = set.wait(Duration::from_millis(1)).unwrap() else {
        panic!("nobody came")
    };
    let again = both.client.create(SetConfig::new(&name(), 1).unwrap());
    assert!(matches!(again, Err(CreateError::NameTaken { .. })));
    drop(set);
    drop(both.create(1));
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
