//! Marks beside a fork.

use uuid::Uuid;
use vab_chain::{
    BackupKind, BackupSet, Chain, ForkId, Lsn, Mark, PointId, RestorePoint, ServerTime, Target,
};

const OLD: ForkId = ForkId(Uuid::from_u128(100));
const NEW: ForkId = ForkId(Uuid::from_u128(101));

fn point(n: u32, kind: BackupKind, from: u32, to: u32) -> RestorePoint {
    let id = Uuid::from_u128(n.into());
    let time = ServerTime::from_micros(i64::from(n));
    let lsns = Lsn::new(1, from, 1)..Lsn::new(1, to, 1);
    let mut set = BackupSet::new(id.into(), "db", kind, lsns, time, time);
    set.first_fork = Some(OLD);
    set.last_fork = Some(OLD);
    RestorePoint { id: id.into(), set }
}

#[test]
fn a_mark_at_the_fork_point_is_on_the_older_fork_only() {
    let mark = Lsn::new(1, 30, 1);
    let full = point(1, BackupKind::Full, 10, 20);
    let mut marked = point(2, BackupKind::Log, 15, 40);
    marked.set.marks.push(Mark {
        name: "deploy".to_owned(),
        lsn: mark,
        time: ServerTime::from_micros(2),
    });
    let mut forked = point(3, BackupKind::Log, 20, 50);
    forked.set.last_fork = Some(NEW);
    forked.set.fork_point = Some(mark);
    let chain = Chain::new([full, marked, forked]);
    let target = Target::Mark {
        name: "deploy".to_owned(),
        after: None,
        including: true,
    };
    let plan = chain.plan(&target).unwrap();
    let points: Vec<_> = plan.steps.iter().map(|step| step.point).collect();
    assert_eq!(points, [1, 2].map(|n| PointId(Uuid::from_u128(n))));
}
