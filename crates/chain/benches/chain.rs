//! The index and the planner over a million restore points of a thousand databases.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use uuid::Uuid;
use vab_chain::{
    BackupKind, BackupSet, Catalog, DifferentialBase, ForkId, Lsn, PointId, RestorePoint,
    ServerTime, Target,
};

const DATABASES: u32 = 1000;
const POINTS: u32 = 1000;
const QUARTER: i64 = 15 * 60 * 1_000_000;

/// A backup each quarter of an hour: a full a week, a differential a day, logs between.
fn points(database: u32) -> impl Iterator<Item = RestorePoint> {
    let id = move |n: u32| Uuid::from_u128((u128::from(database) << 64) + u128::from(n) + 1);
    let lsn = |n: u32| Lsn::new(1 + n / 100, n * 50, 1);
    let fork = ForkId(id(u32::MAX - 1));
    (0..POINTS).map(move |n| {
        let kind = match n {
            n if n.is_multiple_of(672) => BackupKind::Full,
            n if n.is_multiple_of(96) => BackupKind::Differential,
            _ => BackupKind::Log,
        };
        let full = n / 672 * 672;
        let lsns = match kind {
            BackupKind::Log => lsn(n.saturating_sub(1))..lsn(n + 1),
            _ => lsn(n)..lsn(n + 1),
        };
        let time = ServerTime::from_micros(i64::from(n) * QUARTER);
        let mut set = BackupSet::new(
            id(n).into(),
            format!("db{database}"),
            kind,
            lsns,
            time,
            time,
        );
        set.first_fork = Some(fork);
        set.last_fork = Some(fork);
        set.family_id = Some(id(u32::MAX - 2).into());
        set.differential_base = (kind == BackupKind::Differential).then(|| DifferentialBase {
            id: Some(id(full).into()),
            lsn: lsn(full),
        });
        RestorePoint {
            id: PointId(id(n)),
            set,
        }
    })
}

fn index(criterion: &mut Criterion) {
    let all = || (0..DATABASES).flat_map(points);
    let catalog = Catalog::new(all());
    let memory: usize = catalog.chains().iter().map(vab_chain::Chain::memory).sum();
    let count: usize = catalog
        .chains()
        .iter()
        .map(|chain| chain.points().len())
        .sum();
    println!(
        "index: {count} points, {} bytes a point",
        memory / count.max(1)
    );

    let mut group = criterion.benchmark_group("million");
    group.sample_size(10);
    group.bench_function("build", |bencher| {
        bencher.iter_with_large_drop(|| Catalog::new(black_box(all())));
    });
    let Some(chain) = catalog.chains().first() else {
        return;
    };
    group.sample_size(100);
    group.bench_function("plan_latest", |bencher| {
        bencher.iter(|| chain.plan(black_box(&Target::Latest)));
    });
    // 95 logs after the last differential: the longest plan there is.
    let time = ServerTime::from_micros(959 * QUARTER - 1);
    group.bench_function("plan_time", |bencher| {
        bencher.iter(|| chain.plan(black_box(&Target::Time(time))));
    });
    let past = ServerTime::from_micros(i64::from(POINTS) * QUARTER);
    group.bench_function("plan_unreachable", |bencher| {
        bencher.iter(|| chain.plan(black_box(&Target::Time(past))));
    });
    group.finish();
}

criterion_group!(benches, index);
criterion_main!(benches);
