//! What is to go wrong during a run, and when.

use crate::net::{Agenda, End, SECOND, Time};
use crate::random::Random;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection breaks now.
    Cut,
    /// The connection breaks behind a byte that is still to be sent.
    CutAt { from: End, bytes: usize },
    /// One end does not read for a while.
    Stall { end: End, pause: Time },
    /// The source gives the connection up; what it sent arrives, late.
    Abandon { late: Time },
    /// A process dies, and is started again after a while.
    Kill { end: End, down: Time },
    /// A clock jumps.
    Jump { end: End, by: i64 },
    /// The user of the source ends the session.
    Abort,
    /// The target ends the session.
    TargetAbort,
}

impl Fault {
    /// A jump that may use up the time limit of a side.
    pub(crate) const fn is_long_jump(self) -> bool {
        matches!(self, Self::Jump { by, .. } if by > LONG || by < -LONG)
    }

    fn of_the_network(random: &mut Random) -> Self {
        match random.between(1, 10) {
            1..=5 => Self::Cut,
            6..=7 => Self::CutAt {
                from: either(random),
                bytes: random.index(1000),
            },
            8 => Self::Stall {
                end: either(random),
                pause: random.between(1, 40 * SECOND),
            },
            _ => Self::Abandon {
                late: random.between(0, 5 * SECOND),
            },
        }
    }

    fn jump(random: &mut Random) -> Self {
        let end = either(random);
        let longest = if random.chance(10) { 3600 } else { 60 };
        let by = i64::try_from(random.between(1, longest * SECOND)).unwrap();
        let by = if random.chance(50) { by } else { -by };
        Self::Jump { end, by }
    }
}

/// Beyond this, a jump may use up a time limit (microseconds).
const LONG: i64 = 60_000_000;

fn either(random: &mut Random) -> End {
    if random.chance(50) {
        End::Source
    } else {
        End::Target
    }
}

/// Most is to happen while the streams run, which takes some ten times the slowness of the disk or
/// the engine; some while the run is in trouble already.
fn moment(slowness: Time, random: &mut Random) -> Time {
    let span = match random.between(1, 10) {
        1..=3 => slowness,
        4..=7 => 6 * slowness,
        8..=9 => 15 * slowness + 5 * SECOND,
        _ => 600 * SECOND,
    };
    random.between(0, span)
}

/// Draws the faults of a run.
pub(crate) fn draw(slowness: Time, random: &mut Random) -> Vec<(Time, Fault)> {
    let mut faults = Vec::new();
    let mut some = |random: &mut Random, chance, most, fault: fn(&mut Random) -> Fault| {
        if random.chance(chance) {
            for _ in 0..random.between(1, most) {
                faults.push((moment(slowness, random), fault(random)));
            }
        }
    };
    some(random, 70, 12, Fault::of_the_network);
    some(random, 45, 4, |random| Fault::Kill {
        end: End::Target,
        down: random.between(1, 60 * SECOND),
    });
    some(random, 15, 2, |random| Fault::Kill {
        end: End::Source,
        down: random.between(1, 120 * SECOND),
    });
    some(random, 15, 3, Fault::jump);
    some(random, 4, 1, |_| Fault::Abort);
    some(random, 2, 1, |_| Fault::TargetAbort);
    faults
}

/// Puts faults on the agenda.
pub(crate) fn put<E>(agenda: &mut Agenda<E>, faults: &[(Time, Fault)], wrap: impl Fn(Fault) -> E) {
    for (at, fault) in faults {
        agenda.at(*at, wrap(*fault));
    }
}
