//! Retention: nothing that is promised is lost, nothing stays longer than documented.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::struct_excessive_bools,
    dead_code,
    reason = "a test that fails loudly, with a model that other tests use more of"
)]

mod model;

use std::collections::HashSet;

use model::{World, lsn, time};
use proptest::prelude::*;
use uuid::Uuid;
use vab_chain::{
    BackupKind, BackupSet, Chain, DifferentialBase, KeepReason, PointId, RestorePoint,
    RetentionPolicy, Stored, Target, UtcTime, Verdict,
};

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

fn utc(text: &str) -> UtcTime {
    format!("{text}Z").parse().unwrap()
}

fn id(n: u32) -> PointId {
    PointId(Uuid::from_u128(u128::from(n)))
}

/// A database with a backup a day from a Sunday on: a full on Sundays, differentials otherwise,
/// each in its own file, named by its day.
fn weekly(days: u32) -> (Chain, Vec<Stored<u32>>) {
    let mut points = Vec::new();
    let mut stored = Vec::new();
    for day in 0..days {
        let kind = if day % 7 == 0 {
            BackupKind::Full
        } else {
            BackupKind::Differential
        };
        let at = time(i64::from(day) * 86_400);
        let place = lsn(day * 10 + 10);
        let set_id = Uuid::from_u128(u128::from(day));
        let mut set = BackupSet::new(set_id.into(), "db", kind, place..place, at, at);
        set.differential_base = (kind == BackupKind::Differential).then(|| DifferentialBase {
            id: Some(Uuid::from_u128(u128::from(day / 7 * 7)).into()),
            lsn: lsn(day / 7 * 70 + 10),
        });
        points.push(RestorePoint { id: id(day), set });
        stored.push(Stored {
            point: id(day),
            file: day,
            committed: day_at(day),
            held: false,
        });
    }
    (Chain::new(points), stored)
}

/// Sunday, 2026-11-01, and so on.
fn day_at(day: u32) -> UtcTime {
    UtcTime::from_micros(utc("2026-11-01T22:00:00").as_micros() + i64::from(day) * DAY)
}

fn deletable(days: u32, policy: &RetentionPolicy, now: UtcTime) -> Vec<u32> {
    let (chain, stored) = weekly(days);
    chain
        .retention(&stored, policy, now)
        .deletable()
        .copied()
        .collect()
}

#[test]
fn a_week_of_retention_with_fulls_on_sunday_frees_the_old_week_on_the_next_saturday() {
    let policy = RetentionPolicy::days(7);
    // Day 13 is the Saturday after the second full.
    for day in 0..13 {
        assert!(
            deletable(day + 1, &policy, day_at(day)).is_empty(),
            "day {day}"
        );
    }
    assert_eq!(
        deletable(14, &policy, day_at(13)),
        (0..7).collect::<Vec<_>>()
    );
}

#[test]
fn the_active_chain_stays_however_old_it_is() {
    let policy = RetentionPolicy::days(1);
    assert!(deletable(7, &policy, day_at(10_000)).is_empty());
}

#[test]
fn without_a_policy_everything_stays() {
    let policy = RetentionPolicy::default();
    assert!(deletable(30, &policy, day_at(10_000)).is_empty());
}

#[test]
fn a_clock_set_back_removes_nothing() {
    assert!(deletable(30, &RetentionPolicy::days(0), utc("1970-01-01T00:00:00")).is_empty());
}

#[test]
fn a_number_of_fulls_stays_with_all_that_depends_on_them() {
    let policy = RetentionPolicy::fulls(2);
    assert_eq!(
        deletable(28, &policy, day_at(28)),
        (0..14).collect::<Vec<_>>()
    );
}

#[test]
fn the_last_points_keep_their_chains() {
    let policy = RetentionPolicy {
        last: Some(8),
        ..policy()
    };
    assert_eq!(
        deletable(28, &policy, day_at(28)),
        (0..14).collect::<Vec<_>>()
    );
}

fn policy() -> RetentionPolicy {
    RetentionPolicy::default()
}

#[test]
fn a_full_per_month_is_kept() {
    let mut policy = policy();
    policy.gfs.monthly = 2;
    let (chain, stored) = weekly(70);
    let fate = chain.retention(&stored, &policy, day_at(70));
    let kept = fate.chains.iter().filter(|chain| chain.verdict.keeps());
    // The last full of November, of December, and the active one, of January.
    let fulls: Vec<_> = kept.map(|chain| chain.full.unwrap()).collect();
    assert_eq!(fulls, [id(56), id(63)]);
}

#[test]
fn a_held_point_keeps_its_chain() {
    let (chain, mut stored) = weekly(28);
    stored[3].held = true;
    let fate = chain.retention(&stored, &RetentionPolicy::days(1), day_at(100));
    assert_eq!(
        fate.verdict(id(5)),
        Some(Verdict::Keep(KeepReason::Held { point: id(3) }))
    );
    let deleted: Vec<_> = fate.deletable().copied().collect();
    assert_eq!(deleted, (7..21).collect::<Vec<_>>());
}

#[test]
fn a_file_that_holds_a_point_of_the_next_chain_waits_for_it() {
    let (chain, mut stored) = weekly(21);
    // The second full's first differential lies in the first week's last file.
    stored[8].file = 6;
    let fate = chain.retention(&stored, &RetentionPolicy::days(7), day_at(15));
    let file = fate.files.iter().find(|file| file.file == 6).unwrap();
    assert_eq!(
        (file.delete, &file.stay[..], &file.go[..]),
        (false, &[id(8)][..], &[id(6)][..])
    );
    // The second week's last point is of day 13.
    assert_eq!(file.until, Some(day_at(20)));
    assert!(
        fate.to_string()
            .contains("6: stays (1 restore points needed, 1 not): its last")
    );
}

/// Every point of a world in a file of its own, committed an hour of its clock per second.
fn stored(world: &World) -> Vec<Stored<u128>> {
    let known = world.backups.iter().filter(|backup| backup.known);
    known
        .map(|backup| Stored {
            point: World::point_id(backup),
            file: backup.id,
            committed: UtcTime::from_micros(backup.finished * HOUR),
            held: false,
        })
        .collect()
}

fn operations() -> impl Strategy<Value = Vec<(u8, u8)>> {
    prop::collection::vec((any::<u8>(), any::<u8>()), 1..50)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_is_promised_stays(played in operations(), days in 0_u32..6, later in 0_i64..100) {
        let world = World::played(&played);
        let chain = world.chain();
        let stored = stored(&world);
        let now = world.now + later;
        let policy = RetentionPolicy::days(days);
        let fate = chain.retention(&stored, &policy, UtcTime::from_micros(now * HOUR));
        let left: HashSet<_> = fate.remaining().collect();
        let mut after = world.clone();
        for backup in &mut after.backups {
            backup.known &= left.contains(&World::point_id(backup));
        }
        let promised_from = now - i64::from(days) * 24;
        let chain_after = after.chain();
        for backup in world.backups.iter().filter(|b| b.known && b.finished > promised_from) {
            let point = World::point_id(backup);
            prop_assert!(chain_after.point(point).is_some(), "{} is gone", point);
            let before = chain.state(point).unwrap();
            prop_assert_eq!(before.is_restorable(), chain_after.state(point).unwrap().is_restorable());
        }
        // Of backups that lead nowhere nothing is promised, not even what they tell of forks.
        if let Ok(before) = chain.plan(&Target::Latest) && before.notes.is_empty() {
            let after = chain_after.plan(&Target::Latest).unwrap();
            prop_assert_eq!(after.reaches.lsn, before.reaches.lsn);
            prop_assert_eq!(after.reaches.fork, before.reaches.fork);
        }
    }

    /// Without forks, copy-only fulls and losses, the documented rule is simple to tell.
    #[test]
    fn what_is_documented_to_go_goes(kinds in prop::collection::vec(0_u8..6, 1..40), days in 0_u32..6) {
        let mut world = World::played(&[]);
        for kind in kinds {
            let operation = match kind {
                0 | 1 => (5, 0b1111_0000),
                2 => (6, 0b1111_0000),
                3 | 4 => (7, 0b1111_0000),
                _ => (0, 1),
            };
            world.play(operation.0, operation.1);
            // So that no two backups end at the same LSN.
            world.play(0, 0);
        }
        let now = world.now + 30;
        let policy = RetentionPolicy::days(days);
        let fate = world.chain().retention(&stored(&world), &policy, UtcTime::from_micros(now * HOUR));
        let fulls = |index: usize| {
            world.backups[..=index].iter().filter(|b| b.kind == BackupKind::Full).count()
        };
        let newest = world.backups.iter().filter(|b| b.kind == BackupKind::Full).count();
        let documented: HashSet<_> = (0..world.backups.len())
            .filter(|index| {
                let chain = fulls(*index);
                let of_chain = world.backups.iter().enumerate().filter(|(i, _)| fulls(*i) == chain);
                let last = of_chain.map(|(_, backup)| backup.finished).max().unwrap();
                chain == newest || last + i64::from(days) * 24 > now
            })
            .map(|index| World::point_id(&world.backups[index]))
            .collect();
        // Logs before the first full belong to no chain, and go by their own age.
        let first_full = world.backups.iter().position(|b| b.kind == BackupKind::Full);
        let in_chains = |point: &PointId| {
            let index = world.backups.iter().position(|b| World::point_id(b) == *point).unwrap();
            first_full.is_some_and(|first| index >= first)
        };
        let left: HashSet<_> = fate.remaining().filter(in_chains).collect();
        let documented: HashSet<_> = documented.into_iter().filter(in_chains).collect();
        prop_assert_eq!(left, documented);
    }
}

fn config() -> ProptestConfig {
    let times: u32 = std::env::var("VAB_EFFORT")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(1);
    ProptestConfig {
        cases: times.saturating_mul(256),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}
