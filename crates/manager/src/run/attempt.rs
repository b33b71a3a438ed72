//! One try to back up one database.

use std::num::NonZeroU16;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use vab_chain::{PointId, PointState};
use vab_engine::{DatabaseInfo, Engine};

use super::failure::{Again, Failure, FailureClass};
use super::guard::{Decision, OnBrokenChain};
use super::report::Try;
use super::watch::{RunEvent, RunWatch};
use super::{BackupRun, listing};
use crate::catalog::Filter;
use crate::clock::Clock;
use crate::observer::{Happening, Observer};
use crate::point::PointInfo;
use crate::recovery_manager::{DatabaseBackup, RecoveryManager};

/// What every try of a run needs.
pub(super) struct Context {
    pub(super) manager: RecoveryManager,
    pub(super) engine: Arc<dyn Engine>,
    pub(super) run: BackupRun,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) watch: RunWatch,
    /// Turns true when the run is to end.
    pub(super) cancelled: watch::Receiver<bool>,
}

/// What a try left.
pub(super) struct Tried {
    pub(super) tries: Vec<Try>,
    pub(super) points: Vec<PointInfo>,
    pub(super) end: End,
}

/// How a try ended.
pub(super) enum End {
    Done,
    Skipped,
    Failed(Failure),
    Cancelled,
}

impl Context {
    /// Tries once; and once more if somebody else took a backup in between, so that the new
    /// restore point does not connect.
    pub(super) async fn attempt(&self, database: &str, streams: NonZeroU16) -> Tried {
        let mut tried = Tried {
            tries: Vec::new(),
            points: Vec::new(),
            end: End::Cancelled,
        };
        tried.end = self.take(database, streams, &mut tried).await;
        let mends = matches!(
            self.run.guard.on_broken_chain,
            OnBrokenChain::Full | OnBrokenChain::Smallest
        );
        let made = match (&tried.end, tried.points.last()) {
            (End::Done, Some(point)) if mends => point.id,
            _ => return tried,
        };
        if let Some(state) = self.disconnected(database, made).await {
            let reason = state.to_string();
            self.watch.tell(&RunEvent::Mends {
                database,
                reason: &reason,
            });
            tried.end = self.take(database, streams, &mut tried).await;
        }
        tried
    }

    async fn take(&self, database: &str, streams: NonZeroU16, tried: &mut Tried) -> End {
        let started = self.clock.now();
        let (decision, end) = match self.decide(database).await {
            Ok((info, decision)) => {
                let end = self.act(&info, decision, streams, &mut tried.points).await;
                (Some(decision), end)
            }
            Err(failure) => (None, End::Failed(failure)),
        };
        tried.tries.push(Try {
            started,
            finished: self.clock.now(),
            decision,
            streams: decision
                .and_then(|decision| decision.take())
                .map_or(0, |_| streams.get()),
            error: match &end {
                End::Failed(failure) => Some(failure.message.clone()),
                _ => None,
            },
        });
        end
    }

    /// Looks at the engine and the repository as they are now: since the run began, or since a
    /// try that failed, both may have moved.
    async fn decide(&self, database: &str) -> Result<(DatabaseInfo, Decision), Failure> {
        let engine = Arc::clone(&self.engine);
        let listed = spawn_blocking(move || engine.databases()).await;
        let listed = listed
            .map_err(|_| Failure::words(FailureClass::Failed, "the thread of the engine died"))?
            .map_err(|error| Failure::from(&error))?;
        let info = listed.into_iter().find(|info| info.name == database);
        let info = info.ok_or_else(|| super::no_such_database(database))?;
        let points = self.points(database).await?;
        let decision = self.run.guard.decide(&info, &listing::chain_of(&points));
        Ok((info, decision))
    }

    async fn points(&self, database: &str) -> Result<Vec<PointInfo>, Failure> {
        let filter = Filter {
            job: Some(self.run.job.clone()),
            database: Some(database.to_owned()),
        };
        let points = self.manager.catalog().points(&filter).await;
        points.map_err(|error| Failure::from(&error))
    }

    async fn act(
        &self,
        info: &DatabaseInfo,
        decision: Decision,
        streams: NonZeroU16,
        points: &mut Vec<PointInfo>,
    ) -> End {
        let take = match decision {
            Decision::Take(take) | Decision::Instead { take, .. } => take,
            Decision::Skip(_) => return End::Skipped,
            Decision::Fail(obstacle) => return End::Failed(obstacle.into()),
        };
        self.watch.tell(&RunEvent::Backup {
            database: &info.name,
            decision: &decision,
            streams,
        });
        let mut backup = DatabaseBackup::new(self.run.job.clone(), info.name.clone(), take.kind);
        backup.copy_only = take.copy_only;
        backup.streams = streams.get();
        backup.manner = self.run.manner;
        backup.encoding = self.run.encoding.clone();
        let stage = Arc::new(Mutex::new(Stage::default()));
        let observer = observed(self.watch.transfer(), Arc::clone(&stage));
        let running = self
            .manager
            .backup(Arc::clone(&self.engine), &backup, &observer);
        tokio::pin!(running);
        let ended = tokio::select! {
            biased;
            ended = &mut running => Some(ended),
            () = self.cancelled() => None,
        };
        let ended = match ended {
            Some(ended) => ended,
            // Once it commits, ending it would only leave the question whether it has.
            None if read(&stage).commits => running.await,
            None => return End::Cancelled,
        };
        match ended {
            Ok(point) => {
                points.push(point);
                End::Done
            }
            Err(error) => {
                let failure = Failure::from(&error);
                let session = read(&stage).session;
                match (failure.again, session) {
                    (Again::InDoubt, Some(session)) => self.resolve(failure, session, points).await,
                    _ => End::Failed(failure),
                }
            }
        }
    }

    /// Waits until the run is to end.
    pub(super) async fn cancelled(&self) {
        let mut cancelled = self.cancelled.clone();
        // Whoever could cancel is gone: so is the run.
        let _gone = cancelled.wait_for(|cancelled| *cancelled).await;
    }

    /// A backup whose commit is in doubt has succeeded if its restore point is there. If it is
    /// not, it may still come: nothing is tried again then.
    async fn resolve(
        &self,
        failure: Failure,
        session: PointId,
        points: &mut Vec<PointInfo>,
    ) -> End {
        match self.manager.catalog().point(session).await {
            Ok(point) => {
                points.push(point);
                End::Done
            }
            Err(_) => End::Failed(failure),
        }
    }

    /// What keeps a new restore point from being restored, if another backup can mend it.
    async fn disconnected(&self, database: &str, point: PointId) -> Option<PointState> {
        let points = self.points(database).await.ok()?;
        let state = listing::chain_of(&points).state(point)?;
        match state {
            PointState::LogGap { .. } | PointState::Base(_) | PointState::Unreachable(_) => {
                Some(state)
            }
            _ => None,
        }
    }
}

/// How far a backup is.
#[derive(Clone, Copy, Debug, Default)]
struct Stage {
    session: Option<PointId>,
    commits: bool,
}

fn read(stage: &Mutex<Stage>) -> Stage {
    *stage.lock().unwrap_or_else(PoisonError::into_inner)
}

fn observed(observer: Observer, stage: Arc<Mutex<Stage>>) -> Observer {
    Observer::new(move |happening| {
        {
            let mut stage = stage.lock().unwrap_or_else(PoisonError::into_inner);
            match happening {
                Happening::Session { point } => stage.session = Some(point),
                Happening::Commits => stage.commits = true,
                _ => {}
            }
        }
        observer.tell(happening);
    })
}
