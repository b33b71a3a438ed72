//! Plans against a model that tries every sequence of restores.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::struct_excessive_bools,
    reason = "a test that fails loudly"
)]

mod model;

use model::{Backup, Node, World, lsn, time};
use proptest::prelude::*;
use vab_chain::{BackupKind, Plan, StopAt, Target};

fn operations() -> impl Strategy<Value = Vec<(u8, u8)>> {
    prop::collection::vec((any::<u8>(), any::<u8>()), 1..40)
}

/// Restores as the plan says, by the model's rules.
fn execute(world: &World, plan: &Plan) -> Node {
    let mut state: Option<Node> = None;
    let mut full = None;
    for step in &plan.steps {
        let index = world
            .backups
            .iter()
            .position(|b| World::point_id(b) == step.point)
            .unwrap();
        let backup = &world.backups[index];
        assert!(backup.known && backup.usable, "an unusable backup is used");
        state = Some(match backup.kind {
            BackupKind::Full => {
                assert!(state.is_none());
                full = Some(index);
                backup.node
            }
            BackupKind::Differential => {
                assert_eq!(backup.base, full, "wrong base");
                backup.node
            }
            BackupKind::Log => redo(world, backup, state.unwrap(), step.stop_at.as_ref()),
        });
    }
    state.unwrap()
}

fn redo(world: &World, log: &Backup, state: Node, stop: Option<&StopAt>) -> Node {
    let nodes = world
        .redo(log, state)
        .unwrap_or_else(|| panic!("{log:?} cannot be applied"));
    let kept = |node: &&Node| {
        let record = &world.records[**node];
        match stop {
            None => true,
            Some(StopAt::Time(at)) => time(record.time) < *at,
            Some(StopAt::BeforeLsn(at)) => lsn(record.lsn) < *at,
            Some(StopAt::AtLsn(at)) => lsn(record.lsn) <= *at,
            Some(other) => panic!("{other}"),
        }
    };
    assert!(
        stop.is_none() || !log.bulk,
        "a stop inside a bulk-logged log"
    );
    nodes
        .iter()
        .take_while(kept)
        .last()
        .copied()
        .unwrap_or(state)
}

fn check_place(world: &World, goal: Node, target: &Target) -> Result<(), TestCaseError> {
    let shortest = world.distances(|_| true).get(&goal).copied();
    match world.chain().plan(target) {
        Ok(plan) => {
            prop_assert_eq!(execute(world, &plan), goal, "{}", plan);
            prop_assert_eq!(Some(plan.steps.len()), shortest, "{}", plan);
        }
        Err(error) => prop_assert_eq!(shortest, None, "{}", error),
    }
    Ok(())
}

/// The fewest restores to the state at a time that are sure to lead there, by what the headers
/// say.
fn shortest_to_time(world: &World, at: i64) -> Option<usize> {
    let (branch, goal) = world.state_at(at);
    let place = world.records[goal].lsn + 1;
    let ended_by = |backup: &Backup| {
        let same = |other: &&Backup| {
            other.known && other.branch == backup.branch && other.end == backup.end
        };
        let earlier = world
            .backups
            .iter()
            .filter(same)
            .any(|other| other.finished <= at);
        backup.finished <= at || backup.kind == BackupKind::Log && earlier
    };
    let distances = world.distances(ended_by);
    let logs = || {
        world
            .backups
            .iter()
            .filter(|b| b.known && b.kind == BackupKind::Log)
    };
    let rests = world.backups.iter().any(|backup| {
        let until = if backup.kind == BackupKind::Log {
            backup.finished
        } else {
            backup.started
        };
        let here = backup.known && backup.branch == branch && backup.end == place;
        here && (until >= at || backup.finished == at)
    });
    // A recovery went back to here, and a log that is known tells of it.
    let recovered = world.branches.iter().enumerate().any(|(index, child)| {
        let here = child.left == Some((branch, goal)) && child.reached >= at;
        here && logs().any(|log| log.branch == index && log.first <= place)
    });
    let rests = rests || recovered;
    let at_rest = world.distances(|backup| {
        let same = |other: &&Backup| {
            other.known && other.branch == backup.branch && other.end == backup.end
        };
        let earlier = world
            .backups
            .iter()
            .filter(same)
            .any(|other| other.finished <= at);
        ended_by(backup) || backup.node == goal && earlier
    });
    let mut best = at_rest.get(&goal).copied().filter(|_| rests);
    for log in logs().filter(|log| log.usable && !log.bulk) {
        for (state, steps) in &distances {
            let nodes = world.redo(log, *state).unwrap_or_default();
            let leads_there = *state == goal || nodes.contains(&goal);
            let left = world.branches.iter().filter(|other| {
                other.left.is_some_and(|(from, node)| {
                    from == branch && other.reached >= at && world.is_before(node, log.node)
                })
            });
            let sure = log.branch == branch && log.finished >= at || left.count() > 0;
            if !nodes.is_empty() && leads_there && sure && world.is_before(*state, goal) {
                best = Some(best.map_or(steps + 1, |best| best.min(steps + 1)));
            }
        }
    }
    best
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn to_a_time(played in operations(), moment in 0_i64..200) {
        let world = World::played(&played);
        let at = moment % (world.now + 3);
        let shortest = shortest_to_time(&world, at);
        match world.chain().plan(&Target::Time(time(at))) {
            Ok(plan) => {
                prop_assert_eq!(execute(&world, &plan), world.state_at(at).1, "{}", plan);
                prop_assert_eq!(Some(plan.steps.len()), shortest, "{}", plan);
            }
            Err(error) => prop_assert_eq!(shortest, None, "{}", error),
        }
    }

    #[test]
    fn to_a_place(played in operations(), number in any::<prop::sample::Index>(), including: bool) {
        let world = World::played(&played);
        let goal = number.index(world.records.len());
        // A place that some branch has, named by that branch.
        let branch = world.branches.iter().find(|b| world.is_before(goal, b.tip)).unwrap();
        let fork = vab_chain::ForkId(uuid::Uuid::from_u128(branch.fork));
        let chain = world.chain();
        prop_assume!(chain.forks().any(|known| known == fork));
        if including {
            prop_assume!(goal != 0);
        }
        let at = world.records[goal].lsn;
        let target = Target::Lsn {
            lsn: if including { lsn(at) } else { lsn(at + 1) },
            fork: Some(fork),
            including,
        };
        if including {
            if let Ok(plan) = chain.plan(&target) {
                prop_assert_eq!(execute(&world, &plan), goal);
            }
        } else {
            check_place(&world, goal, &target)?;
        }
    }

    #[test]
    fn to_a_point(played in operations(), number in any::<prop::sample::Index>()) {
        let world = World::played(&played);
        let known: Vec<_> = world.backups.iter().filter(|backup| backup.known).collect();
        prop_assume!(!known.is_empty());
        let backup = known[number.index(known.len())];
        let chain = world.chain();
        let distances = world.distances(|_| true);
        let base = backup.base.map(|base| &world.backups[base]);
        let possible = backup.usable && match backup.kind {
            BackupKind::Full => true,
            BackupKind::Differential => base.unwrap().known && base.unwrap().usable,
            BackupKind::Log => distances.contains_key(&backup.node),
        };
        let point = World::point_id(backup);
        prop_assert_eq!(chain.state(point).unwrap().is_restorable(), possible);
        match chain.plan(&Target::Point(point)) {
            Ok(plan) => {
                prop_assert!(possible, "{}", plan);
                prop_assert_eq!(execute(&world, &plan), backup.node, "{}", plan);
                prop_assert_eq!(Some(&plan.steps.len()), distances.get(&backup.node), "{}", plan);
            }
            Err(error) => prop_assert!(!possible, "{}", error),
        }
    }

    #[test]
    fn reachable_times_are_those_that_can_be_planned(played in operations(), moment in 0_i64..200) {
        let world = World::played(&played);
        let at = moment % (world.now + 3);
        let chain = world.chain();
        for fork in &chain.reachable().forks {
            let target = Target::TimeOnFork { at: time(at), fork: fork.fork.unwrap() };
            let branch = world.branches.iter().find(|b| b.fork == fork.fork.unwrap().0.as_u128());
            if branch.unwrap().born > at {
                continue;
            }
            let listed = fork.intervals.iter().any(|i| i.from <= time(at) && time(at) <= i.to);
            let plan = chain.plan(&target);
            prop_assert_eq!(plan.is_ok(), listed, "{:?}: {:?}", fork, plan);
            for gap in &fork.gaps {
                let inside = gap.after.is_none_or(|after| time(at) > after)
                    && gap.before.is_none_or(|before| time(at) < before);
                prop_assert!(!(inside && listed));
            }
        }
    }

    #[test]
    fn the_latest_state_is_not_behind_any_other_on_its_fork(played in operations()) {
        let world = World::played(&played);
        let chain = world.chain();
        let Ok(plan) = chain.plan(&Target::Latest) else {
            prop_assert!(world.distances(|_| true).is_empty());
            return Ok(());
        };
        let state = execute(&world, &plan);
        let distances = world.distances(|_| true);
        prop_assert_eq!(distances.get(&state), Some(&plan.steps.len()));
        if plan.notes.is_empty() {
            let newest = world.backups.iter().filter(|b| b.known).max_by_key(|b| b.finished).unwrap();
            let tip = world.branches[newest.branch].tip;
            for other in distances.keys().filter(|node| world.is_before(**node, tip)) {
                prop_assert!(world.records[*other].lsn <= world.records[state].lsn);
            }
        }
    }
}

fn config() -> ProptestConfig {
    let times: u32 = std::env::var("VAB_EFFORT")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(1);
    ProptestConfig {
        max_global_rejects: u32::MAX,
        cases: times.saturating_mul(512),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}
