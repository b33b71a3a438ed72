use std::thread;
use std::time::Duration;

use vab_engine::{
    BackupRequest, DatabaseState, Engine, Recovery, RestoreError, RestoreRequest, Restored, StopAt,
    StopOutcome,
};
use vab_manager::BackupKind;
use vab_vdi::memory::Hub;
use vab_vdi::{DeviceName, SetConfig, Transport, Waited, serve};

use crate::lab::{CLUSTER, Lab};

const LIMIT: Duration = Duration::from_secs(120);

/// The stream of one backup, in memory.
fn backup(lab: &Lab, kind: BackupKind) -> Vec<u8> {
    let (hub, name) = (Hub::new(), DeviceName::new("one").unwrap());
    let set = hub.create(SetConfig::new(&name, 1).unwrap()).unwrap();
    thread::scope(|scope| {
        let engine_side = hub.clone();
        let request = BackupRequest::new(CLUSTER, kind, vec![name]);
        let engine = scope.spawn(move || lab.engine.backup(&request, &engine_side).unwrap());
        let Waited::Ready(set) = set.wait(LIMIT).unwrap() else {
            panic!("the engine never came")
        };
        let (set, devices) = set.open().unwrap();
        let mut stream = Vec::new();
        serve::backup(&devices[0], &mut stream, Some(LIMIT)).unwrap();
        set.close().unwrap();
        engine.join().unwrap();
        stream
    })
}

fn restore(
    lab: &Lab,
    kind: BackupKind,
    stream: &[u8],
    ask: impl FnOnce(&mut RestoreRequest),
) -> Result<Restored, RestoreError> {
    let (hub, name) = (Hub::new(), DeviceName::new("one").unwrap());
    let set = hub.create(SetConfig::new(&name, 1).unwrap()).unwrap();
    let mut request = RestoreRequest::new("copy", kind, vec![name]);
    ask(&mut request);
    thread::scope(|scope| {
        let engine_side = hub.clone();
        let engine = scope.spawn(move || lab.engine.restore(&request, &engine_side));
        if let Ok(Waited::Ready(set)) = set.wait(LIMIT) {
            let (set, devices) = set.open().unwrap();
            let mut stream = stream;
            // A refusal of the engine is what counts.
            let _ = serve::restore(&devices[0], &mut stream, Some(LIMIT));
            let _ = set.close();
        }
        engine.join().unwrap()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_beyond_the_log_waits_for_more_log() {
    let Some(lab) = Lab::start().await else {
        return;
    };
    lab.insert(1..=10);
    let full = backup(&lab, BackupKind::Full);
    lab.insert(11..=20);
    let first = backup(&lab, BackupKind::Log);
    let archive = lab.cluster().archive();
    let run = archive.runs().unwrap().remove(0);
    archive.release(run.timeline(), run.end()).unwrap();
    lab.insert(21..=30);
    let moment = lab.moment();
    lab.insert(31..=40);
    let second = backup(&lab, BackupKind::Log);

    let stop = Some(StopAt::Time(moment.time));
    let then = |recovery| {
        let stop_at = stop.clone();
        move |request: &mut RestoreRequest| {
            request.stop_at = stop_at;
            request.recovery = recovery;
        }
    };
    let (continues, ends) = (Recovery::NoRecovery, Recovery::Recovery);
    restore(&lab, BackupKind::Full, &full, then(continues)).unwrap();
    // A log that begins behind the place where the restore stands is refused, with the place.
    let gap = restore(&lab, BackupKind::Log, &second, then(ends)).unwrap_err();
    assert_eq!(gap.refusal().map(vab_engine::Refusal::number), Some(4305));
    let beyond = restore(&lab, BackupKind::Log, &first, then(ends)).unwrap();
    assert_eq!(beyond.stop, StopOutcome::Beyond);
    assert_eq!(beyond.state, DatabaseState::Restoring);
    let again = restore(&lab, BackupKind::Log, &first, then(ends)).unwrap_err();
    assert_eq!(again.refusal().map(vab_engine::Refusal::number), Some(4326));
    let reached = restore(&lab, BackupKind::Log, &second, then(ends)).unwrap();
    assert_eq!(reached.stop, StopOutcome::Reached);
    assert_eq!(reached.state, DatabaseState::Online);
    assert_eq!(lab.rows("copy"), moment.rows);
}

/// A base backup with one byte changed on the way is found out before it replaces anything.
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_base_backup_is_refused() {
    let Some(lab) = Lab::start().await else {
        return;
    };
    let mut full = backup(&lab, BackupKind::Full);
    let page = full.len() / 2;
    full[page] ^= 1;
    let refused = restore(&lab, BackupKind::Full, &full, |_| {}).unwrap_err();
    println!("{refused}");
    assert!(lab.engine.cluster("copy").is_err());
}
