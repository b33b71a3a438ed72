//! Backups and restores over virtual devices.

use std::time::Duration;

use vab_vdi::memory::Hub;
use vab_vdi::{Command, Device, DeviceName, Event, Geometry, SetConfig, Transport, Waited};

use super::*;
use crate::engine::Engine;

const WAIT: Duration = Duration::from_secs(20);

/// What a client does with its devices: serves each on a thread of its own.
fn serve<T: Send + 'static>(
    hub: &Hub,
    name: &DeviceName,
    tasks: Vec<T>,
    task: impl Fn(T, &Device) -> T + Send + Sync + Clone + 'static,
) -> std::thread::JoinHandle<Vec<T>> {
    let config = SetConfig::new(name, tasks.len()).unwrap();
    let set = hub.create(config).unwrap();
    std::thread::spawn(move || {
        let Waited::Ready(set) = set.wait(WAIT).unwrap() else {
            panic!("the engine never came");
        };
        let (set, devices) = set.open().unwrap();
        let threads: Vec<_> = tasks
            .into_iter()
            .zip(devices)
            .map(|(state, device)| {
                let task = task.clone();
                std::thread::spawn(move || task(state, &device))
            })
            .collect();
        let done = threads.into_iter().map(|t| t.join().unwrap()).collect();
        // After an abort this says so; the engine's own result is what is tested.
        let _ = set.close();
        done
    })
}

fn save(mut to: Vec<u8>, device: &Device) -> Vec<u8> {
    while let Ok(Event::Command(command)) = device.next_command(Some(WAIT)) {
        match command {
            Command::Write(write) => {
                to.extend_from_slice(write.data());
                write.complete().unwrap();
            }
            Command::Flush(flush) => flush.complete().unwrap(),
            Command::Complete(complete) => complete.complete().unwrap(),
            Command::Read(_) => panic!("a backup does not read"),
        }
    }
    to
}

fn replay(from: Vec<u8>, device: &Device) -> Vec<u8> {
    let mut rest = from.as_slice();
    while let Ok(Event::Command(command)) = device.next_command(Some(WAIT)) {
        match command {
            Command::Read(mut read) => {
                let count = rest.len().min(read.size());
                read.buffer()[..count].copy_from_slice(&rest[..count]);
                rest = &rest[count..];
                if rest.is_empty() {
                    read.complete_end_of_data(count).unwrap();
                } else {
                    read.complete(count).unwrap();
                }
            }
            Command::Flush(flush) => flush.complete().unwrap(),
            Command::Complete(complete) => complete.complete().unwrap(),
            Command::Write(_) => panic!("a restore does not write"),
        }
    }
    from
}

fn names(set: &DeviceName, count: usize) -> Vec<DeviceName> {
    (0..count).map(|n| set.numbered(n).unwrap()).collect()
}

#[test]
fn a_backup_over_four_devices_restores_over_four_devices() {
    let (world, db) = World::with_db();
    for key in 0..3000 {
        db.put(key, &[1; 900]).unwrap();
    }
    let hub = Hub::new();
    let name = DeviceName::new("full").unwrap();
    let client = serve(&hub, &name, vec![Vec::new(); 4], save);
    let mut request = BackupRequest::new("db", BackupKind::Full, names(&name, 4));
    request.geometry = Geometry::new(4096, 262_144).unwrap();
    let told = Arc::new(std::sync::Mutex::new(crate::Progress::default()));
    let seen = told.clone();
    request.progress = crate::ProgressSink::new(move |progress| *seen.lock().unwrap() = progress);
    let set = world.instance.backup(&request, &hub).unwrap();
    let stripes = client.join().unwrap();
    assert_eq!(set.stripes, 4);
    assert!(
        stripes
            .iter()
            .all(|s| s.len() > 500_000 && s.len() % 4096 == 0)
    );
    let progress = *told.lock().unwrap();
    assert!(progress.bytes > 2_700_000 && progress.bytes == progress.total);

    let name = DeviceName::new("restore").unwrap();
    let client = serve(&hub, &name, stripes, replay);
    let mut request = RestoreRequest::new("copy", BackupKind::Full, names(&name, 4));
    request.geometry = Geometry::new(4096, 65_536).unwrap();
    request.recovery = Recovery::Recovery;
    world.instance.restore(&request, &hub).unwrap();
    client.join().unwrap();
    assert_eq!(world.db("copy").digest().unwrap(), db.digest().unwrap());
}

#[test]
fn work_goes_on_during_a_backup_and_the_backup_is_consistent() {
    let (world, db) = World::with_db();
    for key in 0..2000 {
        db.put(key, &[1; 900]).unwrap();
    }
    let hub = Hub::new();
    let name = DeviceName::new("busy").unwrap();
    let worker = db.clone();
    // Each written block is followed by more work.
    let client = serve(
        &hub,
        &name,
        vec![Vec::new(); 2],
        move |mut to: Vec<u8>, device| {
            let mut key = 0;
            while let Ok(Event::Command(command)) = device.next_command(Some(WAIT)) {
                match command {
                    Command::Write(write) => {
                        to.extend_from_slice(write.data());
                        for _ in 0..20 {
                            key = (key + 37) % 2500;
                            // The two devices' threads may meet on a row.
                            let _ = worker.put(key, &[2; 950]);
                        }
                        write.complete().unwrap();
                    }
                    Command::Flush(flush) => flush.complete().unwrap(),
                    Command::Complete(complete) => complete.complete().unwrap(),
                    Command::Read(_) => panic!("a backup does not read"),
                }
            }
            to
        },
    );
    let mut request = BackupRequest::new("db", BackupKind::Full, names(&name, 2));
    request.geometry = Geometry::new(65_536, 65_536).unwrap();
    let set = world.instance.backup(&request, &hub).unwrap();
    let full = Kept {
        set,
        stripes: client.join().unwrap(),
    };
    let log = world.log("db");
    let diff = world.diff("db");
    world.restore_all("copy", &[&full, &log], None);
    assert_eq!(world.rows("copy"), world.rows("db"));
    world.restore_all("other", &[&full, &diff], None);
    assert_eq!(world.rows("other"), world.rows("db"));
    // Alone it is whole as well: every row is there, with an old or a new value.
    world.restore_all("alone", &[&full], None);
    assert!(world.rows("alone").len() >= 2000);
}

#[test]
fn a_device_that_fails_fails_the_backup() {
    let (world, db) = World::with_db();
    world.full("db");
    db.put(1, &[1; 900]).unwrap();
    let before = db.info();
    let hub = Hub::new();
    let name = DeviceName::new("bad").unwrap();
    let client = serve(&hub, &name, vec![0, 1, 2], |number, device| {
        while let Ok(Event::Command(command)) = device.next_command(Some(WAIT)) {
            match command {
                Command::Write(write) if number == 1 => {
                    let _ = write.fail(vab_vdi::CompletionCode::DISK_FULL);
                }
                Command::Write(write) => drop(write.complete()),
                Command::Flush(flush) => drop(flush.complete()),
                Command::Complete(complete) => drop(complete.complete()),
                Command::Read(_) => {}
            }
        }
        number
    });
    let request = BackupRequest::new("db", BackupKind::Log, names(&name, 3));
    let error = world.instance.backup(&request, &hub).unwrap_err();
    let BackupError::Device { device, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(device.as_str(), "bad1");
    client.join().unwrap();
    assert_eq!(db.info(), before);
}

#[test]
fn a_set_that_is_never_created_fails_the_backup() {
    let (world, db) = World::with_db();
    let hub = Hub::new();
    let name = DeviceName::new("nobody").unwrap();
    let mut request = BackupRequest::new("db", BackupKind::Full, vec![name]);
    request.timeout = Duration::from_millis(1);
    let error = world.instance.backup(&request, &hub).unwrap_err();
    assert!(matches!(error, BackupError::Set(_)), "{error}");
    assert_eq!(db.info().differential_base, None);
}

#[test]
fn two_databases_are_backed_up_at_once() {
    let world = World::new();
    let hub = Hub::new();
    let kept: Vec<Kept> = std::thread::scope(|scope| {
        let threads: Vec<_> = ["one", "two"]
            .map(|name| {
                let db = world
                    .instance
                    .create_database(name, RecoveryModel::Full)
                    .unwrap();
                for key in 0..1000 {
                    db.put(key, name.as_bytes()).unwrap();
                }
                let (instance, hub) = (&world.instance, hub.clone());
                scope.spawn(move || {
                    let device = DeviceName::new(name).unwrap();
                    let client = serve(&hub, &device, vec![Vec::new(); 3], save);
                    let request = BackupRequest::new(name, BackupKind::Full, names(&device, 3));
                    let set = instance.backup(&request, &hub).unwrap();
                    let stripes = client.join().unwrap();
                    Kept { set, stripes }
                })
            })
            .into_iter()
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    for kept in &kept {
        world.restore_all("copy", &[kept], None);
        assert_eq!(world.rows("copy"), world.rows(&kept.set.database));
        world.instance.drop_database("copy").unwrap();
    }
}

#[test]
fn an_abort_in_the_middle_ends_a_restore_and_leaves_nothing() {
    let (world, db) = World::with_db();
    for key in 0..3000 {
        db.put(key, &[1; 900]).unwrap();
    }
    let full = world.full("db");
    let hub = Hub::new();
    let name = DeviceName::new("cut").unwrap();
    let client = serve(&hub, &name, full.stripes, |from: Vec<u8>, device| {
        let mut read = 0;
        while let Ok(Event::Command(command)) = device.next_command(Some(WAIT)) {
            if let Command::Read(mut command) = command {
                let count = command.size();
                if read + count > from.len() / 2 {
                    let _ = command.fail(vab_vdi::CompletionCode::READ_FAULT);
                    break;
                }
                command.buffer()[..count].copy_from_slice(&from[read..read + count]);
                read += count;
                let _ = command.complete(count);
            }
        }
        from
    });
    let request = RestoreRequest::new("copy", BackupKind::Full, names(&name, 2));
    let error = world.instance.restore(&request, &hub).unwrap_err();
    assert!(matches!(error, RestoreError::Device { .. }), "{error}");
    client.join().unwrap();
    assert!(world.instance.database("copy").is_err());
}
