//! `vab backup`

use std::fs::File;
use std::io::Write;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use vab_manager::engine::{Engine, LegalKind};
use vab_manager::run::{Budget, RetryPolicy, RunWatch};
use vab_manager::{BackupRun, RecoveryManager, SystemClock};

use super::Failure;
use crate::args::BackupArguments;
use crate::print::bars::Bars;
use crate::print::out::outln;
use crate::print::{run, survey};
use crate::{exit, interrupt};
use vab_manager::with_causes;

pub(crate) async fn run(arguments: BackupArguments) -> Result<ExitCode, Failure> {
    let report = arguments.report.report.as_deref();
    // A report that cannot be written is better known before hours of work.
    let report = report.map(Report::create).transpose()?;
    let mut backups = plan(&arguments)?;
    let engine = arguments.sql.engine(&arguments.engine)?;
    let engine = backups.retry.open(&engine).await?;
    let options = arguments.server.security.options()?;
    let manager = backups
        .retry
        .connect(|| RecoveryManager::connect_with(&arguments.server.server, &options))
        .await?;
    backups.budget = manager.within_slots(backups.budget).await?;
    if arguments.report.dry_run {
        return dry_run(&manager, engine, &backups, arguments.report.json).await;
    }
    let json = arguments.report.json;
    let bars = Bars::default();
    let told = bars.clone();
    let watch = RunWatch::new(
        move |event| told.pause(|| run::event(event, json)),
        move || bars.observer(),
    );
    let cancel = async {
        interrupt::requested().await;
        eprintln!("stopping: what runs is aborted and leaves nothing, what commits is waited for");
    };
    let done = manager
        .run(engine, &backups, Arc::new(SystemClock), &watch, cancel)
        .await;
    let done = match done {
        Ok(done) => done,
        Err(error) => {
            eprintln!("error: {}", with_causes(&error));
            return Ok(exit::of_failure(error.class()));
        }
    };
    if let Some(note) = arguments.sql.note() {
        eprintln!("note: {note}");
    }
    if json {
        outln!("{}", done.to_json());
    } else {
        run::summary(&done);
    }
    if let Some(report) = report {
        report.write(&done.to_json())?;
    }
    Ok(exit::of_run(done.outcome))
}

fn plan(arguments: &BackupArguments) -> Result<BackupRun, Failure> {
    let policy = &arguments.policy;
    let wanted = LegalKind::new(arguments.kind.into(), arguments.copy_only);
    let selection = arguments.selection.selection();
    let mut run = BackupRun::new(arguments.job.clone(), selection, wanted);
    run.streams = NonZeroU16::new(arguments.streams).unwrap_or(NonZeroU16::MIN);
    if let Some(streams) = policy.budget {
        run.budget = Budget::asked(streams);
    }
    run.guard.on_broken_chain = policy.on_broken_chain.into();
    run.guard.check_preferred = policy.check_preferred;
    run.retry = RetryPolicy::default();
    run.retry.tries = policy.tries;
    run.retry.first_wait = Duration::from_secs(policy.retry_wait.into());
    run.retry.longest_wait = run.retry.longest_wait.max(run.retry.first_wait);
    run.manner = arguments.sql.manner()?;
    run.encoding = arguments.encoding.encoding()?;
    Ok(run)
}

async fn dry_run(
    manager: &RecoveryManager,
    engine: Arc<dyn Engine>,
    run: &BackupRun,
    json: bool,
) -> Result<ExitCode, Failure> {
    let (selected, surveyed) = manager.foresee(engine, run).await?;
    for name in &selected.missing {
        eprintln!("error: there is no database `{name}`");
    }
    for pattern in &selected.idle {
        eprintln!("note: no database is called like `{pattern}`");
    }
    if json {
        outln!("{}", serde_json::to_string_pretty(&surveyed)?);
    } else {
        survey::decisions(&surveyed);
    }
    Ok(if selected.missing.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(exit::REFUSED)
    })
}

/// The file of the JSON report.
struct Report {
    path: PathBuf,
    file: File,
}

impl Report {
    fn create(path: &Path) -> Result<Self, Failure> {
        let file = File::create(path).map_err(|error| {
            format!("the report `{}` cannot be written: {error}", path.display())
        })?;
        let path = path.to_owned();
        Ok(Self { path, file })
    }

    fn write(mut self, json: &str) -> Result<(), Failure> {
        let written = writeln!(self.file, "{json}");
        written.map_err(|error| {
            let path = self.path.display();
            format!("the run is over, but its report `{path}` cannot be written: {error}").into()
        })
    }
}
