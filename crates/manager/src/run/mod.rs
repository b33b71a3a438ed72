//! Backs up many databases at once, by policy.
//!
//! A [`BackupRun`] says which databases, what backup of each, and what to do when that cannot be
//! or would not connect. [`RecoveryManager::run`] decides about each database with a [`Guard`],
//! gives the streams of a [`Budget`] to them, tries again what may pass, and reports. The failure
//! of one database does not stop the others.

mod attempt;
mod budget;
mod failure;
mod guard;
mod outcome;
mod pattern;
mod report;
mod retry;
mod schedule;
mod selection;
mod survey;
mod tasks;
mod watch;

use std::num::NonZeroU16;
use std::sync::Arc;

use tokio::task::spawn_blocking;
use vab_engine::{DatabaseInfo, Engine, EngineError, LegalKind};
use vab_mover::Encoding;

pub use budget::{Budget, Machine, Rule};
pub use failure::{Failure, FailureClass};
pub use guard::{Decision, Guard, Obstacle, OnBrokenChain, Skip};
pub use outcome::RunOutcome;
pub use pattern::Pattern;
pub use report::{DatabaseReport, DatabaseResult, RunReport, Totals, Try};
pub use retry::RetryPolicy;
pub use schedule::{Schedule, Streams};
pub use selection::{Selected, Selection};
pub use survey::{LastBackup, Next, Surveyed, survey};
pub use watch::{RunEvent, RunWatch};

use crate::catalog::{CatalogError, Filter};
use crate::clock::Clock;
use crate::listing;
use crate::point::PointInfo;
use crate::recovery_manager::{Manner, RecoveryManager};

/// The version of the JSON form of a [`RunReport`].
const REPORT_VERSION: u32 = 1;

/// What to back up, and how.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BackupRun {
    /// The job; its first backup creates it.
    pub job: String,
    /// Which databases.
    pub selection: Selection,
    /// By which rules to decide about each.
    pub guard: Guard,
    /// Parallel streams of one database at most, 1 to 64; each is one virtual device.
    pub streams: NonZeroU16,
    /// How the engine makes its streams.
    pub manner: Manner,
    /// How the blocks are compressed and encrypted; not at all, by default.
    pub encoding: Encoding,
    /// Streams of all databases at most.
    pub budget: Budget,
    /// What to try again, and when.
    pub retry: RetryPolicy,
}

/// Why a run did not begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The engine does not list its databases.
    #[error("the engine does not say which databases it has")]
    Engine(#[from] EngineError),
    /// The restore points could not be looked up.
    #[error("the restore points of the job could not be looked up")]
    Catalog(#[from] CatalogError),
    /// A thread died.
    #[error("the thread of the engine died")]
    Died,
}

impl BackupRun {
    /// One backup of `wanted` of each of these databases: one stream for each, as many at once as
    /// this machine bears, a full where what is wanted would not connect.
    pub fn new(job: impl Into<String>, selection: Selection, wanted: LegalKind) -> Self {
        Self {
            job: job.into(),
            selection,
            guard: Guard::new(wanted),
            streams: NonZeroU16::MIN,
            manner: Manner::default(),
            encoding: Encoding::default(),
            budget: Budget::of_machine(Machine::this()),
            retry: RetryPolicy::default(),
        }
    }
}

impl RecoveryManager {
    /// Backs up databases of `engine` by policy, until `cancel` is done.
    ///
    /// When it is cancelled, what runs is aborted on both sides, and what commits is waited for.
    ///
    /// # Errors
    /// When nothing could be begun. Whatever happens to a database is in the report.
    pub async fn run(
        &self,
        engine: Arc<dyn Engine>,
        run: &BackupRun,
        clock: Arc<dyn Clock>,
        watch: &RunWatch,
        cancel: impl Future<Output = ()> + Send,
    ) -> Result<RunReport, RunError> {
        let started = clock.now();
        let (selected, points) = self.look(&engine, run).await?;
        let mut tasks = tasks::Tasks::new(self, engine, run, Arc::clone(&clock), watch);
        for name in &selected.missing {
            tasks.fail(name, no_such_database(name));
        }
        for surveyed in survey(&selected.databases, &points, &[run.guard]) {
            for next in surveyed.next {
                tasks.add(&surveyed.database, next.decision);
            }
        }
        watch.tell(&RunEvent::Begins {
            databases: tasks.len(),
            budget: run.budget,
        });
        let databases = tasks.run(cancel).await;
        let mut notes = Vec::new();
        for pattern in &selected.idle {
            notes.push(format!("no database is called like `{pattern}`"));
        }
        let finished = clock.now();
        Ok(RunReport {
            version: REPORT_VERSION,
            job: run.job.clone(),
            wanted: run.guard.wanted,
            started,
            finished,
            seconds: report::seconds(started, finished),
            outcome: RunOutcome::of(&databases),
            budget: run.budget,
            totals: Totals::of(&databases),
            databases,
            notes,
        })
    }

    /// What [`RecoveryManager::run`] would decide now. Nothing is done.
    ///
    /// # Errors
    /// When the engine or the repository cannot be asked.
    pub async fn foresee(
        &self,
        engine: Arc<dyn Engine>,
        run: &BackupRun,
    ) -> Result<(Selected, Vec<Surveyed>), RunError> {
        let (selected, points) = self.look(&engine, run).await?;
        let surveyed = survey(&selected.databases, &points, &[run.guard]);
        Ok((selected, surveyed))
    }

    /// The databases of a run, and the restore points of its job.
    async fn look(
        &self,
        engine: &Arc<dyn Engine>,
        run: &BackupRun,
    ) -> Result<(Selected, Vec<PointInfo>), RunError> {
        let asked = || list(Arc::clone(engine));
        let listed = run.retry.run(run_failure, asked).await?;
        let filter = Filter {
            job: Some(run.job.clone()),
            database: None,
        };
        let catalog = self.catalog();
        let asked = || catalog.points(&filter);
        let points = run.retry.run(|error| Failure::from(error), asked).await?;
        Ok((run.selection.choose(&listed), points))
    }
}

async fn list(engine: Arc<dyn Engine>) -> Result<Vec<DatabaseInfo>, RunError> {
    let listed = spawn_blocking(move || engine.databases()).await;
    Ok(listed.map_err(|_| RunError::Died)??)
}

fn run_failure(error: &RunError) -> Failure {
    match error {
        RunError::Engine(error) => error.into(),
        RunError::Catalog(error) => error.into(),
        RunError::Died => Failure::words(FailureClass::Failed, error.to_string()),
    }
}

impl RunError {
    /// What kind of failure it is.
    pub fn class(&self) -> FailureClass {
        run_failure(self).class
    }
}

fn no_such_database(name: &str) -> Failure {
    let words =
        format!("there is no database `{name}`; `vab databases` lists those that are there");
    Failure::words(FailureClass::Refused, words)
}
