//! An engine to try restores on.

use std::collections::{BTreeMap, HashSet, VecDeque};

use vab_chain::{self as chain, BackupKind, ForkId, Lsn, Plan, ServerTime};
use vab_engine::sim::{Ids, Instance, Options};
use vab_engine::{Engine, RecoverRequest, RestoreRequest, Restored, StopAt, StopEdge, StopOutcome};

use crate::history::{History, Kept, Rows, rows_of};

const NAME: &str = "lab";

pub(crate) struct Lab<'h> {
    history: &'h History,
    instance: Instance,
}

/// What a tried sequence is to lead to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    Time(ServerTime),
    Place(ForkId, Lsn),
    /// Behind a log record, which is the last one restored; the place behind it.
    Behind(ForkId, Lsn, Lsn),
}

#[derive(Clone, Debug)]
struct Try {
    steps: Vec<(usize, Option<StopAt>)>,
}

impl<'h> Lab<'h> {
    pub(crate) fn new(history: &'h History) -> Self {
        let options = Options::new(|| ServerTime::from_micros(0)).ids(Ids::seeded(7));
        let instance = Instance::memory(options);
        Self { history, instance }
    }

    fn step(&self, kept: &Kept, stop: Option<StopAt>) -> Result<Restored, String> {
        let mut request = RestoreRequest::new(NAME, kept.set.kind, Vec::new());
        request.stop_at = stop;
        request.replace = true;
        let readers = kept.stripes.iter().map(Vec::as_slice);
        self.instance
            .restore_from(&request, readers)
            .map_err(|error| {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                format!("{error}: {}", cause.unwrap_or_default())
            })
    }

    /// What a plan does.
    fn steps(&self, plan: &Plan) -> Vec<(usize, Option<StopAt>)> {
        let of_step = |step: &chain::Step| {
            let mut kept = self.history.kept.iter();
            let index = kept.position(|kept| kept.point() == step.point).unwrap();
            let stop = step.stop_at.as_ref().map(|stop| match stop {
                chain::StopAt::Time(time) => StopAt::Time(*time),
                chain::StopAt::BeforeLsn(lsn) => before(*lsn),
                chain::StopAt::AtLsn(lsn) => at(*lsn),
                other => panic!("{other}"),
            });
            (index, stop)
        };
        plan.steps.iter().map(of_step).collect()
    }

    /// Runs a plan, without recovery; where it stands.
    pub(crate) fn apply(&self, plan: &Plan) -> Result<Option<Restored>, String> {
        let mut last = None;
        for (index, stop) in self.steps(plan) {
            let kept = &self.history.kept[index];
            if !kept.known || !kept.usable {
                return Err("a backup is used that is not there".to_owned());
            }
            last = Some(self.step(kept, stop)?);
        }
        Ok(last)
    }

    /// The rows that a plan leads to on the engine.
    pub(crate) fn run(&self, plan: &Plan) -> Result<Rows, String> {
        self.apply(plan)?;
        let recover = RecoverRequest::new(NAME);
        self.instance
            .recover(&recover)
            .map_err(|error| error.to_string())?;
        Ok(rows_of(&self.instance, NAME))
    }

    fn readable(&self) -> impl Iterator<Item = (usize, &'h Kept)> + use<'h> {
        let kept = self.history.kept.iter().enumerate();
        kept.filter(|(_, kept)| kept.known && kept.usable)
    }

    fn replay(&self, tried: &Try) -> Option<Restored> {
        let mut last = None;
        for (index, stop) in &tried.steps {
            last = Some(self.step(&self.history.kept[*index], stop.clone()).ok()?);
        }
        last
    }

    /// The steps of the shortest sequence that leads to the goal, trying every legal one; and,
    /// without a goal, the places that can be reached.
    pub(crate) fn shortest(
        &self,
        goal: Option<Goal>,
    ) -> (Option<usize>, BTreeMap<(ForkId, Lsn), usize>) {
        let fulls = self.readable();
        let starts = fulls
            .filter(|(_, kept)| kept.set.kind == BackupKind::Full)
            .map(|(index, _)| vec![(index, None)]);
        self.search(goal, starts.map(|steps| Try { steps }).collect())
    }

    /// The steps of the shortest way on from where a plan leaves the database.
    pub(crate) fn shortest_after(&self, plan: &Plan, goal: Goal) -> Option<usize> {
        let steps = self.steps(plan);
        let begun = steps.len();
        let (shortest, _) = self.search(Some(goal), VecDeque::from([Try { steps }]));
        shortest.map(|steps| steps - begun)
    }

    fn search(
        &self,
        goal: Option<Goal>,
        mut open: VecDeque<Try>,
    ) -> (Option<usize>, BTreeMap<(ForkId, Lsn), usize>) {
        let mut places = BTreeMap::new();
        let mut seen: HashSet<String> = HashSet::new();
        // A sequence that may hold a differential counts one more than its full: breadth first.
        while let Some(tried) = open.pop_front() {
            let Some(restored) = self.replay(&tried) else {
                continue;
            };
            let at = (restored.fork.unwrap(), restored.redo_lsn);
            let (last, stop) = tried.steps.last().unwrap();
            let kept = &self.history.kept[*last];
            places
                .entry(self.history.owner(at.0, at.1))
                .or_insert(tried.steps.len());
            if goal.is_some_and(|goal| self.is_there(goal, kept, stop.as_ref(), &restored)) {
                if std::env::var_os("VAB_SEED").is_some() {
                    // Replayed for a person.
                    let id = |(index, stop): &(usize, _)| {
                        format!("{} {stop:?}", self.history.kept[*index].set.id)
                    };
                    eprintln!(
                        "{goal:?}: {:?}",
                        tried.steps.iter().map(id).collect::<Vec<_>>()
                    );
                }
                return (Some(tried.steps.len()), places);
            }
            let is_log = kept.set.kind == BackupKind::Log;
            let data = (!is_log).then_some((kept.set.finished, kept.set.id));
            let full = tried.steps[0].0;
            if !seen.insert(format!(
                "{at:?} {is_log} {data:?} {:?} {full}",
                restored.stop
            )) {
                continue;
            }
            for (index, stop) in self.extensions(&tried, &restored, goal) {
                let mut next = tried.clone();
                next.steps.push((index, stop));
                open.push_back(next);
            }
        }
        (None, places)
    }

    /// Every set that could be restored next, with every stop that could help.
    fn extensions(
        &self,
        tried: &Try,
        restored: &Restored,
        goal: Option<Goal>,
    ) -> Vec<(usize, Option<StopAt>)> {
        let redo = restored.redo_lsn;
        let mut all = Vec::new();
        for (index, kept) in self.readable() {
            let set = &kept.set;
            if tried.steps.iter().any(|(used, _)| *used == index) {
                continue;
            }
            match set.kind {
                BackupKind::Full => {}
                // Only one is ever needed, and it comes first.
                BackupKind::Differential if tried.steps.len() > 1 => {}
                BackupKind::Differential => all.push((index, None)),
                // The engine refuses the rest; this only spares the asking.
                BackupKind::Log if set.first_lsn > redo || set.last_lsn <= redo => {}
                BackupKind::Log => {
                    // A stop at an LSN says nothing to a log that does not have it.
                    let last = (set.last_fork.unwrap(), set.last_lsn);
                    let on_it = |place| self.history.is_before(place, last);
                    // No header tells that the end of a later log is still the state at a time.
                    let later = matches!(goal, Some(Goal::Time(time)) if set.finished > time);
                    if !later {
                        all.push((index, None));
                    }
                    match goal {
                        Some(Goal::Time(time)) => all.push((index, Some(StopAt::Time(time)))),
                        Some(Goal::Place(to, lsn)) if on_it((to, lsn)) => {
                            all.push((index, Some(before(lsn))));
                        }
                        Some(Goal::Behind(to, lsn, end)) if on_it((to, end)) => {
                            all.push((index, Some(at(lsn))));
                        }
                        Some(Goal::Place(..) | Goal::Behind(..)) | None => {}
                    }
                    let left = self
                        .history
                        .branches
                        .iter()
                        .filter_map(|branch| branch.left);
                    let inside = left.filter(|(fork, at)| {
                        *at > redo && *at < set.last_lsn && on_it((*fork, *at))
                    });
                    all.extend(inside.map(|(_, at)| (index, Some(before(at)))));
                }
            }
        }
        all
    }

    /// Whether a sequence is sure to have led to the goal, by what can be known of its backups.
    fn is_there(
        &self,
        goal: Goal,
        kept: &Kept,
        stop: Option<&StopAt>,
        restored: &Restored,
    ) -> bool {
        let history = self.history;
        let (fork, place) = (restored.fork.unwrap(), restored.redo_lsn);
        let time = match goal {
            Goal::Place(to, lsn) => return history.owner(fork, place) == history.owner(to, lsn),
            Goal::Behind(to, _, end) => {
                // No header tells that a backup ends just behind that record.
                let asked = matches!(
                    stop,
                    Some(StopAt::Lsn {
                        edge: StopEdge::At,
                        ..
                    })
                );
                return asked && history.owner(fork, place) == history.owner(to, end);
            }
            Goal::Time(time) => time,
        };
        let live = history.branches[history.live_at(time)].fork;
        if history.truth_at(fork, place) != history.truth(time) {
            return false;
        }
        if matches!(stop, Some(StopAt::Time(_))) && restored.stop == StopOutcome::Reached {
            // A log that crosses to a younger fork tells of this one only up to there.
            let last = (kept.set.last_fork.unwrap(), kept.set.last_lsn);
            let left_later = history.branches.iter().any(|branch| {
                let on_the_way = || history.is_before((branch.fork, branch.begin()), last);
                branch.left.is_some_and(|(from, _)| from == live)
                    && branch.reached.is_some_and(|reached| reached >= time)
                    && on_the_way()
            });
            return kept.set.last_fork == Some(live) || left_later;
        }
        // A full or differential is the state when it finished.
        stop.is_none() && kept.set.last_fork == Some(live) && kept.set.finished == time
    }
}

fn at(lsn: Lsn) -> StopAt {
    StopAt::Lsn {
        lsn,
        edge: StopEdge::At,
    }
}

fn before(lsn: Lsn) -> StopAt {
    StopAt::Lsn {
        lsn,
        edge: StopEdge::Before,
    }
}
