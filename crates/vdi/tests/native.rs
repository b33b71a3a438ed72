//! What only the back ends for SQL Server do.

#![cfg(any(target_os = "linux", windows))]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

mod common;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use common::stand_in::StandIn;
#[cfg(target_os = "linux")]
use common::stand_in_linux::compile;
use common::{LIMIT, name, request};
#[cfg(target_os = "linux")]
use vab_vdi::linux::{Library, LoadError};
use vab_vdi::{
    CloseError, CompletionCode, CreateError, DeviceError, Direction, EngineError, Event, OpenError,
    SetConfig, Transport, VdCode, WaitError, Waited,
};

/// All codes of the interface but the normal end and the time-out.
const CODES: [VdCode; 11] = [
    VdCode::NOT_OPEN,
    VdCode::ABORT,
    VdCode::SECURITY,
    VdCode::INVALID,
    VdCode::INSTANCE_NAME,
    VdCode::NOT_SUPPORTED,
    VdCode::MEMORY,
    VdCode::UNEXPECTED,
    VdCode::PROTOCOL,
    VdCode::OPEN,
    VdCode::BUSY,
];

#[cfg(target_os = "linux")]
#[test]
fn a_library_that_lacks_one_entry_point_is_refused_by_its_name() {
    let Some(path) = compile("libsqlvdi-without-abort.so", &["-DWITHOUT_ABORT"]) else {
        return;
    };
    #[expect(unsafe_code, reason = "a library has to be trusted")]
    // SAFETY: the library was compiled from the source in this folder.
    let error = unsafe { Library::load_from(path) }.unwrap_err();
    let LoadError::Incomplete { missing, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(missing, &["_ZN22ClientVirtualDeviceSet11SignalAbortEv"]);
    assert!(
        error
            .to_string()
            .contains("_ZN22ClientVirtualDeviceSet11SignalAbortEv")
    );
}

#[cfg(target_os = "linux")]
#[test]
fn without_sql_server_the_message_says_what_is_missing() {
    if std::path::Path::new(Library::DEFAULT_PATH).exists() {
        println!("skipped: SQL Server is installed here");
        return;
    }
    let message = Library::load().unwrap_err().to_string();
    assert!(message.contains("comes with SQL Server"), "{message}");
}

#[test]
fn every_code_of_a_creation_is_told() {
    let Some(stand_in) = StandIn::new() else {
        return;
    };
    let library = stand_in.load();
    for code in CODES {
        stand_in.force("create", code);
        let result = library.create(SetConfig::new(&name(), 1).unwrap());
        let Err(error) = result else { panic!("{code}") };
        assert!(matches!(error, CreateError::Native { code: told } if told == code));
        assert!(error.to_string().contains(code.likely_cause()));
    }
}

#[test]
fn every_code_of_a_wait_is_told() {
    let Some(stand_in) = StandIn::new() else {
        return;
    };
    let library = stand_in.load();
    for code in CODES {
        let set = library.create(SetConfig::new(&name(), 1).unwrap()).unwrap();
        stand_in.force("configuration", code);
        let error = set.wait(LIMIT).unwrap_err();
        match error {
            WaitError::Aborted => assert_eq!(code, VdCode::ABORT),
            WaitError::Native { code: told } => assert_eq!(told, code),
            other => panic!("{other}"),
        }
    }
    let set = library.create(SetConfig::new(&name(), 1).unwrap()).unwrap();
    stand_in.force("configuration", VdCode::TIMEOUT);
    assert!(matches!(set.wait(LIMIT), Ok(Waited::NotYet(_))));
}

#[test]
fn every_code_of_a_device_ends_its_set() {
    for function in ["open_device", "command", "complete", "close"] {
        for code in CODES {
            let Some(stand_in) = StandIn::new() else {
                return;
            };
            end_with(&stand_in, function, code);
        }
    }
}

/// Lets one function fail, and looks at what both sides are told.
fn end_with(stand_in: &Arc<StandIn>, function: &'static str, code: VdCode) {
    let both = Arc::clone(stand_in).both();
    let set = both.create(1);
    let transport = Arc::clone(&both.engine);
    let engine = thread::spawn(move || {
        let mut set = transport.open_set(request(1, Direction::Backup), LIMIT)?;
        let mut device = set.devices().pop().unwrap();
        device.write(b"data")?;
        device.close()?;
        set.close()
    });
    let Waited::Ready(set) = set.wait(LIMIT).unwrap() else {
        panic!("the engine did not come")
    };
    stand_in.force(function, code);
    let told = match set.open() {
        Err(OpenError::Native { code, .. }) => code,
        Err(OpenError::Aborted) => VdCode::ABORT,
        Err(other) => panic!("{other}"),
        Ok((set, devices)) => {
            let mut saved = Vec::new();
            let served = vab_vdi::serve::backup(devices.first().unwrap(), &mut saved, Some(LIMIT));
            drop(devices);
            match (served, set.close()) {
                (Ok(4), Err(CloseError::Native { code })) => code,
                (Err(vab_vdi::serve::ServeError::Device(error)), Err(_)) => match error {
                    DeviceError::Native { code } => code,
                    DeviceError::Aborted => VdCode::ABORT,
                    other => panic!("{other}"),
                },
                other => panic!("{function} {code}: {other:?}"),
            }
        }
    };
    assert_eq!(told, code, "{function}");
    assert_eq!(
        engine.join().unwrap().is_ok(),
        function == "close",
        "{function} {code}"
    );
}

#[test]
fn commands_that_no_pipe_has_are_refused() {
    let Some(stand_in) = StandIn::new() else {
        return;
    };
    let (set, devices, mut engine) = Arc::clone(&stand_in).both().pair(1, Direction::Backup);
    for code in [3, 4, 18, 77, -1] {
        stand_in.send_odd(code, 12);
    }
    engine.devices().pop().unwrap().close().unwrap();
    let device = devices.first().unwrap();
    assert!(matches!(device.next_command(Some(LIMIT)), Ok(Event::Ended)));
    let mut completed = vec![CompletionCode::SUCCESS];
    completed.resize(5, CompletionCode::NOT_SUPPORTED);
    assert_eq!(stand_in.odd_completed(), completed);
    assert_eq!(device.refused().count, 4);
    set.close().unwrap();
    engine.close().unwrap();
}

#[test]
fn commands_with_impossible_memory_end_the_set_untouched() {
    for (code, size) in [(1, 512), (2, 512), (2, -1), (1, i32::MAX)] {
        let Some(stand_in) = StandIn::new() else {
            return;
        };
        let (_set, devices, mut engine) = Arc::clone(&stand_in).both().pair(1, Direction::Backup);
        stand_in.send_odd(code, size);
        let error = devices
            .first()
            .unwrap()
            .next_command(Some(LIMIT))
            .unwrap_err();
        assert!(matches!(error, DeviceError::Protocol { .. }), "{error}");
        let written = engine.devices().pop().unwrap().write(b"data");
        assert!(matches!(written, Err(EngineError::Aborted)));
    }
}

#[test]
fn a_set_may_be_waited_for_again_and_again() {
    let Some(both) = common::native() else {
        return;
    };
    let mut set = both.create(1);
    for _ in 0..3 {
        set = match set.wait(Duration::from_millis(1)).unwrap() {
            Waited::NotYet(set) => set,
            Waited::Ready(_) => panic!("nobody came"),
        };
    }
    let transport = Arc::clone(&both.engine);
    let engine = thread::spawn(move || transport.open_set(request(1, Direction::Backup), LIMIT));
    assert!(matches!(set.wait(LIMIT), Ok(Waited::Ready(_))));
    drop(engine.join().unwrap().unwrap());
}

#[test]
fn after_its_end_the_library_is_not_called_for_a_device() {
    let Some(stand_in) = StandIn::new() else {
        return;
    };
    let (set, devices, mut engine) = Arc::clone(&stand_in).both().pair(1, Direction::Backup);
    engine.devices().pop().unwrap().close().unwrap();
    let device = devices.first().unwrap();
    let abort = device.abort_handle();
    assert!(matches!(device.next_command(Some(LIMIT)), Ok(Event::Ended)));
    // The library would tell this if it were asked.
    stand_in.force("command", VdCode::PROTOCOL);
    assert!(matches!(device.next_command(Some(LIMIT)), Ok(Event::Ended)));
    set.close().unwrap();
    assert!(matches!(device.next_command(Some(LIMIT)), Ok(Event::Ended)));
    abort.abort();
    drop(devices);
    // It counts calls that come after the close.
    assert_eq!(stand_in.misuse(), 0);
}

/// Writes `length` bytes to every device, and ends them.
#[cfg(windows)]
fn write_all(mut engine: vab_vdi::EngineSet, length: usize) {
    thread::scope(|scope| {
        for (number, mut device) in engine.devices().into_iter().enumerate() {
            scope.spawn(move || {
                device.write(&common::content(number, length)).unwrap();
                device.complete().unwrap();
                device.close().unwrap();
            });
        }
    });
    engine.close().unwrap();
}

/// Saves what comes, and checks that it is the stream of device `number`.
#[cfg(windows)]
fn save(device: &vab_vdi::Device, number: usize, length: usize) {
    let mut saved = Vec::new();
    vab_vdi::serve::backup(device, &mut saved, Some(LIMIT)).unwrap();
    assert!(saved == common::content(number, length));
}

#[cfg(windows)]
#[test]
fn a_secondary_process_serves_its_part_of_the_devices() {
    const LENGTH: usize = 500_000;
    let Some(stand_in) = StandIn::new() else {
        return;
    };
    let second = stand_in.secondary(&name());
    let (both, names) = (stand_in.both(), common::names(4));
    let (set, engine) = both.meet(request(4, Direction::Backup));
    let part = SetConfig::with_names(names[2..].to_vec()).unwrap();
    let Waited::Ready(part) = second.create(part).unwrap().wait(LIMIT).unwrap() else {
        panic!("the primary has met the engine")
    };
    let engine = thread::spawn(move || write_all(engine, LENGTH));
    let (set, mut devices) = vab_vdi::windows::open_part(set, &names[..2]).unwrap();
    let (part, others) = part.open().unwrap();
    assert_eq!((devices.len(), others.len()), (2, 2));
    devices.extend(others);
    thread::scope(|scope| {
        for (number, device) in devices.into_iter().enumerate() {
            scope.spawn(move || save(&device, number, LENGTH));
        }
    });
    part.close().unwrap();
    set.close().unwrap();
    engine.join().unwrap();
}

#[cfg(windows)]
#[test]
fn a_secondary_process_can_abort_all() {
    let Some(stand_in) = StandIn::new() else {
        return;
    };
    let second = stand_in.secondary(&name());
    let (both, names) = (stand_in.both(), common::names(2));
    let (set, _engine) = both.meet(request(2, Direction::Backup));
    let part = SetConfig::with_names(names[1..].to_vec()).unwrap();
    let Waited::Ready(part) = second.create(part).unwrap().wait(LIMIT).unwrap() else {
        panic!("the primary has met the engine")
    };
    let (set, devices) = vab_vdi::windows::open_part(set, &names[..1]).unwrap();
    let (part, others) = part.open().unwrap();
    part.abort_handle().abort();
    for device in devices.iter().chain(&others) {
        assert!(matches!(
            device.next_command(None),
            Err(DeviceError::Aborted)
        ));
    }
    drop((devices, others));
    assert!(part.close().is_err());
    assert!(set.close().is_err());
}

#[cfg(windows)]
#[test]
fn a_secondary_process_is_told_why_there_is_no_set() {
    let Some(stand_in) = StandIn::new() else {
        return;
    };
    let part = || SetConfig::new(&name(), 1).unwrap();
    let second = stand_in.secondary(&name());
    let codes = CODES.into_iter().chain([VdCode::TIMEOUT, VdCode::CLOSE]);
    for code in codes {
        stand_in.force("open_in_secondary", code);
        let error = second.create(part()).unwrap_err();
        assert!(matches!(error, CreateError::Native { code: got } if got == code));
    }
    // Nobody has created it.
    let error = second.create(part()).unwrap_err();
    assert!(matches!(
        error,
        CreateError::Native {
            code: VdCode::NOT_OPEN
        }
    ));
}
