//! Devices served by tasks, over the back ends that have both sides here.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests, called from others"
)]

mod common;

use std::thread;
use std::time::Duration;

use common::{Both, LIMIT, content};
use vab_vdi::asynchronous::{Command, Device, Event};
use vab_vdi::{
    CompletionCode, DeviceError, Direction, EngineDevice, EngineError, EngineSet, OpenSet,
};

macro_rules! suite {
    ($($test:ident)*) => {
        mod memory {
            $(#[test] fn $test() { super::$test(&super::common::memory()); })*
        }

        #[cfg(unix)]
        mod pipe {
            $(#[test] fn $test() { super::$test(&super::common::pipe()); })*
        }

        #[cfg(unix)]
        mod plain_pipe {
            $(#[test] fn $test() { super::$test(&super::common::plain_pipe()); })*
        }
    };
}

suite! {
    sixty_four_devices_are_served_by_one_thread_of_tasks
    a_restore_gives_what_the_tasks_have
    no_command_is_lost_when_waiting_for_it_is_given_up
    completing_counts_without_being_awaited
    a_dropped_command_fails_the_operation
    a_leaked_command_fails_the_operation
    a_dropped_device_aborts_the_set
    an_abort_wakes_the_task_that_waits
    more_bytes_than_asked_for_are_refused
    bytes_are_kept_or_the_command_stays_as_it_was
    a_command_dropped_after_its_bytes_were_kept_fails_the_operation
}

const LENGTH: usize = 300_000;

/// Runs the tasks on one thread, in time.
fn run<T>(tasks: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async { tokio::time::timeout(LIMIT, tasks).await.unwrap() })
}

/// Both sides: the set, its devices for tasks, and what `engine` gives, which runs for each
/// device on a thread of its own.
fn meet<R: Send + 'static>(
    both: &Both,
    devices: usize,
    direction: Direction,
    engine: impl Fn(usize, EngineDevice) -> R + Send + Clone + 'static,
) -> (OpenSet, Vec<Device>, EngineSet, Vec<thread::JoinHandle<R>>) {
    let (set, devices, mut other) = both.pair(devices, direction);
    let engines = other.devices().into_iter().enumerate();
    let engines = engines.map(|(index, device)| {
        let engine = engine.clone();
        thread::spawn(move || engine(index, device))
    });
    let engines = engines.collect();
    let devices = devices
        .into_iter()
        .map(|device| Device::new(device).unwrap());
    (set, devices.collect(), other, engines)
}

fn write_all(index: usize, mut device: EngineDevice) -> Result<(), EngineError> {
    device.write(&content(index, LENGTH))?;
    device.flush()?;
    device.complete()?;
    device.close()
}

/// Saves all that comes; gives it with the number of barriers.
async fn save(mut device: Device) -> Result<(Vec<u8>, usize), DeviceError> {
    let (mut saved, mut barriers) = (Vec::new(), 0);
    while let Event::Command(command) = device.next_command().await? {
        match command {
            Command::Write(write) => {
                saved.extend_from_slice(write.data());
                write.complete().await?;
            }
            Command::Flush(flush) => {
                barriers += 1;
                flush.complete().await?;
            }
            Command::Complete(complete) => {
                barriers += 1;
                complete.complete().await?;
            }
            Command::Read(_) => panic!("a backup"),
        }
    }
    assert!(matches!(device.next_command().await, Ok(Event::Ended)));
    Ok((saved, barriers))
}

fn sixty_four_devices_are_served_by_one_thread_of_tasks(both: &Both) {
    let (set, devices, other, engines) = meet(both, 64, Direction::Backup, write_all);
    run(async {
        let tasks: Vec<_> = devices
            .into_iter()
            .map(|device| tokio::spawn(save(device)))
            .collect();
        for (index, task) in tasks.into_iter().enumerate() {
            let (saved, barriers) = task.await.unwrap().unwrap();
            assert!(saved == content(index, LENGTH), "device {index}");
            assert_eq!(barriers, 2);
        }
    });
    for engine in engines {
        engine.join().unwrap().unwrap();
    }
    other.close().unwrap();
    set.close().unwrap();
}

fn a_restore_gives_what_the_tasks_have(both: &Both) {
    let (set, devices, other, engines) = meet(both, 4, Direction::Restore, |_, mut device| {
        let (mut all, mut piece) = (Vec::new(), vec![0; 50_000]);
        loop {
            match device.read(&mut piece).unwrap() {
                0 => break,
                count => all.extend_from_slice(&piece[..count]),
            }
        }
        device.close().unwrap();
        all
    });
    let give = async |index: usize, mut device: Device| {
        let (data, mut at) = (content(index, LENGTH), 0);
        while let Event::Command(command) = device.next_command().await.unwrap() {
            let Command::Read(mut read) = command else {
                panic!("a restore")
            };
            let count = read.size().min(data.len() - at);
            read.buffer()[..count].copy_from_slice(&data[at..at + count]);
            at += count;
            if at < data.len() {
                read.complete(count).await.unwrap();
            } else {
                read.complete_end_of_data(count).await.unwrap();
            }
        }
    };
    run(async {
        let mut devices = devices.into_iter();
        let mut next = || devices.next().unwrap();
        tokio::join!(
            give(0, next()),
            give(1, next()),
            give(2, next()),
            give(3, next())
        );
    });
    for (index, engine) in engines.into_iter().enumerate() {
        assert!(engine.join().unwrap() == content(index, LENGTH));
    }
    other.close().unwrap();
    set.close().unwrap();
}

fn no_command_is_lost_when_waiting_for_it_is_given_up(both: &Both) {
    let (set, mut devices, other, engines) = meet(both, 1, Direction::Backup, write_all);
    let mut device = devices.pop().unwrap();
    let saved = run(async {
        let (mut saved, mut given_up) = (Vec::new(), 0);
        loop {
            // Every wait is given up at once, unless the command is there already.
            let event = tokio::select! {
                biased;
                event = device.next_command() => event.unwrap(),
                () = tokio::task::yield_now() => {
                    given_up += 1;
                    continue;
                }
            };
            match event {
                Event::Command(Command::Write(write)) => {
                    saved.extend_from_slice(write.data());
                    // Its answer is given up as well.
                    tokio::select! {
                        biased;
                        result = write.complete() => result.unwrap(),
                        () = std::future::ready(()) => {}
                    }
                }
                Event::Command(Command::Flush(flush)) => flush.complete().await.unwrap(),
                Event::Command(Command::Complete(complete)) => complete.complete().await.unwrap(),
                Event::Command(Command::Read(_)) => panic!("a backup"),
                Event::Ended => break,
            }
        }
        println!("{given_up} waits were given up");
        saved
    });
    assert!(saved == content(0, LENGTH));
    for engine in engines {
        engine.join().unwrap().unwrap();
    }
    other.close().unwrap();
    set.close().unwrap();
}

fn completing_counts_without_being_awaited(both: &Both) {
    let (set, mut devices, other, engines) = meet(both, 1, Direction::Backup, |_, mut device| {
        device.write(b"some")?;
        device.flush()?;
        device.close()
    });
    let mut device = devices.pop().unwrap();
    run(async {
        while let Event::Command(command) = device.next_command().await.unwrap() {
            match command {
                Command::Write(write) => drop(write.complete()),
                Command::Flush(flush) => drop(flush.complete()),
                _ => panic!("nothing else was sent"),
            }
        }
    });
    for engine in engines {
        engine.join().unwrap().unwrap();
    }
    other.close().unwrap();
    set.close().unwrap();
}

/// The engine writes once, and finds out what became of it.
fn write_once(_: usize, mut device: EngineDevice) -> Result<(), EngineError> {
    device.write(b"some")?;
    device.flush()?;
    device.close()
}

fn a_dropped_command_fails_the_operation(both: &Both) {
    let (set, mut devices, other, engines) = meet(both, 1, Direction::Backup, write_once);
    let mut device = devices.pop().unwrap();
    run(async {
        drop(device.next_command().await.unwrap());
        // The engine aborts.
        while let Ok(Event::Command(command)) = device.next_command().await {
            drop(command);
        }
    });
    failed_with_995(engines);
    drop(device);
    drop(other);
    assert!(set.close().is_err());
}

fn a_leaked_command_fails_the_operation(both: &Both) {
    let (set, mut devices, other, engines) = meet(both, 1, Direction::Backup, write_once);
    let mut device = devices.pop().unwrap();
    run(async {
        std::mem::forget(device.next_command().await.unwrap());
        while let Ok(Event::Command(command)) = device.next_command().await {
            drop(command);
        }
    });
    failed_with_995(engines);
    drop(device);
    drop(other);
    assert!(set.close().is_err());
}

fn failed_with_995(engines: Vec<thread::JoinHandle<Result<(), EngineError>>>) {
    for engine in engines {
        let error = engine.join().unwrap().unwrap_err();
        assert!(
            matches!(
                error,
                EngineError::Failed { code, .. } if code == CompletionCode::OPERATION_ABORTED
            ),
            "{error:?}"
        );
    }
}

fn a_dropped_device_aborts_the_set(both: &Both) {
    let (set, devices, other, engines) = meet(both, 2, Direction::Backup, write_all);
    run(async {
        let mut devices = devices.into_iter();
        drop(devices.next());
        let mut rest = devices.next().unwrap();
        let error = loop {
            match rest.next_command().await {
                Ok(Event::Command(command)) => drop(command),
                Ok(Event::Ended) => panic!("the set was aborted"),
                Err(error) => break error,
            }
        };
        assert!(matches!(
            error,
            DeviceError::Aborted | DeviceError::EngineLost
        ));
        // It stays the answer.
        assert!(rest.next_command().await.is_err());
    });
    for engine in engines {
        assert!(engine.join().unwrap().is_err());
    }
    drop(other);
    assert!(set.close().is_err());
}

fn an_abort_wakes_the_task_that_waits(both: &Both) {
    // The engine sends nothing.
    let (set, mut devices, mut other) = both.pair(1, Direction::Backup);
    let engine = other.devices();
    let mut device = Device::new(devices.pop().unwrap()).unwrap();
    let abort = device.abort_handle();
    let error = run(async {
        let waits = async { device.next_command().await.map(|_| ()).unwrap_err() };
        let aborts = async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            abort.abort();
        };
        tokio::join!(waits, aborts).0
    });
    assert!(matches!(error, DeviceError::Aborted));
    drop(engine);
    drop(other);
    assert!(set.close().is_err());
}

fn more_bytes_than_asked_for_are_refused(both: &Both) {
    let (set, mut devices, other, engines) = meet(both, 1, Direction::Restore, |_, mut device| {
        device.read(&mut [0; 512])
    });
    let mut device = devices.pop().unwrap();
    let error = run(async {
        let event = device.next_command().await.unwrap();
        let Event::Command(Command::Read(read)) = event else {
            panic!("a restore")
        };
        read.complete(513).await.unwrap_err()
    });
    assert!(matches!(
        error,
        DeviceError::TooManyBytes {
            size: 512,
            bytes: 513
        }
    ));
    drop(device);
    for engine in engines {
        assert!(engine.join().unwrap().is_err());
    }
    drop(other);
    assert!(set.close().is_err());
}

fn bytes_are_kept_or_the_command_stays_as_it_was(both: &Both) {
    let (set, devices, mut other) = both.pair(1, Direction::Backup);
    let device = devices.into_iter().next().unwrap();
    device.keep_at_most(3);
    let mut device = Device::new(device).unwrap();
    let engine = other.devices().pop().unwrap();
    let engine = thread::spawn(move || write_all(0, engine));
    let (kept, copied) = run(async {
        let (mut kept, mut copied) = (Vec::new(), Vec::new());
        while let Event::Command(command) = device.next_command().await.unwrap() {
            match command {
                Command::Write(write) => match write.keep() {
                    Ok((bytes, taken)) => {
                        kept.push(bytes);
                        taken.complete().await.unwrap();
                    }
                    Err(write) => {
                        copied.extend_from_slice(write.data());
                        write.complete().await.unwrap();
                    }
                },
                Command::Flush(flush) => flush.complete().await.unwrap(),
                Command::Complete(complete) => complete.complete().await.unwrap(),
                Command::Read(_) => panic!("a backup"),
            }
        }
        (kept, copied)
    });
    engine.join().unwrap().unwrap();
    other.close().unwrap();
    set.close().unwrap();
    // Either none, because the memory is the other process's, or the first three.
    assert!(matches!(kept.len(), 0 | 3));
    let mut saved: Vec<u8> = kept.iter().flat_map(|it| it.as_ref().to_vec()).collect();
    saved.extend(copied);
    assert!(saved == content(0, LENGTH));
}

fn a_command_dropped_after_its_bytes_were_kept_fails_the_operation(both: &Both) {
    let (_set, devices, mut other) = both.pair(1, Direction::Backup);
    let device = devices.into_iter().next().unwrap();
    device.keep_at_most(1);
    let mut device = Device::new(device).unwrap();
    let engine = other.devices().pop().unwrap();
    let engine = thread::spawn(move || write_all(0, engine));
    run(async {
        let Event::Command(Command::Write(write)) = device.next_command().await.unwrap() else {
            panic!("a write comes first")
        };
        drop(write.keep());
        // Others may have been on their way.
        while device.next_command().await.is_ok() {}
    });
    assert!(matches!(
        engine.join().unwrap(),
        Err(EngineError::Failed {
            code: CompletionCode::OPERATION_ABORTED,
            ..
        })
    ));
}
