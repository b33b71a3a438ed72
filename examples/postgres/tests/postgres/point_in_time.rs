use vab_manager::{BackupKind, RestoreTarget};

use crate::lab::{CLUSTER, Lab, set};

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_cluster_comes_back_to_any_moment() {
    let Some(lab) = Lab::start().await else {
        return;
    };
    lab.insert(1..=1000);
    let full = lab.take(BackupKind::Full).await;
    lab.insert(1001..=2000);
    let first = lab.moment();
    lab.insert(2001..=3000);
    let log = lab.take(BackupKind::Log).await;
    lab.sql("update t set what = 'changed' where id < 500");
    let second = lab.moment();
    lab.sql("drop table t");
    let idle = lab.take(BackupKind::Log).await;
    assert!(set(&full).flags.checksums);
    assert!(set(&log).first_lsn <= set(&full).last_lsn);
    assert_eq!(set(&log).last_lsn, set(&idle).first_lsn);

    lab.engine.remove(CLUSTER).unwrap();
    for (moment, name, steps) in [(&first, "first", 2), (&second, "second", 3)] {
        let report = lab.restore(RestoreTarget::Time(moment.time), name).await;
        assert_eq!(report.plan.steps.len(), steps);
        assert_eq!(lab.rows(name), moment.rows);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_alone_is_a_whole_cluster() {
    let Some(lab) = Lab::start().await else {
        return;
    };
    lab.insert(1..=10);
    let full = lab.take(BackupKind::Full).await;
    let rows = lab.rows(CLUSTER);
    lab.insert(11..=20);
    let report = lab.restore(RestoreTarget::Point(full.id), "copy").await;
    assert_eq!(lab.rows("copy"), rows);
    // The copy writes its own history from here on.
    assert_ne!(report.last.fork, set(&full).last_fork);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_cluster_can_be_restored_to_its_last_moment() {
    let Some(lab) = Lab::start().await else {
        return;
    };
    lab.insert(1..=10);
    lab.take(BackupKind::Full).await;
    lab.take(BackupKind::Log).await;
    let log = lab.take(BackupKind::Log).await;
    let last = RestoreTarget::Time(set(&log).finished);
    lab.restore(last, "copy").await;
    assert_eq!(lab.rows("copy"), lab.rows(CLUSTER));
}
