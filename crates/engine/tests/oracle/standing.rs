//! Restores that go on from where the database was left.

use vab_chain::{BackupKind, Chain, PlanOptions, Standing, Target};

use crate::Tally;
use crate::history::History;
use crate::lab::{Goal, Lab};
use crate::random::Random;

/// Leaves a database restoring at the end of some backup, and plans from there.
pub(crate) fn check_standing(
    history: &History,
    chain: &Chain,
    lab: &Lab<'_>,
    random: &mut Random,
    tally: &mut Tally,
) -> Result<(), String> {
    let kept = &history.kept[random.below(history.kept.len())];
    let Ok(begun) = chain.plan(&Target::Point(kept.point())) else {
        return Ok(());
    };
    let Some(stands) = lab.apply(&begun)? else {
        return Err(format!("a plan of no steps:\n{begun}"));
    };
    let last = begun.steps.last().unwrap();
    let standing = Standing {
        lsn: stands.redo_lsn,
        fork: stands.fork,
        // No differential follows a log.
        base: (last.kind == BackupKind::Full).then_some(last.set),
    };
    let (target, goal, truth, to) = if random.below(2) == 0 {
        let time = history.moments[random.below(history.moments.len())];
        (
            Target::Time(time),
            Goal::Time(time),
            history.truth(time),
            history.branches[history.live_at(time)].fork,
        )
    } else {
        let branch = &history.branches[random.below(history.branches.len())];
        if branch.commits.is_empty() || !chain.forks().any(|fork| fork == branch.fork) {
            return Ok(());
        }
        let (lsn, ..) = branch.commits[random.below(branch.commits.len())];
        let fork = branch.fork;
        let target = Target::Lsn {
            lsn,
            fork: Some(fork),
            including: false,
        };
        (
            target,
            Goal::Place(fork, lsn),
            history.truth_at(fork, lsn),
            fork,
        )
    };
    // It stands at a later time: that nothing was committed in between no header tells.
    let passed = match goal {
        Goal::Time(time) => begun.reaches.time.is_none_or(|reached| reached > time),
        Goal::Place(..) | Goal::Behind(..) => false,
    };
    // A differential can lead to a fork that no log tells the way to; that is not planned for a
    // restore under way.
    let told = history.tells_way(stands.fork.unwrap(), to);
    let shortest = lab.shortest_after(&begun, goal).filter(|_| !passed && told);
    let say = |what: String| format!("{target:?} from {standing:?}: {what}\nafter {begun}");
    match chain.plan_from(&standing, &target, &PlanOptions::default()) {
        Ok(plan) => {
            tally.planned += 1;
            tally.went_on += 1;
            lab.apply(&begun)?;
            let rows = lab.run(&plan).map_err(|e| say(format!("{e}\n{plan}")))?;
            if rows != *truth {
                return Err(say(format!("other rows:\n{rows:?}\n{truth:?}\n{plan}")));
            }
            match shortest {
                Some(shortest) if shortest < plan.steps.len() => {
                    Err(say(format!("{shortest} steps are enough:\n{plan}")))
                }
                _ => Ok(()),
            }
        }
        Err(error) => match shortest {
            None => Ok(()),
            Some(steps) => Err(say(format!("{steps} steps lead there, but {error}"))),
        },
    }
}
