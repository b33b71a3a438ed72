//! Restores a database along a planned chain.

use std::sync::Arc;

use vab_chain::{BackupKind, Lsn, Plan, PointId, ServerTime, Target, Unreachable};
use vab_engine::{
    Engine, FileMove, FilesRequest, Placement, Recovery, RestoreRequest, Restored, StopEdge,
};
use vab_mover::Secrets;
use vab_vdi::memory::Hub;

use super::ends::Ends;
use super::existing::{self, ExistingDatabase};
use super::give::{GiveError, give};
use super::manner::{Checksums, Manner};
use super::marks;
use crate::catalog::{Catalog, CatalogError, Filter};
use crate::listing;
use crate::observer::Observer;
use crate::point::PointInfo;

/// Which database to restore, to which moment, under which name.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Restore {
    /// Only restore points of this job; `None` when the database is in one job only.
    pub job: Option<String>,
    /// The database that was backed up.
    pub database: String,
    /// To which moment.
    pub target: RestoreTarget,
    /// Restore points to plan around, such as damaged ones.
    pub without: Vec<PointId>,
    /// The name to restore to; `None` for the same.
    pub name: Option<String>,
    /// Replace a database of that name.
    pub replace: bool,
    /// The state to leave it in after the last step.
    pub recovery: Recovery,
    /// Where the files of the database go, as far as that is said.
    pub placement: Placement,
    /// How the engine reads its streams.
    pub manner: Manner,
    /// The database that is there is damaged: the tail of its log is asked for whatever its state
    /// (`NO_TRUNCATE`).
    pub damaged: bool,
    /// What opens restore points that are encrypted.
    pub secrets: Secrets,
}

/// The moment to restore to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RestoreTarget {
    /// The latest that can be reached.
    #[default]
    Latest,
    /// A moment of the server's local clock.
    Time(ServerTime),
    /// The end of a restore point.
    Point(PointId),
    /// A log record.
    Lsn {
        /// The record.
        lsn: Lsn,
        /// Whether it is part of the state.
        including: bool,
    },
    /// A marked transaction, which the engine has to remember.
    Mark {
        /// The name of the mark.
        name: String,
        /// The first such mark at this moment of the server's local clock or later; `None` for the
        /// first of all.
        after: Option<ServerTime>,
        /// Whether the marked transaction is part of the state.
        including: bool,
    },
}

impl Restore {
    /// The latest state of `database` under its own name.
    pub fn new(database: impl Into<String>) -> Self {
        Self {
            job: None,
            database: database.into(),
            target: RestoreTarget::default(),
            without: Vec::new(),
            name: None,
            replace: false,
            recovery: Recovery::Recovery,
            placement: Placement::default(),
            manner: Manner::default(),
            damaged: false,
            secrets: Secrets::default(),
        }
    }
}

/// What a restore did.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RestoreReport {
    /// The name of the restored database.
    pub database: String,
    /// The steps that were taken.
    pub plan: Plan,
    /// The restore points of the database, those of the steps among them.
    pub points: Vec<PointInfo>,
    /// What the engine said after the last of them.
    pub last: Restored,
}

/// Why a database was not restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The restore points could not be looked up.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// No restore points of the database.
    #[error("there are no restore points of the database {database}{}; `vab list` shows what there is", of_job(.job.as_deref()))]
    NoPoints {
        /// The database.
        database: String,
        /// The job that was asked for.
        job: Option<String>,
    },
    /// Several jobs have backed up a database of this name.
    #[error("the database {database} is in the jobs {}; choose one with --job", .jobs.join(", "))]
    SeveralJobs {
        /// The database.
        database: String,
        /// The jobs.
        jobs: Vec<String>,
    },
    /// The moment cannot be reached with the restore points that are there.
    #[error("the database {database} cannot be restored to that moment: {reason}")]
    Unreachable {
        /// The database.
        database: String,
        /// Why.
        reason: Box<Unreachable>,
    },
    /// The database is there and would be lost.
    #[error(transparent)]
    Exists(#[from] ExistingDatabase),
    /// Whether the database is there cannot be said.
    #[error("the engine does not say which databases it has")]
    Engine(#[source] vab_engine::EngineError),
    /// Places for files, and an engine that has none to place.
    #[error("this engine does not let its files be placed; leave out where files and folders go")]
    NoFiles,
    /// A thread died.
    #[error("the thread of the engine died")]
    Died,
    /// A step failed. The database is left restoring.
    #[error("step {step} of {steps} ({kind}, restore point {point}) failed")]
    Step {
        /// The step, from 1.
        step: usize,
        /// The number of steps.
        steps: usize,
        /// What it restores.
        kind: BackupKind,
        /// The restore point.
        point: PointId,
        /// Why.
        #[source]
        error: Box<GiveError<vab_engine::RestoreError>>,
    },
    /// The plan stops in a way that no engine here knows.
    #[error("the plan says `{stop}`, which engines are not told how to do")]
    UnknownStop {
        /// Where the plan stops.
        stop: String,
    },
    /// The plan has no step.
    #[error("the plan for the database {database} has no step")]
    EmptyPlan {
        /// The database.
        database: String,
    },
}

fn of_job(job: Option<&str>) -> String {
    job.map(|job| format!(" in the job {job}"))
        .unwrap_or_default()
}

impl Restore {
    /// The restore points that bring the database to the moment, in order.
    ///
    /// # Errors
    /// When the moment cannot be reached; the error names the gap and the nearest moments that
    /// can.
    pub async fn plan(&self, catalog: &Catalog) -> Result<(Plan, Vec<PointInfo>), RestoreError> {
        self.plan_among(self.points(catalog).await?)
    }

    /// The same, where `engine` may have to say where its marked transactions are.
    ///
    /// # Errors
    /// As [`Restore::plan`], and when the engine cannot be asked.
    pub async fn plan_for(
        &self,
        catalog: &Catalog,
        engine: &Arc<dyn Engine>,
    ) -> Result<(Plan, Vec<PointInfo>), RestoreError> {
        let mut points = self.points(catalog).await?;
        if matches!(self.target, RestoreTarget::Mark { .. }) {
            let marks = marks::of(engine, &self.database).await?;
            marks::put(&marks, &mut points);
        }
        self.plan_among(points)
    }

    fn plan_among(&self, points: Vec<PointInfo>) -> Result<(Plan, Vec<PointInfo>), RestoreError> {
        let target = match &self.target {
            RestoreTarget::Latest => Target::Latest,
            RestoreTarget::Time(time) => Target::Time(*time),
            RestoreTarget::Point(id) => Target::Point(*id),
            RestoreTarget::Lsn { lsn, including } => Target::Lsn {
                lsn: *lsn,
                fork: None,
                including: *including,
            },
            RestoreTarget::Mark {
                name,
                after,
                including,
            } => Target::Mark {
                name: name.clone(),
                after: *after,
                including: *including,
            },
        };
        for id in &self.without {
            if !points.iter().any(|point| point.id == *id) {
                return Err(CatalogError::NoSuchPoint { id: *id }.into());
            }
        }
        let chain = listing::chain_without(&points, &self.without);
        let plan = chain
            .plan(&target)
            .map_err(|reason| RestoreError::Unreachable {
                database: self.database.clone(),
                reason: Box::new(reason),
            })?;
        Ok((plan, points))
    }

    /// The restore points of the database, which are all of one job.
    pub(super) async fn points(&self, catalog: &Catalog) -> Result<Vec<PointInfo>, RestoreError> {
        let filter = Filter {
            job: self.job.clone(),
            database: Some(self.database.clone()),
        };
        let points = catalog.points(&filter).await?;
        let mut jobs: Vec<_> = points.iter().map(|point| point.job.clone()).collect();
        jobs.sort();
        jobs.dedup();
        if jobs.len() > 1 {
            return Err(RestoreError::SeveralJobs {
                database: self.database.clone(),
                jobs,
            });
        }
        if points.is_empty() {
            return Err(RestoreError::NoPoints {
                database: self.database.clone(),
                job: self.job.clone(),
            });
        }
        Ok(points)
    }

    /// Plans and restores into `engine`.
    ///
    /// # Errors
    /// When the moment cannot be reached, or the database is there and is not to be replaced; or
    /// when a step fails: the database is then left restoring.
    pub async fn run(
        &self,
        catalog: &Catalog,
        engine: Arc<dyn Engine>,
        observer: &Observer,
    ) -> Result<RestoreReport, RestoreError> {
        let (plan, points) = self.plan_for(catalog, &engine).await?;
        let name = self.name.clone().unwrap_or_else(|| self.database.clone());
        if !self.placement.is_empty() && !engine.looks_at_files() {
            return Err(RestoreError::NoFiles);
        }
        if !self.replace {
            existing::check(Arc::clone(&engine), &name).await?;
        }
        let mut last = None;
        for (index, step) in plan.steps.iter().enumerate() {
            let Some(point) = points.iter().find(|point| point.id == step.point) else {
                return Err(CatalogError::NoSuchPoint { id: step.point }.into());
            };
            let ends = index + 1 == plan.steps.len();
            let mut request = RestoreRequest::new(name.clone(), step.kind, Vec::new());
            if let Some(stop) = &step.stop_at {
                let known = stop_at(stop);
                request.stop_at = Some(known.ok_or_else(|| RestoreError::UnknownStop {
                    stop: stop.to_string(),
                })?);
            }
            request.recovery = if ends {
                self.recovery
            } else {
                Recovery::NoRecovery
            };
            request.replace = self.replace && index == 0;
            request.geometry = self.manner.geometry;
            request.checksum = self.manner.checksums == Checksums::Demanded;
            request.continue_after_error = self.manner.continue_after_error;
            let from = (catalog, &self.secrets);
            let restored = async {
                if step.kind == BackupKind::Full && engine.looks_at_files() {
                    let mut files = FilesRequest::new(name.as_str(), Vec::new());
                    files.placement = self.placement.clone();
                    request.files = file_moves(from, point, &engine, files).await?;
                }
                restore_point(from, point, &engine, request, observer).await
            };
            last = Some(restored.await.map_err(|error| RestoreError::Step {
                step: index + 1,
                steps: plan.steps.len(),
                kind: step.kind,
                point: point.id,
                error: Box::new(error),
            })?);
        }
        let last = last.ok_or_else(|| RestoreError::EmptyPlan {
            database: self.database.clone(),
        })?;
        Ok(RestoreReport {
            database: name,
            plan,
            points,
            last,
        })
    }
}

type Source<'a> = (&'a Catalog, &'a Secrets);
type Given<T> = Result<T, GiveError<vab_engine::RestoreError>>;

/// Where the files of a full go, for an engine that has to see them before.
async fn file_moves(
    from: Source<'_>,
    point: &PointInfo,
    engine: &Arc<dyn Engine>,
    mut request: FilesRequest,
) -> Given<Vec<FileMove>> {
    let ends = Ends::of(engine, &Hub::new()).await?;
    request.cancel = ends.cancel.clone();
    let engine = Arc::clone(engine);
    let title = format!("files of {}", point.database);
    let nobody = Observer::default();
    give(from, point, title, &nobody, ends, move |devices, hub| {
        request.devices = devices;
        engine.file_moves(&request, hub)
    })
    .await
}

async fn restore_point(
    from: Source<'_>,
    point: &PointInfo,
    engine: &Arc<dyn Engine>,
    mut request: RestoreRequest,
    observer: &Observer,
) -> Given<Restored> {
    let ends = Ends::of(engine, &Hub::new()).await?;
    request.cancel = ends.cancel.clone();
    let engine = Arc::clone(engine);
    let title = format!("{} of {}", request.kind, point.database);
    give(from, point, title, observer, ends, move |devices, hub| {
        request.devices = devices;
        engine.restore(&request, hub)
    })
    .await
}

fn stop_at(stop: &vab_chain::StopAt) -> Option<vab_engine::StopAt> {
    let at = |lsn, edge| vab_engine::StopAt::Lsn { lsn, edge };
    Some(match stop {
        vab_chain::StopAt::Time(time) => vab_engine::StopAt::Time(*time),
        vab_chain::StopAt::BeforeLsn(lsn) => at(*lsn, StopEdge::Before),
        vab_chain::StopAt::AtLsn(lsn) => at(*lsn, StopEdge::At),
        _ => return None,
    })
}
