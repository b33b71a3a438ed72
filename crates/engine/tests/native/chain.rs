//! The facts of real backups are chains that can be restored.

use uuid::Uuid;
use vab_chain::{BackupKind, Catalog, Chain, PointId, RestorePoint, Target};
use vab_engine::bak;

use crate::manifest::folder;

/// The chain of a database of which backups are under the folder.
fn chain(of: &str) -> Option<Chain> {
    let found = bak::discover([folder()?]);
    let points = found.sets.iter().zip(1_u128..).filter_map(|(set, number)| {
        Some(RestorePoint {
            id: PointId(Uuid::from_u128(number)),
            set: set.facts()?.clone(),
        })
    });
    let catalog = Catalog::new(points);
    // pubs, TutorialDB, OlaMsFilterTest, RestoreTimeClean, stripetest, singlerestore,
    // testlastbackup, Cube_Query_History, RestoreTimeStripe, SimpleBackTest, dbOrphanUsers.
    assert_eq!(catalog.chains().len(), 11);
    let [chain] = catalog
        .named(of)
        .cloned()
        .collect::<Vec<_>>()
        .try_into()
        .unwrap();
    Some(chain)
}

fn planned(chain: &Chain, target: &Target) -> Vec<BackupKind> {
    let plan = chain.plan(target).unwrap();
    plan.steps.iter().map(|step| step.kind).collect()
}

#[test]
fn every_point_can_be_restored() {
    for database in [
        "pubs",
        "TutorialDB",
        "OlaMsFilterTest",
        "RestoreTimeClean",
        "RestoreTimeStripe",
        "stripetest",
        "SimpleBackTest",
        "Cube_Query_History",
        "dbOrphanUsers",
    ] {
        let Some(chain) = chain(database) else { return };
        for point in chain.points() {
            let state = chain.state(point.id).unwrap();
            assert!(state.is_restorable(), "{database}: {}: {state}", point.set);
        }
    }
}

#[test]
fn the_latest_state_needs_the_latest_differential_and_the_logs_after_it() {
    use BackupKind::{Differential, Full, Log};
    let Some(chain) = chain("RestoreTimeClean") else {
        return;
    };
    assert_eq!(
        planned(&chain, &Target::Latest),
        [Full, Differential, Log, Log, Log]
    );
}

#[test]
fn a_time_between_two_logs_is_reached_by_the_one_after_it() {
    use BackupKind::{Full, Log};
    let Some(chain) = chain("RestoreTimeClean") else {
        return;
    };
    let time = "2017-06-01T13:10:00".parse().unwrap();
    assert_eq!(planned(&chain, &Target::Time(time)), [Full, Log, Log, Log]);
}
