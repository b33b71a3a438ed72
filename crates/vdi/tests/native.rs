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
