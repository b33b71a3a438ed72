//! Which restore points a policy lets go, and letting them go.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use vab_chain::{PointId, RetentionPolicy, UtcTime};
use vab_repository::{
    OpenError, RemoveError, Removed, Repository, RepositoryOptions, RetentionPlan,
};

use crate::catalog::{FolderError, open_to_read};
use crate::clock::{Clock, SystemClock};

/// Why a retention policy was not looked at or applied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RetentionError {
    /// There is no repository.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A server has it, or it cannot be written.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// There is no such job.
    #[error("there is no job `{job}` in this repository")]
    NoSuchJob {
        /// What was asked for.
        job: String,
    },
    /// A policy without rules keeps everything.
    #[error("the policy has no rule, so nothing would go: say what is to be kept")]
    NoRule,
    /// Files were not removed.
    #[error(transparent)]
    Remove(#[from] RemoveError),
}

/// What a policy means, and what was done. Its JSON form is stable: fields are added, never
/// changed.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct RetentionReport {
    /// Whether files were removed; else this is what would be.
    pub applied: bool,
    /// Each job.
    pub jobs: Vec<JobRetention>,
}

/// One job.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct JobRetention {
    /// Its name.
    pub job: String,
    /// The chains of its databases: each full with what depends on it.
    pub chains: Vec<ChainVerdict>,
    /// Its files.
    pub files: Vec<FileVerdict>,
}

/// A full and what depends on it, which stay or go together.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ChainVerdict {
    /// The database.
    pub database: String,
    /// The full; `None` for points that belong to none that is known.
    pub full: Option<PointId>,
    /// All points, the full too.
    pub points: Vec<PointId>,
    /// When the last of them was committed.
    pub last: UtcTime,
    /// Whether they stay.
    pub stays: bool,
    /// Why, in words.
    pub why: String,
}

/// A file, which stays or goes as a whole.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct FileVerdict {
    /// The `.VAB`, relative to the repository.
    pub file: String,
    /// Whether it stays.
    pub stays: bool,
    /// Why it stays, in words; `None` when it goes.
    pub why: Option<String>,
    /// How many restore points are in it.
    pub points: usize,
    /// Bytes of their payloads as stored.
    pub bytes: u64,
    /// When it can go at the earliest, where only time has to pass.
    pub until: Option<UtcTime>,
}

impl RetentionReport {
    /// The files that go, with their restore points and bytes.
    pub fn going(&self) -> (usize, usize, u64) {
        let files = self.jobs.iter().flat_map(|job| &job.files);
        let going = files.filter(|file| !file.stays);
        going.fold((0, 0, 0), |(files, points, bytes), file| {
            (files + 1, points + file.points, bytes + file.bytes)
        })
    }
}

/// Says what `policy` means for the jobs of the repository in `folder`, or for one; with `apply`
/// removes the files that go. Without it nothing is changed, and a server may be running.
///
/// # Errors
/// When there is no such repository or job, the policy has no rule, or, with `apply`, a server has
/// the repository or the disk fails.
pub fn retention(
    folder: &Path,
    job: Option<&str>,
    policy: &RetentionPolicy,
    apply: bool,
) -> Result<RetentionReport, RetentionError> {
    if policy.is_empty() {
        return Err(RetentionError::NoRule);
    }
    let now = SystemClock.now();
    // A folder that is no repository is not to be made one here.
    let mut repository = open_to_read(folder)?;
    if apply {
        repository = Repository::open(folder, RepositoryOptions::default(), now)?;
    }
    let jobs = repository.jobs().into_iter().map(|job| job.name);
    let jobs: Vec<_> = jobs
        .filter(|name| job.is_none_or(|job| job == name))
        .collect();
    if let Some(job) = job
        && jobs.is_empty()
    {
        let job = job.to_owned();
        return Err(RetentionError::NoSuchJob { job });
    }
    let mut report = RetentionReport {
        applied: apply,
        jobs: Vec::new(),
    };
    for job in jobs {
        let plan = repository.retention(&job, policy, now, |_| false);
        let mut of_job = explained(&repository, &job, &plan);
        if apply {
            let removed = repository.expire(&job, policy, now, |_| false)?;
            hold_against(&mut of_job, &removed);
        }
        report.jobs.push(of_job);
    }
    Ok(report)
}

fn explained(repository: &Repository, job: &str, plan: &RetentionPlan) -> JobRetention {
    let points = repository.points(Some(job), None);
    let databases: BTreeMap<_, _> = points
        .iter()
        .map(|point| (point.id, point.database.clone()))
        .collect();
    let chains = plan.databases.iter().flat_map(|database| &database.chains);
    let chains = chains.map(|chain| ChainVerdict {
        database: chain
            .points
            .first()
            .and_then(|point| databases.get(point))
            .cloned()
            .unwrap_or_default(),
        full: chain.full,
        points: chain.points.clone(),
        last: chain.last,
        stays: chain.verdict.keeps(),
        why: chain.verdict.to_string(),
    });
    let mut files: BTreeMap<String, FileVerdict> = BTreeMap::new();
    for point in &points {
        let path = point.file.to_string();
        let file = files.entry(path.clone()).or_insert_with(|| {
            let goes = plan.remove.contains(&point.file);
            let fates = plan.databases.iter().flat_map(|database| &database.files);
            let fate = fates
                .filter(|fate| fate.file == point.file)
                .find(|fate| !fate.delete);
            let because = fate.and_then(|fate| fate.because);
            let unknown = "it holds a restore point whose facts are not known, or of another job";
            FileVerdict {
                file: path,
                stays: !goes,
                why: (!goes)
                    .then(|| because.map_or_else(|| unknown.to_owned(), |why| why.to_string())),
                points: 0,
                bytes: 0,
                until: fate.and_then(|fate| fate.until),
            }
        });
        file.points += 1;
        file.bytes += point.stored_bytes;
    }
    JobRetention {
        job: job.to_owned(),
        chains: chains.collect(),
        files: files.into_values().collect(),
    }
}

/// Says of files that were to go and are still there that they stay.
fn hold_against(of_job: &mut JobRetention, removed: &Removed) {
    let removed: Vec<_> = removed.files.iter().map(ToString::to_string).collect();
    for file in &mut of_job.files {
        if !file.stays && !removed.contains(&file.file) {
            file.stays = true;
            file.why = Some("a backup is on its way into it".to_owned());
        }
    }
}
