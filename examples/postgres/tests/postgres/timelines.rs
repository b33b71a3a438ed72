use vab_chain::{Chain, Target};
use vab_manager::{BackupKind, RestoreTarget, listing};

use crate::lab::{CLUSTER, Lab, set};

/// After a restore to a moment the cluster goes on on timeline 2; both timelines stay reachable.
#[tokio::test(flavor = "multi_thread")]
async fn both_timelines_can_be_reached() {
    let Some(lab) = Lab::start().await else {
        return;
    };
    lab.insert(1..=100);
    let full = lab.take(BackupKind::Full).await;
    lab.insert(101..=200);
    let fork = lab.moment();
    lab.insert(201..=300);
    let old = lab.moment();
    lab.insert(301..=310);
    let last_old = lab.take(BackupKind::Log).await;

    lab.engine.remove(CLUSTER).unwrap();
    let report = lab.restore(RestoreTarget::Time(fork.time), CLUSTER).await;
    assert_eq!(lab.rows(CLUSTER), fork.rows);
    lab.insert(5001..=5050);
    let new = lab.moment();
    lab.insert(5051..=5060);
    let crossing = lab.take(BackupKind::Log).await;

    // The log says where it crosses from the first timeline to the second.
    let (crossing, first) = (set(&crossing), set(&full).last_fork);
    assert_eq!(crossing.first_fork, first);
    assert_eq!(crossing.last_fork, report.last.fork);
    assert_eq!(crossing.fork_point, Some(report.last.redo_lsn));
    assert_eq!(crossing.family_id, set(&full).family_id);

    let points = lab.points().await;
    let chain: Chain = listing::chain_of(&points);
    for (moment, fork) in [(&old, first), (&new, crossing.last_fork)] {
        let at = moment.time;
        let target = fork.map(|fork| Target::TimeOnFork { at, fork }).unwrap();
        let plan = chain.plan(&target).unwrap();
        assert_eq!(plan.reaches.fork, fork, "{plan}");
    }
    for (moment, name) in [(&old, "old"), (&new, "new"), (&fork, "fork")] {
        lab.restore(RestoreTarget::Time(moment.time), name).await;
        assert_eq!(lab.rows(name), moment.rows, "{name}");
    }
    lab.restore(RestoreTarget::Point(last_old.id), "whole")
        .await;
    assert!(lab.rows("whole").starts_with("310|"));

    // A full on the second timeline is of its fork, and a third timeline goes on from it.
    let second = lab.take(BackupKind::Full).await;
    assert_eq!(set(&second).last_fork, crossing.last_fork);
    lab.insert(6001..=6010);
    lab.take(BackupKind::Log).await;
    lab.engine.remove(CLUSTER).unwrap();
    let report = lab.restore(RestoreTarget::Latest, CLUSTER).await;
    assert!(lab.rows(CLUSTER).starts_with("270|"));
    assert_ne!(report.last.fork, crossing.last_fork);
}
