//! Rows and transactions.

use proptest::prelude::*;

use super::*;
use crate::sim::{MAX_VALUE, WorkError};

#[test]
fn rows_come_back_in_the_order_of_their_keys() {
    let (world, db) = World::with_db();
    world.put("db", 5, "five");
    world.put("db", 2, "two");
    world.put("db", 5, "FIVE");
    assert_eq!(world.rows("db"), rows(&[(2, "two"), (5, "FIVE")]));
    assert_eq!(db.row(2).unwrap().as_deref(), Some(&b"two"[..]));
    assert_eq!(db.row(3).unwrap(), None);
}

#[test]
fn what_is_not_committed_is_not_seen_and_can_be_taken_back() {
    let (world, db) = World::with_db();
    world.put("db", 1, "one");
    let mut transaction = db.begin().unwrap();
    transaction.put(1, b"uno").unwrap();
    transaction.put(2, b"due").unwrap();
    assert_eq!(world.rows("db"), rows(&[(1, "one")]));
    assert_eq!(db.row(1).unwrap().as_deref(), Some(&b"one"[..]));
    assert_eq!(db.row(2).unwrap(), None);
    drop(transaction);
    assert_eq!(world.rows("db"), rows(&[(1, "one")]));
}

#[test]
fn a_row_belongs_to_one_transaction_at_a_time() {
    let (_world, db) = World::with_db();
    let mut one = db.begin().unwrap();
    let mut two = db.begin().unwrap();
    one.put(7, b"a").unwrap();
    let locked = two.put(7, b"b");
    assert!(matches!(locked, Err(WorkError::Locked { key: 7 })));
    one.commit().unwrap();
    two.put(7, b"b").unwrap();
    two.commit().unwrap();
    assert_eq!(db.row(7).unwrap().as_deref(), Some(&b"b"[..]));
}

#[test]
fn the_longest_value_is_taken_and_no_longer_one() {
    let (_world, db) = World::with_db();
    db.put(1, &vec![1; MAX_VALUE]).unwrap();
    let too_long = db.put(2, &vec![1; MAX_VALUE + 1]);
    assert!(matches!(too_long, Err(WorkError::TooLong { .. })));
}

#[test]
fn undoing_finds_room_elsewhere_when_another_transaction_took_it() {
    let (_world, db) = World::with_db();
    db.put(1, &[1; 4000]).unwrap();
    db.put(2, &[2; 4000]).unwrap();
    let mut shrink = db.begin().unwrap();
    shrink.put(1, b"small").unwrap();
    db.put(3, &[3; 3000]).unwrap();
    db.put(4, &[4; 900]).unwrap();
    drop(shrink);
    let lengths: Vec<_> = db.rows().unwrap().iter().map(|(_, v)| v.len()).collect();
    assert_eq!(lengths, [4000, 4000, 3000, 900]);
}

#[test]
fn disconnecting_ends_every_transaction() {
    let (world, db) = World::with_db();
    let mut transaction = db.begin().unwrap();
    transaction.put(1, b"x").unwrap();
    db.disconnect().unwrap();
    assert!(matches!(transaction.put(2, b"y"), Err(WorkError::Over)));
    drop(transaction);
    assert_eq!(world.rows("db"), rows(&[]));
}

#[test]
fn a_bulk_load_adds_rows_and_can_be_taken_back() {
    let world = World::new();
    for model in [
        RecoveryModel::Simple,
        RecoveryModel::BulkLogged,
        RecoveryModel::Full,
    ] {
        let db = world.instance.create_database("b", model).unwrap();
        let load = |from: u64| (from..from + 100).map(|key| (key, vec![9; 500]));
        let mut transaction = db.begin().unwrap();
        transaction.bulk_load(load(0)).unwrap();
        transaction.commit().unwrap();
        let mut transaction = db.begin().unwrap();
        transaction.bulk_load(load(1000)).unwrap();
        assert_eq!(db.rows().unwrap().len(), 100, "{model}");
        drop(transaction);
        assert_eq!(db.rows().unwrap().len(), 100, "{model}");
        world.instance.drop_database("b").unwrap();
    }
}

#[derive(Debug, Clone)]
enum Step {
    Put(u64, usize),
    Delete(u64),
    Commit,
    RollBack,
    Checkpoint,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..20u64, 0..6000usize).prop_map(|(key, size)| Step::Put(key, size)),
        3 => (0..20u64).prop_map(Step::Delete),
        2 => Just(Step::Commit),
        1 => Just(Step::RollBack),
        1 => Just(Step::Checkpoint),
    ];
    prop::collection::vec(step, 1..120)
}

proptest! {
    #[test]
    fn a_map_with_transactions_says_the_same(steps in steps()) {
        let (_world, db) = World::with_db();
        let mut committed = std::collections::BTreeMap::new();
        let mut current = committed.clone();
        let mut open = db.begin().unwrap();
        for (number, step) in (0u8..).zip(steps) {
            match step {
                Step::Put(key, size) => {
                    let value = vec![number; size];
                    open.put(key, &value).unwrap();
                    current.insert(key, value);
                }
                Step::Delete(key) => {
                    let there = open.delete(key).unwrap();
                    prop_assert_eq!(there, current.remove(&key).is_some());
                }
                Step::Commit => {
                    open.commit().unwrap();
                    committed.clone_from(&current);
                    open = db.begin().unwrap();
                }
                Step::RollBack => {
                    open.roll_back().unwrap();
                    current.clone_from(&committed);
                    open = db.begin().unwrap();
                }
                Step::Checkpoint => {
                    db.checkpoint().unwrap();
                }
            }
            let expected: Rows = committed.clone().into_iter().collect();
            prop_assert_eq!(db.rows().unwrap(), expected);
        }
    }
}
