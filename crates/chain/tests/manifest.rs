//! The chains of real SQL Server backups, as an independent program read their headers.
//!
//! Runs when `VAB_BAK_DIR` names a folder with a `manifest.csv`.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that fails loudly"
)]

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use vab_chain::{
    BackupKind, BackupSet, Catalog, Chain, DifferentialBase, Lsn, PointId, PointState,
    RestorePoint, ServerTime, Target, Then,
};

struct Row(BTreeMap<String, String>);

impl Row {
    fn get(&self, column: &str) -> &str {
        self.0.get(column).map_or("", String::as_str)
    }

    fn lsn(&self, column: &str) -> Lsn {
        self.get(column).parse().expect("an LSN")
    }

    fn time(&self, column: &str) -> ServerTime {
        self.get(column).replace(' ', "T").parse().expect("a time")
    }
}

fn rows(folder: &Path) -> Vec<Row> {
    let text = std::fs::read_to_string(folder.join("manifest.csv")).expect("manifest.csv");
    let mut lines = text.lines();
    let columns: Vec<_> = lines
        .next()
        .expect("a heading")
        .split(',')
        .map(str::to_owned)
        .collect();
    lines
        .map(|line| {
            let cells = line.split(',').map(str::to_owned);
            Row(columns.iter().cloned().zip(cells).collect())
        })
        .collect()
}

fn points(rows: &[Row]) -> Vec<RestorePoint> {
    let mut seen = HashSet::new();
    let mut points = Vec::new();
    for row in rows.iter().filter(|row| !row.get("database").is_empty()) {
        let id = row.get("backup_set_uuid");
        if !seen.insert(id) {
            continue;
        }
        let kind = match row.get("kind") {
            "full" => BackupKind::Full,
            "diff" => BackupKind::Differential,
            "log" => BackupKind::Log,
            other => panic!("kind {other}"),
        };
        let mut set = BackupSet::new(
            id.parse().expect("a GUID"),
            row.get("database"),
            kind,
            row.lsn("first_lsn")..row.lsn("last_lsn"),
            row.time("start"),
            row.time("finish"),
        );
        row.get("server").clone_into(&mut set.server);
        set.checkpoint_lsn = row.lsn("checkpoint_lsn");
        set.database_backup_lsn = row.lsn("database_backup_lsn");
        set.last_fork = Some(row.get("recovery_fork_guid").parse().expect("a GUID"));
        set.first_fork = set.last_fork;
        set.differential_base =
            row.get("differential_base_guid")
                .parse()
                .ok()
                .map(|base| DifferentialBase {
                    id: Some(base),
                    lsn: set.database_backup_lsn,
                });
        points.push(RestorePoint {
            id: PointId(set.id.0),
            set,
        });
    }
    points
}

fn with_catalog(test: impl FnOnce(&Catalog, &[RestorePoint])) {
    let Some(folder) = std::env::var_os("VAB_BAK_DIR") else {
        eprintln!("skipped: VAB_BAK_DIR does not name a folder with real backups");
        return;
    };
    let points = points(&rows(Path::new(&folder)));
    assert!(points.len() > 40, "too few sets in the manifest");
    test(&Catalog::new(points.iter().cloned()), &points);
}

#[test]
fn every_differential_finds_the_base_it_names() {
    with_catalog(|catalog, points| {
        let mut count = 0;
        for point in points
            .iter()
            .filter(|point| point.set.kind == BackupKind::Differential)
        {
            let chain = chain_of(catalog, point.id);
            let named = point
                .set
                .differential_base
                .and_then(|base| base.id)
                .map(|id| PointId(id.0));
            assert_eq!(chain.base_of(point.id), named);
            count += 1;
        }
        assert!(count > 5, "only {count} differentials");
    });
}

#[test]
fn every_point_is_restorable_by_a_plan_that_ends_where_it_ends() {
    with_catalog(|catalog, points| {
        for point in points {
            let chain = chain_of(catalog, point.id);
            assert_eq!(
                chain.state(point.id),
                Some(PointState::Restorable),
                "{}",
                point.id
            );
            let plan = chain.plan(&Target::Point(point.id)).expect("a plan");
            assert_eq!(plan.reaches.lsn, Some(point.set.last_lsn));
            check_steps(points, &plan);
        }
    });
}

#[test]
fn logs_follow_each_other_without_gap() {
    with_catalog(|catalog, _| {
        for chain in catalog.chains() {
            let plan = chain.plan(&Target::Latest).expect("a plan");
            let end = chain.points().iter().map(|point| point.last_lsn).max();
            assert_eq!(plan.reaches.lsn, end, "{}", chain.database());
            assert!(plan.notes.is_empty(), "{:?}", plan.notes);
        }
    });
}

#[test]
fn every_second_between_first_and_last_backup_of_a_logged_database_is_reachable() {
    with_catalog(|catalog, points| {
        for name in ["RestoreTimeClean", "RestoreTimeStripe", "OlaMsFilterTest"] {
            let chain = catalog.named(name).next().expect("the database");
            let times = || {
                chain
                    .points()
                    .iter()
                    .map(|point| point.finished.as_micros())
            };
            let (from, to) = (
                times().min().expect("points"),
                times().max().expect("points"),
            );
            for second in (from..=to).step_by(1_000_000) {
                let target = Target::Time(ServerTime::from_micros(second));
                let plan = chain
                    .plan(&target)
                    .unwrap_or_else(|error| panic!("{name}: {error}"));
                check_steps(points, &plan);
            }
            let interval = &chain.reachable().forks[0].intervals;
            assert_eq!(interval.len(), 1, "{name}: {interval:?}");
            let past = ServerTime::from_micros(to + 1);
            assert!(chain.plan(&Target::Time(past)).is_err());
        }
    });
}

#[test]
fn a_database_in_simple_recovery_is_reachable_only_where_its_backups_end() {
    with_catalog(|catalog, _| {
        let chain = catalog
            .named("SimpleBackTest")
            .next()
            .expect("the database");
        let intervals = &chain.reachable().forks[0].intervals;
        assert_eq!(intervals.len(), 3);
        assert!(
            intervals
                .iter()
                .all(|interval| interval.from == interval.to)
        );
    });
}

fn chain_of(catalog: &Catalog, point: PointId) -> &Chain {
    let mut chains = catalog
        .chains()
        .iter()
        .filter(|chain| chain.point(point).is_some());
    let chain = chains.next().expect("a chain");
    assert!(chains.next().is_none(), "{point} is in two chains");
    chain
}

/// The rules of redo, told again in the simplest words.
fn check_steps(points: &[RestorePoint], plan: &vab_chain::Plan) {
    let mut at: Option<&BackupSet> = None;
    let mut redo = Lsn::ZERO;
    for (index, step) in plan.steps.iter().enumerate() {
        let set = &points
            .iter()
            .find(|point| point.id == step.point)
            .expect("a point")
            .set;
        match set.kind {
            BackupKind::Full => assert!(at.is_none()),
            BackupKind::Differential => {
                let full = at.expect("a full before");
                assert_eq!(
                    set.differential_base.and_then(|base| base.id),
                    Some(full.id)
                );
                assert_eq!(set.database_backup_lsn, full.checkpoint_lsn);
            }
            BackupKind::Log => {
                assert!(set.first_lsn <= redo && redo < set.last_lsn);
                assert_eq!(set.first_fork, at.expect("a step before").last_fork);
            }
        }
        redo = set.last_lsn;
        at = Some(set);
        let last = index + 1 == plan.steps.len();
        assert_eq!(step.then == Then::Done, last);
    }
}
