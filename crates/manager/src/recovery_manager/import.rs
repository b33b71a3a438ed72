//! Takes native backup files into a job.

use std::path::PathBuf;

use tokio::task::spawn_blocking;
use vab_engine::bak::{self, Discovered, MediaSet, Note, PlayError, PlayRequest, Problem};
use vab_mover::Encoding;
use vab_repository::{Facts, SessionFacts};

use super::RecoveryManager;
use super::ends::Ends;
use super::take::{Take, TakeError};
use crate::message::{self, BeginBackup, Holds, Query};
use crate::observer::Observer;
use crate::point::PointInfo;
use crate::server::AskError;

/// Native backup files to take in.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Import {
    /// The job; its first backup creates it.
    pub job: String,
    /// Files, and folders of them.
    pub paths: Vec<PathBuf>,
    /// How the blocks are compressed and encrypted; not at all, by default.
    pub encoding: Encoding,
}

impl Import {
    /// Takes `paths` into `job`.
    pub fn new(job: impl Into<String>, paths: Vec<PathBuf>) -> Self {
        Self {
            job: job.into(),
            paths,
            encoding: Encoding::default(),
        }
    }
}

/// What became of the files.
#[derive(Debug)]
#[non_exhaustive]
pub struct ImportReport {
    /// The media sets, in the order in which they were taken.
    pub sets: Vec<(MediaSet, Imported)>,
    /// Files that are of no use, and why.
    pub problems: Vec<Problem>,
    /// What else is worth knowing.
    pub notes: Vec<Note>,
}

/// What became of one media set.
#[derive(Debug)]
#[non_exhaustive]
pub enum Imported {
    /// It is a restore point now.
    Stored(Box<PointInfo>),
    /// The job had it already.
    AlreadyThere(vab_chain::PointId),
    /// It was not stored.
    Failed(Box<TakeError<PlayError>>),
}

/// Why nothing could be taken in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The backup manager could not be asked what it has.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The thread that read the headers is gone.
    #[error("the thread that read the headers of the backup files died")]
    Died,
}

impl ImportReport {
    /// Whether every file that was given is in the job now.
    pub fn is_complete(&self) -> bool {
        let failed = |(_, imported): &(MediaSet, Imported)| matches!(imported, Imported::Failed(_));
        self.problems.is_empty() && !self.sets.iter().any(failed)
    }
}

impl RecoveryManager {
    /// Reads the headers of native backup files, groups stripes, and plays each media set through
    /// virtual devices into the job, as the engine's own backup would run.
    ///
    /// A set that the job has already is left out. One bad file hides no other; see the report.
    ///
    /// # Errors
    /// When the backup manager cannot be asked.
    pub async fn import(
        &self,
        import: &Import,
        observer: &Observer,
    ) -> Result<ImportReport, ImportError> {
        let paths = import.paths.clone();
        let found = spawn_blocking(move || bak::discover(paths)).await;
        let Discovered {
            sets,
            problems,
            notes,
            ..
        } = found.map_err(|_| ImportError::Died)?;
        let mut report = ImportReport {
            sets: Vec::new(),
            problems,
            notes,
        };
        for set in sets {
            let imported = match self.holds(&import.job, &set).await? {
                Some(point) => Imported::AlreadyThere(point),
                None => match self.play(import, set.clone(), observer).await {
                    Ok(point) => Imported::Stored(Box::new(point)),
                    Err(error) => Imported::Failed(Box::new(error)),
                },
            };
            report.sets.push((set, imported));
        }
        Ok(report)
    }

    async fn holds(
        &self,
        job: &str,
        set: &MediaSet,
    ) -> Result<Option<vab_chain::PointId>, AskError> {
        let Some(facts) = set.facts() else {
            return Ok(None);
        };
        let query = Query::Holds {
            job: job.to_owned(),
            backup_set: facts.id,
        };
        let answer = self.source.query(message::encode(&query)).await?;
        Ok(message::decode::<Holds>(&answer, "answer")?.point)
    }

    async fn play(
        &self,
        import: &Import,
        set: MediaSet,
        observer: &Observer,
    ) -> Result<PointInfo, TakeError<PlayError>> {
        let facts = set.facts().cloned();
        let ends = Ends::here(&self.hub);
        let take = Take {
            source: &self.source,
            ends: ends.clone(),
            begin: BeginBackup {
                job: import.job.clone(),
                database: database_of(&set),
                kind: facts.as_ref().map(|facts| facts.kind),
                copy_only: facts.as_ref().is_some_and(|facts| facts.copy_only),
            },
            streams: u16::try_from(set.stripes().len()).unwrap_or(u16::MAX),
            encoding: &import.encoding,
            bytes: Some(set.length()),
            watch: None,
            observer,
        };
        let names = set.stripes().iter().map(bak::Stripe::file_name).collect();
        take.run(move |devices| {
            set.play(&PlayRequest::new(devices), ends.engine.as_ref())?;
            let facts = facts.map_or(Facts::Opaque { kind: None }, Facts::Known);
            Ok(SessionFacts { facts, names })
        })
        .await
    }
}

/// The database's name; of a set that cannot be looked into, the name of its file.
fn database_of(set: &MediaSet) -> String {
    match (set.facts(), set.stripes().first()) {
        (Some(facts), _) => facts.database.clone(),
        (None, Some(stripe)) => stripe
            .path
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned())
            .unwrap_or_default(),
        (None, None) => String::new(),
    }
}
