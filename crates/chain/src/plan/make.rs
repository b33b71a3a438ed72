//! From a target to a plan.

use crate::chain::forks::{Fork, Place};
use crate::chain::track::Slot;
use crate::{Chain, ForkId, Lsn, PointFacts, PointId, ServerTime};

use super::explain::{explain, near_lsn, near_time, point_cause};
use super::search::{Found, Goal, Search, Start, Stop};
use super::unreachable::UnreachableCause as Cause;
use super::{Note, Plan, PlanOptions, Reaches, Standing, Step, StopAt, Target, Then, Unreachable};

/// What was asked, with its defaults.
#[derive(Clone, Copy)]
pub(super) struct Request<'c> {
    pub(super) chain: &'c Chain,
    pub(super) standing: Option<&'c Standing>,
    pub(super) options: PlanOptions,
}

pub(super) fn plan(
    chain: &Chain,
    standing: Option<&Standing>,
    target: &Target,
    options: PlanOptions,
) -> Result<Plan, Unreachable> {
    let request = Request {
        chain,
        standing,
        options,
    };
    if chain.points().is_empty() {
        return Err(alone(Cause::NoBackups));
    }
    match target {
        Target::Latest => request.latest(),
        Target::Time(time) => request.time(*time, &chain.forks_at(*time)),
        Target::TimeOnFork { at, fork } => {
            let fork = request.find(*fork)?;
            request.time(*at, &[living_at(chain, fork, *at)])
        }
        Target::Point(point) => request.point(*point),
        Target::Lsn {
            lsn,
            fork,
            including,
        } => request.lsn(*lsn, *fork, *including),
        Target::Mark {
            name,
            after,
            including,
        } => request.mark(name, *after, *including),
    }
}

/// Why a point cannot be restored; `None` when it can.
pub(crate) fn cause_of(chain: &Chain, slot: Slot) -> Option<Cause> {
    let request = Request {
        chain,
        standing: None,
        options: PlanOptions::default(),
    };
    let facts = chain.at(slot)?;
    let search = request.search_point(slot, facts)?;
    request.find_point(facts, &search).err()
}

fn alone(cause: Cause) -> Unreachable {
    Unreachable {
        cause: Box::new(cause),
        before: None,
        after: None,
    }
}

/// On the way to `fork`, the fork that was written on at `time`.
fn living_at(chain: &Chain, fork: Fork, time: ServerTime) -> Fork {
    let mut at = chain.tree().ancestors(fork);
    at.find(|fork| chain.born(*fork) <= time || chain.tree().branch_of(*fork).is_none())
        .unwrap_or(fork)
}

impl<'c> Request<'c> {
    fn find(&self, fork: ForkId) -> Result<Fork, Unreachable> {
        self.chain
            .tree()
            .find(fork)
            .ok_or_else(|| alone(Cause::NoSuchFork { fork }))
    }

    fn search(&self, fork: Fork, goal: Goal) -> Search<'c> {
        Search::new(self.chain, fork, goal, self.options)
    }

    fn run(&self, search: &Search<'_>) -> Result<Found, Cause> {
        if let Some(standing) = self.standing {
            self.stands_before(standing, search)?;
        }
        search
            .run(self.standing)
            .map_err(|stuck| explain(search, stuck))
    }

    /// Whether the database stands on the way to the goal, and not beyond it.
    fn stands_before(&self, standing: &Standing, search: &Search<'_>) -> Result<(), Cause> {
        if let Some(id) = standing.fork {
            let elsewhere = || Cause::StandsElsewhere { fork: Some(id) };
            let fork = self.chain.tree().find(id).ok_or_else(elsewhere)?;
            let shared = search.agreement.get(fork.index()).copied().flatten();
            if shared.is_none_or(|shared| standing.lsn > shared) {
                return Err(elsewhere());
            }
        }
        let passed = match search.goal {
            Goal::Furthest => false,
            Goal::Place { lsn, .. } => standing.lsn > lsn,
            Goal::Time(time) | Goal::LastBefore(time) => {
                let ended = self.chain.end_time(search.fork, standing.lsn);
                let track = self.chain.track(search.fork);
                let until = track.and_then(|track| track.not_beyond_until(standing.lsn));
                ended.is_none_or(|ended| ended > time) && until.is_some_and(|until| until > time)
            }
        };
        if passed {
            Err(Cause::AlreadyPassed {
                standing: standing.lsn,
            })
        } else {
            Ok(())
        }
    }

    fn latest(&self) -> Result<Plan, Unreachable> {
        let newest = self.chain.forks_by_age().next();
        let mut first_cause = None;
        for fork in self.chain.forks_by_age() {
            let search = self.search(fork, Goal::Furthest);
            match self.run(&search) {
                Ok(found) => {
                    let mut notes = Vec::new();
                    if Some(fork) != newest {
                        notes.push(Note::OlderFork {
                            fork: self.chain.tree().id(fork),
                            newest: newest.and_then(|newest| self.chain.tree().id(newest)),
                        });
                    }
                    let later = self
                        .chain
                        .known_end(fork)
                        .is_some_and(|end| end > found.end);
                    let stuck =
                        later.then(|| explain(&search, super::search::Stuck::At(found.end)));
                    if let Some(cause) = first_cause.or(stuck).map(Box::new) {
                        notes.push(Note::LaterNotReached { cause });
                    }
                    return Ok(self.write(&search, &found, notes));
                }
                Err(cause) => first_cause = first_cause.or(Some(cause)),
            }
        }
        Err(alone(first_cause.unwrap_or(Cause::NoBackups)))
    }

    fn time(&self, time: ServerTime, forks: &[Fork]) -> Result<Plan, Unreachable> {
        let goal = if self.options.logs {
            Goal::Time(time)
        } else {
            Goal::LastBefore(time)
        };
        let mut first_cause = None;
        for fork in forks {
            let search = self.search(*fork, goal);
            match self.run(&search) {
                Ok(found) => return Ok(self.write(&search, &found, Vec::new())),
                Err(cause) => first_cause = first_cause.or(Some(cause)),
            }
        }
        let (before, after) = near_time(self.chain, time);
        Err(Unreachable {
            cause: Box::new(first_cause.unwrap_or(Cause::NoBackups)),
            before,
            after,
        })
    }

    fn point(&self, point: PointId) -> Result<Plan, Unreachable> {
        let no_such_point = || alone(Cause::NoSuchPoint { point });
        let slot = self.chain.slot_of(point).ok_or_else(no_such_point)?;
        let facts = self.chain.at(slot).ok_or_else(no_such_point)?;
        let search = self.search_point(slot, facts).ok_or_else(no_such_point)?;
        match self.find_point(facts, &search) {
            Ok(found) => {
                let mut plan = self.write(&search, &found, Vec::new());
                plan.reaches.time = plan.reaches.time.or(Some(facts.finished));
                if !plan.steps.iter().any(|step| step.point == point) {
                    plan.notes.push(Note::PointNotNeeded { point });
                }
                Ok(plan)
            }
            Err(cause) => {
                let (before, after) = near_time(self.chain, facts.finished);
                Err(Unreachable {
                    cause: Box::new(cause),
                    before,
                    after,
                })
            }
        }
    }

    fn search_point(&self, slot: Slot, facts: &PointFacts) -> Option<Search<'c>> {
        let end = self.chain.end_of(facts)?;
        let goal = Goal::Place {
            lsn: end.lsn,
            including: false,
        };
        let mut search = self.search(end.fork, goal);
        search.prefer = Some(slot);
        Some(search)
    }

    /// A way to the end of a point that is usable itself, with its base.
    fn find_point(&self, facts: &PointFacts, search: &Search<'_>) -> Result<Found, Cause> {
        match point_cause(search, facts) {
            Some(cause) => Err(cause),
            None => self.run(search),
        }
    }

    fn lsn(&self, lsn: Lsn, fork: Option<ForkId>, including: bool) -> Result<Plan, Unreachable> {
        let goal = Goal::Place { lsn, including };
        let mut notes = Vec::new();
        let fork = match fork {
            Some(fork) => self.find(fork)?,
            None => self.newest_with(lsn, &mut notes)?,
        };
        self.place(fork, goal, lsn, notes)
    }

    /// The newest fork that the LSN is on.
    fn newest_with(&self, lsn: Lsn, notes: &mut Vec<Note>) -> Result<Fork, Unreachable> {
        let has = |fork: &Fork| self.chain.known_end(*fork).is_some_and(|end| end >= lsn);
        let forks: Vec<_> = self.chain.forks_by_age().filter(has).collect();
        let newest = forks
            .first()
            .copied()
            .or_else(|| self.chain.forks_by_age().next());
        let newest = newest.ok_or_else(|| alone(Cause::NoBackups))?;
        let owner = |fork| self.chain.tree().owner(Place { fork, lsn });
        if forks.iter().any(|fork| owner(*fork) != owner(newest)) {
            notes.push(Note::SeveralForks {
                lsn,
                fork: self.chain.tree().id(newest),
            });
        }
        Ok(newest)
    }

    fn mark(
        &self,
        name: &str,
        after: Option<ServerTime>,
        including: bool,
    ) -> Result<Plan, Unreachable> {
        let newest = self.chain.forks_by_age().find_map(|fork| {
            let agreement = self.chain.tree().agreement(fork);
            let here = |mark: &&crate::chain::MarkAt| {
                let shared = agreement.get(mark.fork.index()).copied().flatten();
                mark.name.as_ref() == name
                    && after.is_none_or(|after| mark.time >= after)
                    && shared.is_some_and(|shared| mark.lsn < shared)
            };
            let mark = self
                .chain
                .marks()
                .iter()
                .filter(here)
                .min_by_key(|mark| mark.lsn)?;
            Some((fork, mark.lsn))
        });
        let Some((fork, lsn)) = newest else {
            let name = name.to_owned();
            return Err(alone(Cause::NoSuchMark { name }));
        };
        self.place(fork, Goal::Place { lsn, including }, lsn, Vec::new())
    }

    fn place(
        &self,
        fork: Fork,
        goal: Goal,
        lsn: Lsn,
        notes: Vec<Note>,
    ) -> Result<Plan, Unreachable> {
        let search = self.search(fork, goal);
        match self.run(&search) {
            Ok(found) => Ok(self.write(&search, &found, notes)),
            Err(cause) => {
                let (before, after) = near_lsn(self.chain, fork, lsn);
                Err(Unreachable {
                    cause: Box::new(cause),
                    before,
                    after,
                })
            }
        }
    }

    fn write(&self, search: &Search<'_>, found: &Found, mut notes: Vec<Note>) -> Plan {
        let stop = found.moves.last().and_then(|last| last.stop);
        let mut slots: Vec<(Slot, Option<StopAt>)> = match found.start {
            Start::Standing => Vec::new(),
            Start::Full(full) => vec![(full, None)],
            Start::Differential { full, differential } => vec![(full, None), (differential, None)],
        };
        for step in &found.moves {
            let inside = self
                .chain
                .at(step.log)
                .is_some_and(PointFacts::can_stop_inside);
            // Towards a time, every log is told to stop there.
            let towards = stop.filter(|stop| matches!(stop, Stop::Time(_)) && inside);
            slots.push((step.log, step.stop.or(towards).map(StopAt::from)));
        }
        let count = slots.len();
        let steps: Vec<_> = slots
            .into_iter()
            .enumerate()
            .filter_map(|(index, (slot, stop_at))| {
                let facts = self.chain.at(slot)?;
                Some(Step {
                    point: facts.id,
                    set: facts.set,
                    kind: facts.kind,
                    stop_at,
                    then: if index + 1 == count {
                        Then::Done
                    } else {
                        Then::Continue
                    },
                })
            })
            .collect();
        notes.extend(self.notes(search, found, stop));
        Plan {
            reaches: self.reaches(search, found, stop),
            steps,
            notes,
        }
    }

    fn reaches(&self, search: &Search<'_>, found: &Found, stop: Option<Stop>) -> Reaches {
        let end = Place {
            fork: search.fork,
            lsn: found.end,
        };
        let at = |time, lsn, fork| Reaches {
            time,
            lsn,
            fork: self.chain.tree().id(fork),
        };
        let owner = self.chain.tree().owner(end).fork;
        match (stop, search.goal) {
            (Some(Stop::Time(time)), _) => at(Some(time), None, search.fork),
            (Some(Stop::At(lsn)), _) => {
                let place = Place { lsn, ..end };
                at(None, None, self.chain.tree().owner(place).fork)
            }
            (_, Goal::Time(time)) => at(Some(time), Some(found.end), owner),
            (Some(Stop::Before(lsn)), _) => at(None, Some(lsn), owner),
            (None, _) => {
                let last = found.last_slot().and_then(|slot| self.chain.at(slot));
                at(
                    last.map(|facts| facts.finished).or(found.time),
                    Some(found.end),
                    owner,
                )
            }
        }
    }

    fn notes(&self, search: &Search<'_>, found: &Found, stop: Option<Stop>) -> Vec<Note> {
        let mut notes = Vec::new();
        let facts = |slot| self.chain.at(slot);
        if let Start::Differential { full, differential } = found.start
            && let (Some(full), Some(differential)) = (facts(full), facts(differential))
            && let Some(base) = differential.base.filter(|base| base.id.is_none())
        {
            notes.push(Note::BaseFoundByLsn {
                differential: differential.id,
                full: full.id,
                lsn: base.lsn,
            });
        }
        let unnamed = self.chain.tree().find_unknown() == Some(search.fork);
        if unnamed || self.chain.fork_assumed().is_some() {
            notes.push(Note::ForkAssumed {
                fork: self.chain.fork_assumed(),
            });
        }
        let used = match found.start {
            Start::Full(full) => [Some(full), None],
            Start::Differential { full, differential } => [Some(full), Some(differential)],
            Start::Standing => [None, None],
        };
        let logs = found.moves.iter().map(|step| step.log);
        let damaged = used.into_iter().flatten().chain(logs).filter_map(facts);
        notes.extend(
            damaged
                .filter(|facts| facts.unusable.is_some())
                .map(|facts| Note::TakenFromDamaged { point: facts.id }),
        );
        if let (Goal::LastBefore(wanted), Some(reached)) = (search.goal, found.time)
            && reached != wanted
        {
            notes.push(Note::LastBefore { wanted, reached });
        }
        if let (Some(Stop::Time(time)), Some(log)) =
            (stop, found.moves.last().and_then(|last| facts(last.log)))
        {
            notes.extend(self.notes_on_stop(search, log, time));
        }
        notes
    }

    fn notes_on_stop(&self, search: &Search<'_>, log: &PointFacts, time: ServerTime) -> Vec<Note> {
        let mut notes = Vec::new();
        let track = self.chain.track(search.fork);
        let next = track.and_then(|track| track.logs_over(log.last_lsn).next());
        if let Some(next) = next.and_then(|next| self.chain.at(next.slot))
            && log.started < time
        {
            notes.push(Note::InsideBackupTime {
                log: log.id,
                next: next.id,
            });
        }
        let first_seen = track
            .and_then(|track| track.activity)
            .map(|(first, _)| first);
        if log.first_fork != log.last_fork
            && first_seen.is_some_and(|first| time < first)
            && !self.chain.birth_is_known(search.fork)
        {
            notes.push(Note::CrossesFork {
                log: log.id,
                at: log.fork_point.unwrap_or(log.first_lsn),
            });
        }
        notes
    }
}
