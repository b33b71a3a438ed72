//! Instances on disk that end without a word.

use super::*;
use crate::sim::InstanceError;

fn options() -> Options {
    Options::new(start)
}

#[test]
fn what_was_committed_is_there_after_a_crash_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    {
        let instance = Instance::create(folder.path(), options()).unwrap();
        let db = instance.create_database("db", RecoveryModel::Full).unwrap();
        db.put(1, b"one").unwrap();
        db.checkpoint().unwrap();
        db.put(2, &[2; 6000]).unwrap();
        let mut open = db.begin().unwrap();
        open.put(1, b"open").unwrap();
        open.put(3, &[3; 6000]).unwrap();
        db.checkpoint().unwrap();
        open.put(4, b"open").unwrap();
        std::mem::forget(open);
        db.put(5, b"five").unwrap();
    }
    for _ in 0..2 {
        let instance = Instance::open(folder.path(), options()).unwrap();
        let db = instance.database("db").unwrap();
        let keys: Vec<_> = db.rows().unwrap().iter().map(|(key, _)| *key).collect();
        assert_eq!(keys, [1, 2, 5]);
        assert_eq!(db.row(1).unwrap().as_deref(), Some(&b"one"[..]));
    }
}

#[test]
fn an_instance_is_used_by_one_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let first = Instance::create(folder.path(), options()).unwrap();
    let second = Instance::open(folder.path(), options());
    assert!(matches!(second, Err(InstanceError::InUse { .. })));
    drop(first);
    Instance::open(folder.path(), options()).unwrap();
    let third = Instance::create(folder.path(), options());
    assert!(matches!(third, Err(InstanceError::Exists { .. })));
}

#[test]
fn there_is_nothing_to_open_in_an_empty_folder() {
    let folder = tempfile::tempdir().unwrap();
    let opened = Instance::open(folder.path(), options());
    assert!(matches!(opened, Err(InstanceError::NotFound { .. })));
}

#[test]
fn the_chain_goes_on_in_the_next_process() {
    let folder = tempfile::tempdir().unwrap();
    let mut kept = Vec::new();
    let kinds = [
        BackupKind::Full,
        BackupKind::Log,
        BackupKind::Differential,
        BackupKind::Log,
        BackupKind::Log,
    ];
    for (key, kind) in (0..).zip(kinds) {
        let instance = Instance::open_or_create(folder.path(), options()).unwrap();
        let db = match instance.database("db") {
            Ok(db) => db,
            Err(_) => instance.create_database("db", RecoveryModel::Full).unwrap(),
        };
        db.put(key, &[7; 3000]).unwrap();
        let mut stripes = vec![Vec::new(); 3];
        let request = BackupRequest::new("db", kind, Vec::new());
        let set = instance.backup_to(&request, &mut stripes).unwrap();
        kept.push(Kept { set, stripes });
    }
    let [full, one, diff, two, three] = kept.as_slice() else {
        panic!("five sets");
    };
    assert_eq!(one.set.last_lsn, two.set.first_lsn);
    assert_eq!(diff.set.differential_base.unwrap().id, Some(full.set.id));
    for sets in [
        [full, one, two, three].as_slice(),
        &[full, diff, two, three],
    ] {
        for kept in sets {
            // One process per step.
            let instance = Instance::open(folder.path(), options()).unwrap();
            let request = RestoreRequest::new("copy", kept.set.kind, Vec::new());
            let readers = kept.stripes.iter().map(Vec::as_slice);
            instance.restore_from(&request, readers).unwrap();
        }
        let instance = Instance::open(folder.path(), options()).unwrap();
        crate::Engine::recover(&instance, &crate::RecoverRequest::new("copy")).unwrap();
        let copy = instance.database("copy").unwrap();
        let original = instance.database("db").unwrap();
        assert_eq!(copy.digest().unwrap(), original.digest().unwrap());
        assert_eq!(copy.digest().unwrap().rows(), 5);
        drop((copy, original));
        instance.drop_database("copy").unwrap();
    }
}

#[test]
fn standby_survives_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let (world, db) = World::with_db();
    world.put("db", 1, "a");
    let full = world.full("db");
    let mut open = db.begin().unwrap();
    open.put(1, b"open").unwrap();
    let one = world.log("db");
    open.commit().unwrap();
    let two = world.log("db");
    let steps = [
        (&full, Recovery::NoRecovery),
        (&one, Recovery::Standby),
        (&two, Recovery::Recovery),
    ];
    for (kept, recovery) in steps {
        let instance = Instance::open_or_create(folder.path(), options()).unwrap();
        let mut request = RestoreRequest::new("copy", kept.set.kind, Vec::new());
        request.recovery = recovery;
        let readers = kept.stripes.iter().map(Vec::as_slice);
        instance.restore_from(&request, readers).unwrap();
        if recovery == Recovery::Standby {
            let copy = instance.database("copy").unwrap();
            assert_eq!(copy.rows().unwrap(), rows(&[(1, "a")]));
        }
    }
    let instance = Instance::open(folder.path(), options()).unwrap();
    let copy = instance.database("copy").unwrap();
    assert_eq!(copy.rows().unwrap(), rows(&[(1, "open")]));
}

#[test]
fn a_bulk_load_that_a_crash_cut_short_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    {
        let instance = Instance::create(folder.path(), options()).unwrap();
        let db = instance
            .create_database("db", RecoveryModel::BulkLogged)
            .unwrap();
        db.put(1, b"one").unwrap();
        let mut load = db.begin().unwrap();
        load.bulk_load((100..200).map(|key| (key, vec![1; 900])))
            .unwrap();
        db.damage_page(3).unwrap();
        std::mem::forget(load);
    }
    let instance = Instance::open(folder.path(), options()).unwrap();
    let db = instance.database("db").unwrap();
    assert_eq!(db.rows().unwrap(), rows(&[(1, "one")]));
}

#[test]
fn a_torn_end_of_the_log_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    {
        let instance = Instance::create(folder.path(), options()).unwrap();
        let db = instance.create_database("db", RecoveryModel::Full).unwrap();
        db.put(1, b"one").unwrap();
        db.put(2, b"two").unwrap();
    }
    let log = std::fs::read_dir(folder.path().join("db-000001"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|e| e == "vlf"))
        .unwrap();
    let bytes = std::fs::read(&log).unwrap();
    std::fs::write(&log, &bytes[..bytes.len() - 100]).unwrap();
    let instance = Instance::open(folder.path(), options()).unwrap();
    let db = instance.database("db").unwrap();
    assert_eq!(db.rows().unwrap(), rows(&[(1, "one")]));
}

#[test]
fn a_database_whose_pages_are_damaged_is_suspect_and_can_be_restored_over() {
    let folder = tempfile::tempdir().unwrap();
    let mut stripes = vec![Vec::new()];
    {
        let instance = Instance::create(folder.path(), options()).unwrap();
        let other = instance
            .create_database("other", RecoveryModel::Simple)
            .unwrap();
        other.put(1, b"fine").unwrap();
        let db = instance.create_database("db", RecoveryModel::Full).unwrap();
        db.put(1, b"one").unwrap();
        let request = BackupRequest::new("db", BackupKind::Full, Vec::new());
        instance.backup_to(&request, &mut stripes).unwrap();
        let mut open = db.begin().unwrap();
        open.put(1, b"open").unwrap();
        db.checkpoint().unwrap();
        std::mem::forget(open);
        db.damage_page(0).unwrap();
    }
    let instance = Instance::open(folder.path(), options()).unwrap();
    assert_eq!(
        instance.database("other").unwrap().rows().unwrap(),
        rows(&[(1, "fine")])
    );
    let db = instance.database("db").unwrap();
    assert_eq!(db.info().state, crate::DatabaseState::Suspect);
    assert!(db.rows().is_err());
    let mut request = RestoreRequest::new("db", BackupKind::Full, Vec::new());
    request.recovery = Recovery::Recovery;
    let readers = stripes.iter().map(Vec::as_slice);
    instance.restore_from(&request, readers).unwrap();
    let db = instance.database("db").unwrap();
    assert_eq!(db.rows().unwrap(), rows(&[(1, "one")]));
}

#[test]
fn a_tail_left_in_standby_can_be_read_by_the_next_process() {
    let folder = tempfile::tempdir().unwrap();
    {
        let instance = Instance::create(folder.path(), options()).unwrap();
        let db = instance.create_database("db", RecoveryModel::Full).unwrap();
        db.put(1, b"one").unwrap();
        for (kind, tail) in [
            (BackupKind::Full, crate::Tail::KeepOnline),
            (BackupKind::Log, crate::Tail::Standby),
        ] {
            let mut request = BackupRequest::new("db", kind, Vec::new());
            request.tail = tail;
            instance.backup_elsewhere(&request).unwrap();
        }
    }
    let instance = Instance::open(folder.path(), options()).unwrap();
    let db = instance.database("db").unwrap();
    assert_eq!(db.info().state, crate::DatabaseState::Standby);
    assert_eq!(db.rows().unwrap(), rows(&[(1, "one")]));
    crate::Engine::recover(&instance, &crate::RecoverRequest::new("db")).unwrap();
    db.put(2, b"two").unwrap();
}
