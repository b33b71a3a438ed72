//! Restores.

use vab_chain::Lsn;

use super::*;
use crate::DatabaseState;
use crate::engine::Engine;
use crate::request::{RecoverRequest, StopEdge, StopOutcome, Tail};

fn at(seconds: i64) -> StopAt {
    let micros = start().as_micros() + seconds * SECOND;
    StopAt::Time(ServerTime::from_micros(micros))
}

#[test]
fn full_differential_and_logs_give_the_rows_of_the_end() {
    let (world, _db) = World::with_db();
    world.put("db", 1, "a");
    let full = world.full("db");
    world.put("db", 2, "b");
    let one = world.log("db");
    world.put("db", 1, "A");
    let diff = world.diff("db");
    world.put("db", 3, "c");
    let two = world.log("db");
    let expected = world.rows("db");
    for sets in [vec![&full, &one, &two], vec![&full, &diff, &two]] {
        let restored = world.restore_all("copy", &sets, None);
        assert_eq!(restored.state, DatabaseState::Online);
        assert_eq!(world.rows("copy"), expected);
        world.instance.drop_database("copy").unwrap();
    }
}

#[test]
fn a_stop_in_the_middle_of_a_log_gives_the_rows_of_that_moment() {
    let (world, _db) = World::with_db();
    let full = world.full("db");
    let mut states = Vec::new();
    for key in 0..5 {
        world.put("db", key, "x");
        states.push((world.clock.shows(), world.rows("db")));
    }
    let log = world.log("db");
    for (time, expected) in states {
        let stop = Some(StopAt::Time(time));
        let restored = world.restore_all("copy", &[&full, &log], stop);
        assert_eq!(restored.stop, StopOutcome::Reached);
        assert_eq!(world.rows("copy"), expected);
        world.instance.drop_database("copy").unwrap();
    }
}

#[test]
fn a_stop_beyond_the_log_leaves_the_database_restoring() {
    let (world, _db) = World::with_db();
    let full = world.full("db");
    world.put("db", 1, "a");
    let log = world.log("db");
    let restored = world.restore_all("copy", &[&full, &log], Some(at(1000)));
    assert_eq!(restored.stop, StopOutcome::Beyond);
    assert_eq!(restored.state, DatabaseState::Restoring);
    let recovered = world
        .instance
        .recover(&RecoverRequest::new("copy"))
        .unwrap();
    assert_eq!(recovered.state, DatabaseState::Online);
    assert_eq!(world.rows("copy"), rows(&[(1, "a")]));
}

#[test]
fn a_transaction_open_over_backups_is_there_or_not_by_its_commit() {
    let (world, db) = World::with_db();
    let mut open = db.begin().unwrap();
    open.put(1, b"open").unwrap();
    let full = world.full("db");
    open.put(2, b"open").unwrap();
    let one = world.log("db");
    open.commit().unwrap();
    let two = world.log("db");
    world.restore_all("short", &[&full, &one], None);
    assert_eq!(world.rows("short"), rows(&[]));
    world.restore_all("long", &[&full, &one, &two], None);
    assert_eq!(world.rows("long"), rows(&[(1, "open"), (2, "open")]));
}

#[test]
fn each_set_at_the_wrong_place_is_refused_by_its_number() {
    let (world, _db) = World::with_db();
    let old = world.full("db");
    world.put("db", 1, "a");
    let one = world.log("db");
    world.put("db", 2, "b");
    let two = world.log("db");
    let full = world.full("db");
    world.put("db", 3, "c");
    let diff = world.diff("db");
    world.put("db", 4, "d");
    let three = world.log("db");
    let number =
        |name: &str, kept: &Kept| restore_number(&world.try_restore(name, kept).unwrap_err());
    assert_eq!(number("copy", &one), 3118, "no database");
    assert_eq!(number("db", &one), 3117, "online");
    world.restore("copy", &old);
    assert_eq!(number("copy", &two), 4305, "a gap");
    assert_eq!(number("copy", &diff), 3136, "another base");
    world.restore("copy", &one);
    assert_eq!(number("copy", &one), 4326, "nothing new");
    world.restore("new", &full);
    assert_eq!(number("new", &one), 4326, "too early");
    world.restore("new", &diff);
    world.restore("new", &three);
    assert_eq!(number("new", &diff), 3136, "a differential after a log");
}

#[test]
fn a_refused_set_leaves_the_sequence_where_it_was() {
    let (world, _db) = World::with_db();
    let full = world.full("db");
    world.put("db", 1, "a");
    let one = world.log("db");
    world.put("db", 2, "b");
    let two = world.log("db");
    world.restore("copy", &full);
    assert!(world.try_restore("copy", &two).is_err());
    world.restore("copy", &one);
    world.restore_all("copy", &[&two], None);
    assert_eq!(world.rows("copy"), rows(&[(1, "a"), (2, "b")]));
}

#[test]
fn an_empty_log_changes_nothing_and_is_taken() {
    let (world, _db) = World::with_db();
    let full = world.full("db");
    world.put("db", 1, "a");
    let one = world.log("db");
    let idle = world.log("db");
    let idle_again = world.log("db");
    world.put("db", 2, "b");
    let two = world.log("db");
    world.restore_all("copy", &[&full, &one, &idle, &idle_again, &two], None);
    assert_eq!(world.rows("copy"), rows(&[(1, "a"), (2, "b")]));
}

#[test]
fn the_tail_must_be_saved_before_the_database_is_overwritten() {
    let (world, _db) = World::with_db();
    let full = world.full("db");
    world.put("db", 1, "a");
    let error = world.try_restore("db", &full).unwrap_err();
    assert_eq!(restore_number(&error), 3159);
    let mut request = BackupRequest::new("db", BackupKind::Log, Vec::new());
    request.tail = Tail::NoRecovery;
    let tail = world.try_backup_with(&request).unwrap();
    world.restore_all("db", &[&full, &tail], None);
    assert_eq!(world.rows("db"), rows(&[(1, "a")]));
}

#[test]
fn another_database_is_overwritten_only_with_replace() {
    let (world, _db) = World::with_db();
    let full = world.full("db");
    world
        .instance
        .create_database("other", RecoveryModel::Simple)
        .unwrap();
    let error = world.try_restore("other", &full).unwrap_err();
    assert_eq!(restore_number(&error), 3154);
    let mut request = RestoreRequest::new("other", BackupKind::Full, Vec::new());
    request.replace = true;
    world.try_restore_with(&full, &request).unwrap();
}

#[test]
fn recovery_begins_a_fork_and_the_next_log_tells_of_it() {
    let (world, _db) = World::with_db();
    let full = world.full("db");
    world.put("db", 1, "a");
    let one = world.log("db");
    world.put("db", 2, "b");
    let middle = world.clock.shows();
    world.put("db", 3, "c");
    let two = world.log("db");
    let mut request = RestoreRequest::new("db", BackupKind::Full, Vec::new());
    request.replace = true;
    world.try_restore_with(&full, &request).unwrap();
    world.restore_all("db", &[&one, &two], Some(StopAt::Time(middle)));
    world.put("db", 4, "d");
    let forked = world.log("db");
    let set = &forked.set;
    assert_eq!(set.first_lsn, one.set.last_lsn);
    assert_eq!(set.first_fork, one.set.last_fork);
    assert_ne!(set.last_fork, set.first_fork);
    assert!(set.fork_point.unwrap() > set.first_lsn);
    // Across the fork.
    world.restore_all("copy", &[&full, &one, &forked], None);
    let expected = rows(&[(1, "a"), (2, "b"), (4, "d")]);
    assert_eq!(world.rows("copy"), expected);
    // Not from the other branch.
    world.restore("wrong", &full);
    world.restore("wrong", &one);
    world.restore("wrong", &two);
    world.put("db", 5, "e");
    let next = world.log("db");
    let number = restore_number(&world.try_restore("wrong", &next).unwrap_err());
    assert!([4305, 4330].contains(&number), "{number}");
    let number = restore_number(&world.try_restore("wrong", &forked).unwrap_err());
    assert!([4326, 4330].contains(&number), "{number}");
}

#[test]
fn a_stop_at_a_fork_leaves_the_database_on_the_fork_before() {
    let (world, _db) = World::with_db();
    let full = world.full("db");
    world.put("db", 1, "a");
    let one = world.log("db");
    let middle = world.clock.shows();
    world.put("db", 2, "b");
    let lost = world.log("db");
    let mut request = RestoreRequest::new("db", BackupKind::Full, Vec::new());
    request.replace = true;
    world.try_restore_with(&full, &request).unwrap();
    world.restore_all("db", &[&one], None);
    world.put("db", 3, "c");
    let forked = world.log("db");
    world.restore("copy", &full);
    world.restore("copy", &one);
    let mut request = RestoreRequest::new("copy", BackupKind::Log, Vec::new());
    request.stop_at = Some(StopAt::Time(middle));
    let stopped = world.try_restore_with(&forked, &request).unwrap();
    assert_eq!(Some(stopped.redo_lsn), forked.set.fork_point);
    assert_eq!(stopped.fork, one.set.last_fork);
    world.restore_all("copy", &[&lost], None);
    assert_eq!(world.rows("copy"), rows(&[(1, "a"), (2, "b")]));
}

#[test]
fn a_log_behind_a_hole_is_refused_after_a_stop_at_a_fork_inside_a_block() {
    let (world, db) = World::with_db();
    let full = world.full("db");
    world.put("db", 1, "a");
    // The records of one commit share a block, so that a stop before the commit is inside it.
    let mut both = db.begin().unwrap();
    both.put(2, b"b").unwrap();
    both.put(3, b"c").unwrap();
    both.commit().unwrap();
    let end = db.end_of_log();
    let whole = world.log("db");
    world.put("db", 4, "d");
    let behind = world.log("db");
    let inside = StopAt::Lsn {
        lsn: Lsn::new(end.vlf(), end.block() - 1, 3),
        edge: StopEdge::Before,
    };
    world.restore_all("other", &[&full, &whole], Some(inside));
    world.put("other", 5, "e");
    let forked = world.log("other");
    let point = forked.set.fork_point.unwrap();
    assert!(point.slot() > 1 && point < end, "{point:?} and {end:?}");

    world.restore("copy", &full);
    let mut request = RestoreRequest::new("copy", BackupKind::Log, Vec::new());
    request.stop_at = Some(StopAt::Lsn {
        lsn: Lsn::new(point.vlf() + 1, 0, 1),
        edge: StopEdge::Before,
    });
    let stopped = world.try_restore_with(&forked, &request).unwrap();
    assert_eq!(stopped.redo_lsn, point);
    let error = world.try_restore("copy", &behind).unwrap_err();
    assert_eq!(restore_number(&error), 4305);
    world.restore_all("copy", &[&whole, &behind], None);
    assert_eq!(world.rows("copy"), world.rows("db"));
    world.restore("again", &full);
    request.database = "again".to_owned();
    world.try_restore_with(&forked, &request).unwrap();
    world.restore_all("again", &[&forked], None);
    assert_eq!(world.rows("again"), world.rows("other"));
}

#[test]
fn standby_can_be_read_and_goes_on() {
    let (world, db) = World::with_db();
    world.put("db", 1, "a");
    let full = world.full("db");
    let mut open = db.begin().unwrap();
    open.put(1, b"open").unwrap();
    open.put(2, &[5; 7000]).unwrap();
    let one = world.log("db");
    open.commit().unwrap();
    let two = world.log("db");
    world.restore("copy", &full);
    let mut request = RestoreRequest::new("copy", BackupKind::Log, Vec::new());
    request.recovery = Recovery::Standby;
    let standby = world.try_restore_with(&one, &request).unwrap();
    assert_eq!(standby.state, DatabaseState::Standby);
    assert_eq!(world.rows("copy"), rows(&[(1, "a")]));
    assert!(world.db("copy").put(9, b"x").is_err(), "it is read-only");
    world.restore_all("copy", &[&two], None);
    assert_eq!(world.rows("copy"), world.rows("db"));
}

#[test]
fn marks_stop_before_or_behind_their_transaction() {
    let (world, db) = World::with_db();
    let full = world.full("db");
    world.put("db", 1, "a");
    let mut marked = db.begin().unwrap();
    marked.put(2, b"b").unwrap();
    marked.commit_marked("deploy").unwrap();
    world.put("db", 3, "c");
    let log = world.log("db");
    for (edge, expected) in [
        (StopEdge::Before, rows(&[(1, "a")])),
        (StopEdge::At, rows(&[(1, "a"), (2, "b")])),
    ] {
        let stop = StopAt::Mark {
            name: "deploy".into(),
            after: None,
            edge,
        };
        let restored = world.restore_all("copy", &[&full, &log], Some(stop));
        assert_eq!(restored.stop, StopOutcome::Reached);
        assert_eq!(world.rows("copy"), expected);
        world.instance.drop_database("copy").unwrap();
    }
}

#[test]
fn an_lsn_stops_before_or_behind_its_record() {
    let (world, db) = World::with_db();
    let full = world.full("db");
    world.put("db", 1, "a");
    let lsn = db.end_of_log();
    world.put("db", 2, "b");
    let log = world.log("db");
    let stop = StopAt::Lsn {
        lsn,
        edge: StopEdge::Before,
    };
    world.restore_all("copy", &[&full, &log], Some(stop));
    assert_eq!(world.rows("copy"), rows(&[(1, "a")]));
}

#[test]
fn a_full_that_ends_after_the_stop_is_refused() {
    let (world, _db) = World::with_db();
    world.put("db", 1, "a");
    world.put("db", 2, "b");
    let full = world.full("db");
    let mut request = RestoreRequest::new("copy", BackupKind::Full, Vec::new());
    request.stop_at = Some(at(1));
    let error = world.try_restore_with(&full, &request).unwrap_err();
    assert_eq!(restore_number(&error), 4338);
    assert!(world.instance.database("copy").is_err(), "nothing is left");
}

#[test]
fn no_stop_before_what_is_applied() {
    let (world, _db) = World::with_db();
    let full = world.full("db");
    world.put("db", 1, "a");
    let one = world.log("db");
    world.put("db", 2, "b");
    let two = world.log("db");
    world.restore("copy", &full);
    world.restore("copy", &one);
    let mut request = RestoreRequest::new("copy", BackupKind::Log, Vec::new());
    request.stop_at = Some(at(1));
    let error = world.try_restore_with(&two, &request).unwrap_err();
    assert_eq!(restore_number(&error), 4335);
}

#[test]
fn a_bulk_logged_log_goes_to_its_end_or_not_at_all() {
    let world = World::new();
    let db = world
        .instance
        .create_database("db", RecoveryModel::BulkLogged)
        .unwrap();
    let full = world.full("db");
    let mut load = db.begin().unwrap();
    load.bulk_load((0..50).map(|key| (key, vec![3; 700])))
        .unwrap();
    load.commit().unwrap();
    world.pass(1);
    let inside = world.clock.shows();
    world.put("db", 3, "changed after the load");
    let bulk = world.log("db");
    world.put("db", 100, "x");
    let next = world.log("db");
    assert!(bulk.set.flags.bulk_logged && !next.set.flags.bulk_logged);
    world.restore_all("copy", &[&full, &bulk, &next], None);
    assert_eq!(world.rows("copy"), world.rows("db"));
    world.put("copy", 101, "y");
    let after = world.log("copy").set;
    assert!(!after.flags.bulk_logged, "the load is in an earlier log");
    world.restore("stop", &full);
    let mut request = RestoreRequest::new("stop", BackupKind::Log, Vec::new());
    request.stop_at = Some(StopAt::Time(inside));
    let error = world.try_restore_with(&bulk, &request).unwrap_err();
    assert_eq!(restore_number(&error), 4341);
}

#[test]
fn bulk_work_under_simple_is_in_the_first_log_of_the_next_chain() {
    let (world, db) = World::with_db();
    db.set_recovery_model(RecoveryModel::Simple).unwrap();
    let mut open = db.begin().unwrap();
    open.put(1, b"a").unwrap();
    let early = world.full("db");
    let mut load = db.begin().unwrap();
    load.bulk_load((10..20).map(|key| (key, vec![3; 700])))
        .unwrap();
    load.commit().unwrap();
    db.set_recovery_model(RecoveryModel::Full).unwrap();
    world.full("db");
    open.commit().unwrap();
    let log = world.log("db");
    assert!(log.set.first_lsn < early.set.last_lsn, "it reaches back");
    assert!(log.set.flags.bulk_logged);
    world.restore_all("copy", &[&early, &log], None);
    assert_eq!(world.rows("copy"), world.rows("db"));
}

#[test]
fn bulk_work_under_simple_that_no_log_reaches_back_to_is_forgotten() {
    let (world, db) = World::with_db();
    db.set_recovery_model(RecoveryModel::Simple).unwrap();
    let mut load = db.begin().unwrap();
    load.bulk_load((10..20).map(|key| (key, vec![3; 700])))
        .unwrap();
    load.commit().unwrap();
    db.set_recovery_model(RecoveryModel::Full).unwrap();
    let full = world.full("db");
    world.put("db", 1, "a");
    let log = world.log("db");
    assert!(!log.set.flags.bulk_logged);
    world.restore_all("copy", &[&full, &log], None);
    assert_eq!(world.rows("copy"), world.rows("db"));
}

#[test]
fn every_stripe_is_needed_in_any_order() {
    let (world, db) = World::with_db();
    db.put(1, &[1; 5000]).unwrap();
    let full = world.full("db");
    let request = RestoreRequest::new("copy", BackupKind::Full, Vec::new());
    let one = [full.stripes[0].as_slice()];
    let error = world.instance.restore_from(&request, one).unwrap_err();
    assert_eq!(restore_number(&error), 3132);
    let twice = [full.stripes[0].as_slice(), full.stripes[0].as_slice()];
    let error = world.instance.restore_from(&request, twice).unwrap_err();
    assert_eq!(restore_number(&error), 3132);
    let turned = [full.stripes[1].as_slice(), full.stripes[0].as_slice()];
    world.instance.restore_from(&request, turned).unwrap();
}

#[test]
fn a_cut_or_changed_stripe_is_refused_and_leaves_nothing() {
    let (world, db) = World::with_db();
    for key in 0..30 {
        db.put(key, &[1; 900]).unwrap();
    }
    let full = world.full("db");
    for at in (0..full.stripes[0].len()).step_by(977) {
        let mut cut = full.clone();
        cut.stripes[0].truncate(at);
        assert!(world.try_restore("copy", &cut).is_err(), "cut at {at}");
        let mut changed = full.clone();
        changed.stripes[0][at] ^= 1;
        assert!(world.try_restore("copy", &changed).is_err(), "byte {at}");
        assert!(world.instance.database("copy").is_err());
    }
}

#[test]
fn a_log_that_broke_off_is_restored_again() {
    let (world, db) = World::with_db();
    let full = world.full("db");
    for key in 0..2000 {
        db.put(key, &[1; 900]).unwrap();
    }
    let log = world.log("db");
    let other = world.log("db");
    world.restore("copy", &full);
    let mut cut = log.clone();
    let half = cut.stripes[1].len() / 2;
    cut.stripes[1].truncate(half);
    assert!(world.try_restore("copy", &cut).is_err());
    let error = world.try_restore("copy", &other).unwrap_err();
    assert_eq!(restore_number(&error), 3013);
    let error = world.instance.recover(&RecoverRequest::new("copy"));
    assert_eq!(restore_number(&error.unwrap_err()), 3013);
    world.restore_all("copy", &[&log], None);
    assert_eq!(world.rows("copy"), world.rows("db"));
}

#[test]
fn restored_databases_are_new_members_of_the_same_family() {
    let (world, db) = World::with_db();
    let full = world.full("db");
    world.restore_all("copy", &[&full], None);
    let (old, new) = (db.info(), world.db("copy").info());
    assert_ne!(old.database_id, new.database_id);
    assert_eq!(old.family_id, new.family_id);
    assert_ne!(old.fork, new.fork);
    assert_eq!(new.differential_base.unwrap().id, Some(full.set.id));
}

#[test]
fn a_differential_of_the_new_fork_fits_the_old_full() {
    let (world, _db) = World::with_db();
    world.put("db", 1, "a");
    let full = world.full("db");
    world.restore_all("copy", &[&full], None);
    world.put("copy", 2, "b");
    let diff = world.diff("copy");
    world.put("copy", 3, "c");
    let log = world.log("copy");
    world.restore_all("again", &[&full, &diff, &log], None);
    assert_eq!(world.rows("again"), world.rows("copy"));
}

#[test]
fn a_differential_follows_one_of_its_own_fork_only() {
    let (world, _db) = World::with_db();
    let full = world.full("db");
    world.put("db", 1, "a");
    let one = world.diff("db");
    world.put("db", 2, "b");
    let two = world.diff("db");
    world.restore_all("copy", &[&full], None);
    world.put("copy", 3, "c");
    let other = world.diff("copy");
    world.restore("new", &full);
    world.restore("new", &one);
    let error = world.try_restore("new", &other).unwrap_err();
    assert_eq!(restore_number(&error), 4330);
    world.restore_all("new", &[&two], None);
    assert_eq!(world.rows("new"), rows(&[(1, "a"), (2, "b")]));
}

#[test]
fn an_older_differential_does_not_follow_a_newer_one() {
    let (world, _db) = World::with_db();
    let full = world.full("db");
    world.put("db", 1, "a");
    let older = world.diff("db");
    world.put("db", 2, "b");
    let newer = world.diff("db");
    world.restore("copy", &full);
    world.restore("copy", &newer);
    let error = world.try_restore("copy", &older).unwrap_err();
    assert_eq!(restore_number(&error), 3136);
}

#[test]
fn a_renamed_database_keeps_its_chain() {
    let (world, _db) = World::with_db();
    let full = world.full("db");
    world.put("db", 1, "a");
    let one = world.log("db");
    world.instance.rename_database("db", "Ledger").unwrap();
    world.put("LEDGER", 2, "b");
    let two = world.log("Ledger");
    assert_eq!(two.set.database, "Ledger");
    world.restore_all("copy", &[&full, &one, &two], None);
    assert_eq!(world.rows("copy"), world.rows("ledger"));
}
