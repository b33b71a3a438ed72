use std::fs;

use vab_chain::UnreachableCause;
use vab_manager::{BackupKind, RestoreError, RestoreTarget};

use crate::lab::{CLUSTER, Lab, set};

/// Somebody removes a segment from the archive before it is in a log backup.
#[tokio::test(flavor = "multi_thread")]
async fn a_gap_in_the_archive_is_named_by_the_plan() {
    let Some(lab) = Lab::start().await else {
        return;
    };
    lab.insert(1..=100);
    lab.take(BackupKind::Full).await;
    lab.insert(101..=200);
    lab.take(BackupKind::Log).await;
    let before = lab.moment();
    for round in 0..3_u32 {
        lab.insert(1000 * round + 1001..=1000 * round + 2000);
        lab.sql("select pg_switch_wal()");
    }
    let after = lab.moment();
    lab.sql("select pg_logical_emit_message(true, '', ''), pg_switch_wal()");
    let archive = lab.cluster().archive();
    let segments = loop {
        let runs = archive.runs().unwrap();
        let segments: Vec<_> = runs
            .iter()
            .flat_map(|run| run.segments().to_vec())
            .collect();
        if segments.len() >= 4 {
            break segments;
        }
        std::thread::yield_now();
    };
    fs::remove_file(archive.folder().join(segments[1].name())).unwrap();

    // No log backup spans the gap: first what is before it, then what is behind it.
    let first = lab.take(BackupKind::Log).await;
    let second = lab.take(BackupKind::Log).await;
    assert!(set(&first).last_lsn < set(&second).first_lsn);
    assert!(set(&first).finished < after.time);

    let refused = lab.plan(RestoreTarget::Time(after.time)).await.unwrap_err();
    let RestoreError::Unreachable { reason, .. } = &refused else {
        panic!("{refused}");
    };
    let UnreachableCause::LogGap { from, to, .. } = *reason.cause else {
        panic!("{reason}");
    };
    assert_eq!(from, set(&first).last_lsn);
    assert_eq!(to, set(&second).first_lsn);
    println!("{refused}");

    // Up to the gap everything can be reached, also the last commit before it.
    lab.restore(RestoreTarget::Time(before.time), "copy").await;
    assert_eq!(lab.rows("copy"), before.rows);
    let last = RestoreTarget::Time(set(&first).finished);
    lab.restore(last, "last").await;

    // A new full makes what comes after it reachable.
    lab.take(BackupKind::Full).await;
    let now = lab.moment();
    lab.sql("delete from t");
    lab.take(BackupKind::Log).await;
    lab.engine.remove(CLUSTER).unwrap();
    lab.restore(RestoreTarget::Time(now.time), CLUSTER).await;
    assert_eq!(lab.rows(CLUSTER), now.rows);
}
