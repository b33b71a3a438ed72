//! The databases of a run, from the first to the last.

use std::collections::HashMap;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use vab_engine::Engine;

use super::BackupRun;
use super::attempt::{Context, End, Tried};
use super::failure::{Failure, FailureClass};
use super::guard::Decision;
use super::report::{DatabaseReport, DatabaseResult, seconds};
use super::schedule::{Schedule, Streams};
use super::watch::{RunEvent, RunWatch};
use crate::clock::Clock;
use crate::recovery_manager::RecoveryManager;

/// The number of a database in the run.
type Index = usize;

/// The databases of a run.
pub(super) struct Tasks {
    context: Arc<Context>,
    /// Turns true when the run is to end.
    cancel: watch::Sender<bool>,
    reports: Vec<Progress>,
    schedule: Schedule<Index>,
    running: JoinSet<Event>,
    /// Which database a task is about, and the streams it holds.
    held: HashMap<Id, (Index, Option<Streams>)>,
}

/// What is known about a database so far.
struct Progress {
    report: DatabaseReport,
    failed: u32,
    through: bool,
}

/// How a task ended.
enum Event {
    Tried(Box<Tried>),
    /// The wait before the next try is over.
    Awake,
}

impl Tasks {
    pub(super) fn new(
        manager: &RecoveryManager,
        engine: Arc<dyn Engine>,
        run: &BackupRun,
        clock: Arc<dyn Clock>,
        watch: &RunWatch,
    ) -> Self {
        let (cancel, cancelled) = watch::channel(false);
        Self {
            context: Arc::new(Context {
                manager: manager.clone(),
                engine,
                run: run.clone(),
                clock,
                watch: watch.clone(),
                cancelled,
            }),
            cancel,
            reports: Vec::new(),
            schedule: Schedule::new(run.budget.streams()),
            running: JoinSet::new(),
            held: HashMap::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.reports.len()
    }

    /// A database that fails before anything is tried.
    pub(super) fn fail(&mut self, database: &str, failure: Failure) {
        let index = self.push(database);
        self.end(index, DatabaseResult::Failed(failure));
    }

    /// A database that is to be backed up, or of which it is clear that it is not. What may pass
    /// waits in line like the others.
    pub(super) fn add(&mut self, database: &str, decision: Decision) {
        let index = self.push(database);
        if let Some(progress) = self.reports.get_mut(index) {
            progress.report.decision = Some(decision);
        }
        match decision {
            Decision::Skip(_) => self.end(index, DatabaseResult::Skipped),
            Decision::Fail(obstacle) => {
                let failure = Failure::from(obstacle);
                if failure.is_transient() {
                    self.line_up(index);
                } else {
                    self.end(index, DatabaseResult::Failed(failure));
                }
            }
            Decision::Take(_) | Decision::Instead { .. } => self.line_up(index),
        }
    }

    /// Runs until every database is through. Once `cancel` is done, nothing begins any more.
    pub(super) async fn run(
        mut self,
        cancel: impl Future<Output = ()> + Send,
    ) -> Vec<DatabaseReport> {
        tokio::pin!(cancel);
        let mut cancelled = false;
        loop {
            while let Some((index, streams)) = self.schedule.begin() {
                self.begin(index, streams);
            }
            tokio::select! {
                ended = self.running.join_next_with_id() => match ended {
                    Some(ended) => self.ended(ended, cancelled),
                    None => break,
                },
                () = &mut cancel, if !cancelled => {
                    cancelled = true;
                    self.cancel.send_replace(true);
                    let waiting: Vec<Index> = self.schedule.clear().collect();
                    for index in waiting {
                        self.end(index, DatabaseResult::Cancelled);
                    }
                }
            }
        }
        self.reports
            .sort_by(|a, b| a.report.database.cmp(&b.report.database));
        self.reports
            .into_iter()
            .map(|progress| progress.report)
            .collect()
    }

    fn push(&mut self, database: &str) -> Index {
        self.reports.push(Progress {
            report: DatabaseReport::new(database),
            failed: 0,
            through: false,
        });
        self.reports.len() - 1
    }

    fn line_up(&mut self, index: Index) {
        self.schedule.add(index, self.context.run.streams);
    }

    fn begin(&mut self, index: Index, streams: Streams) {
        let Some(progress) = self.reports.get(index) else {
            self.schedule.give_back(streams);
            return;
        };
        let context = Arc::clone(&self.context);
        let database = progress.report.database.clone();
        let count = streams.count();
        let task = self
            .running
            .spawn(async move { Event::Tried(Box::new(context.attempt(&database, count).await)) });
        self.held.insert(task.id(), (index, Some(streams)));
    }

    /// Waits without streams: others can have them meanwhile.
    fn sleep(&mut self, index: Index, wait: Duration) {
        let context = Arc::clone(&self.context);
        let task = self.running.spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = context.cancelled() => {}
            }
            Event::Awake
        });
        self.held.insert(task.id(), (index, None));
    }

    fn ended(&mut self, ended: Result<(Id, Event), JoinError>, cancelled: bool) {
        let (id, event) = match ended {
            Ok((id, event)) => (id, Some(event)),
            Err(error) => (error.id(), None),
        };
        let Some((index, streams)) = self.held.remove(&id) else {
            return;
        };
        let count = streams.as_ref().map(Streams::count);
        if let Some(streams) = streams {
            self.schedule.give_back(streams);
        }
        match event {
            Some(Event::Tried(tried)) => self.tried(index, *tried, count, cancelled),
            Some(Event::Awake) if cancelled => self.end(index, DatabaseResult::Cancelled),
            Some(Event::Awake) => self.line_up(index),
            None => {
                let words = "the backup failed inside; this is a mistake in the program";
                let failure = Failure::words(FailureClass::Failed, words);
                self.end(index, DatabaseResult::Failed(failure));
            }
        }
    }

    fn tried(&mut self, index: Index, tried: Tried, streams: Option<NonZeroU16>, cancelled: bool) {
        let Some(Progress { report, failed, .. }) = self.reports.get_mut(index) else {
            return;
        };
        report.started = report
            .started
            .or(tried.tries.first().map(|first| first.started));
        report.finished = tried.tries.last().map(|last| last.finished);
        if let (Some(started), Some(finished)) = (report.started, report.finished) {
            report.seconds = Some(seconds(started, finished));
        }
        report.streams = streams.map_or(0, NonZeroU16::get);
        if let Some(decision) = tried.tries.last().and_then(|last| last.decision) {
            report.decision = Some(decision);
        }
        report.tries.extend(tried.tries);
        report.points.extend(tried.points);
        let failure = match tried.end {
            End::Done => return self.end(index, DatabaseResult::Done),
            End::Skipped => return self.end(index, DatabaseResult::Skipped),
            End::Cancelled => return self.end(index, DatabaseResult::Cancelled),
            End::Failed(failure) => failure,
        };
        *failed = failed.saturating_add(1);
        let wait = self.context.run.retry.wait_after(*failed);
        match wait.filter(|_| failure.is_transient() && !cancelled) {
            Some(wait) => {
                self.context.watch.tell(&RunEvent::Again {
                    database: &report.database,
                    failure: &failure,
                    wait,
                });
                self.sleep(index, wait);
            }
            None => self.end(index, DatabaseResult::Failed(failure)),
        }
    }

    fn end(&mut self, index: Index, result: DatabaseResult) {
        let Some(progress) = self.reports.get_mut(index) else {
            return;
        };
        if !progress.through {
            progress.through = true;
            progress.report.result = result;
            self.context
                .watch
                .tell(&RunEvent::Through(&progress.report));
        }
    }
}
