//! Backups and what they say.

use super::*;
use crate::request::Tail;
use vab_chain::{BackupKind, Lsn};

#[test]
fn a_full_says_what_it_is() {
    let (world, _db) = World::with_db();
    world.put("db", 1, "one");
    let full = world.full("db").set;
    assert_eq!((full.kind, full.copy_only), (BackupKind::Full, false));
    assert!(full.first_lsn <= full.checkpoint_lsn && full.checkpoint_lsn < full.last_lsn);
    assert_eq!(full.database_backup_lsn, Lsn::ZERO);
    assert_eq!(full.first_fork, full.last_fork);
    assert_eq!(full.stripes, 2);
    assert_eq!(
        (full.started, full.finished),
        (start_plus(1), start_plus(1))
    );
    let second = world.full("db").set;
    assert_eq!(second.database_backup_lsn, full.checkpoint_lsn);
}

fn start_plus(seconds: i64) -> ServerTime {
    ServerTime::from_micros(start().as_micros() + seconds * SECOND)
}

#[test]
fn logs_join_end_to_begin_across_fulls_and_differentials() {
    let (world, _db) = World::with_db();
    let full = world.full("db").set;
    world.put("db", 1, "a");
    let one = world.log("db").set;
    world.put("db", 2, "b");
    let diff = world.diff("db").set;
    world.full("db");
    let two = world.log("db").set;
    assert!(one.first_lsn <= full.last_lsn && one.last_lsn > full.last_lsn);
    assert_eq!(two.first_lsn, one.last_lsn);
    assert!(one.flags.begins_log_chain && !two.flags.begins_log_chain);
    let base = diff.differential_base.unwrap();
    assert_eq!((base.id, base.lsn), (Some(full.id), full.checkpoint_lsn));
}

#[test]
fn an_idle_database_gives_empty_logs() {
    let (world, _db) = World::with_db();
    world.full("db");
    world.log("db");
    let idle = world.log("db").set;
    assert_eq!(idle.first_lsn, idle.last_lsn);
}

#[test]
fn no_log_backup_before_a_full_and_none_under_simple() {
    let (world, db) = World::with_db();
    let error = world.try_backup("db", BackupKind::Log).err().unwrap();
    assert_eq!(backup_number(&error), 4214);
    db.set_recovery_model(RecoveryModel::Simple).unwrap();
    let error = world.try_backup("db", BackupKind::Log).err().unwrap();
    assert_eq!(backup_number(&error), 4208);
}

#[test]
fn a_copy_only_full_starts_no_chain_and_is_no_base() {
    let (world, db) = World::with_db();
    let mut request = BackupRequest::new("db", BackupKind::Full, Vec::new());
    request.copy_only = true;
    world.try_backup_with(&request).unwrap();
    let log = world.try_backup("db", BackupKind::Log).err().unwrap();
    assert_eq!(backup_number(&log), 4214);
    let diff = world
        .try_backup("db", BackupKind::Differential)
        .err()
        .unwrap();
    assert_eq!(backup_number(&diff), 3035);
    let base = world.full("db").set.id;
    world.try_backup_with(&request).unwrap();
    assert_eq!(db.info().differential_base.unwrap().id, Some(base));
}

#[test]
fn a_copy_only_log_leaves_the_chain_where_it_is() {
    let (world, _db) = World::with_db();
    world.full("db");
    world.put("db", 1, "a");
    let mut request = BackupRequest::new("db", BackupKind::Log, Vec::new());
    request.copy_only = true;
    let copy = world.try_backup_with(&request).unwrap().set;
    world.put("db", 2, "b");
    let log = world.log("db").set;
    assert_eq!(copy.first_lsn, log.first_lsn);
    assert!(copy.last_lsn < log.last_lsn);
    assert!(copy.copy_only && log.flags.begins_log_chain);
}

#[test]
fn simple_ends_the_chain_and_a_differential_starts_another() {
    let (world, db) = World::with_db();
    world.full("db");
    world.put("db", 1, "a");
    let before = world.log("db").set;
    db.set_recovery_model(RecoveryModel::Simple).unwrap();
    world.put("db", 2, "b");
    db.set_recovery_model(RecoveryModel::Full).unwrap();
    let error = world.try_backup("db", BackupKind::Log).err().unwrap();
    assert_eq!(backup_number(&error), 4214);
    let diff = world.diff("db").set;
    world.put("db", 3, "c");
    let after = world.log("db").set;
    assert!(after.first_lsn > before.last_lsn, "a gap");
    assert!(after.first_lsn <= diff.last_lsn && after.flags.begins_log_chain);
}

#[test]
fn somebody_elses_backups_move_the_base_and_the_chain() {
    let (world, db) = World::with_db();
    let ours = world.full("db").set;
    world.put("db", 1, "a");
    let foreign = BackupRequest::new("db", BackupKind::Full, Vec::new());
    let theirs = world.instance.backup_elsewhere(&foreign).unwrap();
    assert_ne!(ours.id, theirs.id);
    assert_eq!(db.info().differential_base.unwrap().id, Some(theirs.id));
    let foreign = BackupRequest::new("db", BackupKind::Log, Vec::new());
    let theirs = world.instance.backup_elsewhere(&foreign).unwrap();
    assert_eq!(db.info().last_log_backup_lsn, Some(theirs.last_lsn));
}

#[test]
fn a_differential_holds_only_what_changed() {
    let (world, db) = World::with_db();
    for key in 0..400 {
        db.put(key, &[7; 1000]).unwrap();
    }
    let full = world.full("db");
    world.put("db", 3, "changed");
    let size = |kept: &Kept| kept.stripes.iter().map(Vec::len).sum::<usize>();
    let diff = world.diff("db");
    assert!(
        size(&diff) * 4 < size(&full),
        "{} {}",
        size(&diff),
        size(&full)
    );
}

#[test]
fn log_is_removed_by_log_backups_only() {
    let (world, db) = World::with_db();
    world.full("db");
    let fill = || {
        for key in 0..800 {
            db.put(key, &[1; 1000]).unwrap();
        }
    };
    fill();
    let first = |db: &Database| db.core().log.first_file();
    let before = first(&db);
    db.checkpoint().unwrap();
    world.full("db");
    assert_eq!(first(&db), before, "a full does not truncate the log");
    world.log("db");
    assert!(first(&db) > before);
}

#[test]
fn a_transaction_that_is_open_keeps_its_log() {
    let (world, db) = World::with_db();
    world.full("db");
    let mut open = db.begin().unwrap();
    open.put(9999, b"open").unwrap();
    let begin = db.core().oldest();
    for key in 0..800 {
        db.put(key, &[1; 1000]).unwrap();
    }
    world.log("db");
    db.checkpoint().unwrap();
    let full = world.full("db").set;
    assert_eq!(full.first_lsn, begin);
    drop(open);
    assert_eq!(db.row(9999).unwrap(), None);
}

#[test]
fn a_failed_backup_changes_nothing() {
    struct Full;
    impl crate::sim::StripeWriter for Full {
        fn write(&mut self, _: &[u8]) -> Result<(), BackupError> {
            Ok(())
        }
        fn finish(&mut self) -> Result<(), BackupError> {
            Err(BackupError::Set(vab_vdi::EngineError::Aborted))
        }
    }
    let (world, db) = World::with_db();
    world.full("db");
    world.put("db", 1, "a");
    let before = db.info();
    for kind in [BackupKind::Full, BackupKind::Log] {
        let request = BackupRequest::new("db", kind, Vec::new());
        assert!(world.instance.backup_to(&request, &mut [Full]).is_err());
        assert_eq!(db.info(), before, "{kind}");
    }
    let mut tail = BackupRequest::new("db", BackupKind::Log, Vec::new());
    tail.tail = Tail::NoRecovery;
    assert!(world.instance.backup_to(&tail, &mut [Full]).is_err());
    world.put("db", 2, "still online");
}

#[test]
fn a_damaged_page_fails_the_backup_unless_told_otherwise() {
    let (world, db) = World::with_db();
    world.put("db", 1, "a");
    db.checkpoint().unwrap();
    db.damage_page(0).unwrap();
    let mut request = BackupRequest::new("db", BackupKind::Full, Vec::new());
    let error = world.try_backup_with(&request).err().unwrap();
    assert_eq!(backup_number(&error), 824);
    request.continue_after_error = true;
    assert!(world.try_backup_with(&request).unwrap().set.flags.damaged);
}

#[test]
fn the_tail_leaves_the_database_restoring() {
    let (world, db) = World::with_db();
    world.full("db");
    world.put("db", 1, "a");
    let mut request = BackupRequest::new("db", BackupKind::Log, Vec::new());
    request.tail = Tail::NoRecovery;
    let open = {
        let mut open = db.begin().unwrap();
        open.put(5, b"x").unwrap();
        open
    };
    let error = world.try_backup_with(&request).err().unwrap();
    assert_eq!(backup_number(&error), 3101);
    drop(open);
    assert!(world.try_backup_with(&request).unwrap().set.flags.tail);
    assert_eq!(db.info().state, crate::DatabaseState::Restoring);
    assert!(db.put(2, b"b").is_err());
}

/// Keeps a stripe, and has others work and save the log meanwhile.
struct Busy<'w> {
    world: &'w World,
    kept: Vec<u8>,
    rounds: u8,
}

impl crate::sim::StripeWriter for Busy<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), BackupError> {
        self.kept.extend_from_slice(bytes);
        if self.rounds > 0 {
            self.rounds -= 1;
            let db = self.world.db("db");
            for key in 0..800 {
                db.put(key, &[self.rounds; 1000]).unwrap();
            }
            let log = BackupRequest::new("db", BackupKind::Log, Vec::new());
            self.world.instance.backup_elsewhere(&log).unwrap();
            db.checkpoint().unwrap();
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), BackupError> {
        Ok(())
    }
}

#[test]
fn a_log_backup_during_a_full_leaves_it_the_log_it_needs() {
    let (world, db) = World::with_db();
    world.full("db");
    for key in 0..800 {
        db.put(key, &[9; 1000]).unwrap();
    }
    let mut writers = [Busy {
        world: &world,
        kept: Vec::new(),
        rounds: 3,
    }];
    let request = BackupRequest::new("db", BackupKind::Full, Vec::new());
    let set = world.instance.backup_to(&request, &mut writers).unwrap();
    let [Busy { kept, .. }] = writers;
    let stripes = vec![kept];
    world.restore_all("copy", &[&Kept { set, stripes }], None);
    let digest = |name| world.db(name).digest().unwrap();
    assert_eq!(digest("copy"), digest("db"));
}

#[test]
fn a_secondary_replica_refuses_what_does_not_come_from_it() {
    let (world, db) = World::with_db();
    world.full("db");
    db.set_replica(Some(crate::Replica {
        secondary: true,
        preferred: true,
    }))
    .unwrap();
    let take = |kind, copy_only| {
        let mut request = BackupRequest::new("db", kind, Vec::new());
        request.copy_only = copy_only;
        world.instance.backup_elsewhere(&request)
    };
    for (kind, copy_only) in [(BackupKind::Full, false), (BackupKind::Differential, false)] {
        let refused = take(kind, copy_only).unwrap_err();
        assert_eq!(refused.refusal().unwrap().number(), 3059);
    }
    take(BackupKind::Full, true).unwrap();
    take(BackupKind::Log, false).unwrap();
}
