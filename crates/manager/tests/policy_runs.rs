//! Runs of many databases against an engine that does not always do as it is told, over real
//! sockets to a real repository.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and the lints know only test functions"
)]

use std::net::SocketAddr;
use std::num::{NonZeroU16, NonZeroU32};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::Runtime;
use vab_manager::engine::sim::{Instance, Options};
use vab_manager::engine::{
    BackupError, BackupRequest, DatabaseInfo, Engine, EngineError, LegalKind, RecoverRequest,
    RecoveryModel, Refusal, RestoreError, RestoreRequest, Restored,
};
use vab_manager::run::{
    Budget, DatabaseResult, Decision, FailureClass, RetryPolicy, RunEvent, RunWatch, Selection,
};
use vab_manager::{
    BackupKind, BackupManager, BackupRun, BackupSet, Clock, Filter, Happening, Observer,
    RecoveryManager, RunOutcome, RunReport, ServeOptions, ServerTime, SystemClock, listing,
};
use vab_vdi::EngineTransport;

const JOB: &str = "Nightly";

/// What happens when the engine is told to back up: the number of the statement, from 1, is over
/// all databases.
type Trick = dyn Fn(&Instance, &BackupRequest, usize) -> Result<(), BackupError> + Send + Sync;

/// An embedded engine on which tricks are played.
struct Tricked {
    instance: Instance,
    trick: Box<Trick>,
    statements: AtomicUsize,
    open: Mutex<(usize, usize)>,
}

impl Tricked {
    fn new(
        databases: &[&str],
        trick: impl Fn(&Instance, &BackupRequest, usize) -> Result<(), BackupError>
        + Send
        + Sync
        + 'static,
    ) -> Arc<Self> {
        let now = || ServerTime::from_micros(SystemClock.now().as_micros());
        let instance = Instance::memory(Options::new(now));
        for name in databases {
            let database = instance.create_database(name, RecoveryModel::Full).unwrap();
            for key in 0..50 {
                database.put(key, name.repeat(50).as_bytes()).unwrap();
            }
        }
        Arc::new(Self {
            instance,
            trick: Box::new(trick),
            statements: AtomicUsize::new(0),
            open: Mutex::new((0, 0)),
        })
    }

    /// The most devices that were open at once.
    fn most_at_once(&self) -> usize {
        self.open.lock().unwrap().1
    }
}

impl Engine for Tricked {
    fn databases(&self) -> Result<Vec<DatabaseInfo>, EngineError> {
        self.instance.databases()
    }

    fn backup(
        &self,
        request: &BackupRequest,
        transport: &dyn EngineTransport,
    ) -> Result<BackupSet, BackupError> {
        let number = self.statements.fetch_add(1, Ordering::SeqCst) + 1;
        {
            let mut open = self.open.lock().unwrap();
            open.0 += request.devices.len();
            open.1 = open.1.max(open.0);
        }
        let done = (self.trick)(&self.instance, request, number)
            .and_then(|()| self.instance.backup(request, transport));
        self.open.lock().unwrap().0 -= request.devices.len();
        done
    }

    fn restore(
        &self,
        request: &RestoreRequest,
        transport: &dyn EngineTransport,
    ) -> Result<Restored, RestoreError> {
        self.instance.restore(request, transport)
    }

    fn recover(&self, request: &RecoverRequest) -> Result<Restored, RestoreError> {
        self.instance.recover(request)
    }
}

/// A backup manager in threads of its own, which can be ended as by a crash.
struct Serving {
    runtime: Option<Runtime>,
    folder: PathBuf,
    address: SocketAddr,
}

impl Serving {
    fn start(folder: &Path, address: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        // Whoever had the repository before may need a moment to let go of it.
        let manager = (0..500)
            .find_map(|_| {
                let opened = BackupManager::open(folder, Arc::new(SystemClock));
                opened
                    .map_err(|_| std::thread::sleep(Duration::from_millis(20)))
                    .ok()
            })
            .expect("the repository is free");
        let serving = runtime.block_on(manager.listen(address, ServeOptions::default()));
        let serving = serving.unwrap();
        let address = serving.address();
        runtime.spawn(serving.until(std::future::pending()));
        Self {
            runtime: Some(runtime),
            folder: folder.to_owned(),
            address,
        }
    }

    /// Ends it with everything that is open, and starts another in its place.
    fn crash_and_start_again(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(5));
        }
        *self = Self::start(&self.folder, self.address);
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Calls that block, where those that wait are at home.
fn aside<T: Send>(call: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(call).join().unwrap())
}

struct World {
    _folder: tempfile::TempDir,
    serving: Arc<Mutex<Serving>>,
    manager: RecoveryManager,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let serving = aside(|| Serving::start(folder.path(), "127.0.0.1:0".parse().unwrap()));
        let manager = RecoveryManager::connect(&serving.address.to_string()).await;
        Self {
            manager: manager.unwrap(),
            serving: Arc::new(Mutex::new(serving)),
            _folder: folder,
        }
    }

    async fn run(&self, engine: &Arc<Tricked>, run: &BackupRun) -> RunReport {
        self.watched(engine, run, RunWatch::default()).await
    }

    async fn watched(&self, engine: &Arc<Tricked>, run: &BackupRun, watch: RunWatch) -> RunReport {
        let engine: Arc<dyn Engine> = Arc::<Tricked>::clone(engine);
        let never = std::future::pending();
        let report = self
            .manager
            .run(engine, run, Arc::new(SystemClock), &watch, never);
        report.await.unwrap()
    }

    /// How many restore points of a database are there, and whether its newest can be restored.
    async fn stored(&self, database: &str) -> (usize, bool) {
        let filter = Filter {
            job: Some(JOB.to_owned()),
            database: Some(database.to_owned()),
        };
        let points = self.manager.catalog().points(&filter).await.unwrap();
        let newest = points.iter().max_by_key(|point| point.committed);
        let state = newest.and_then(|newest| listing::chain_of(&points).state(newest.id));
        (
            points.len(),
            state.is_some_and(|state| state.is_restorable()),
        )
    }
}

fn run_of(kind: BackupKind) -> BackupRun {
    let mut run = BackupRun::new(JOB, Selection::all(), LegalKind::new(kind, false));
    run.budget = Budget::asked(NonZeroU16::new(8).unwrap());
    run.retry = RetryPolicy::default();
    run.retry.first_wait = Duration::ZERO;
    run
}

fn busy(request: &BackupRequest) -> BackupError {
    let database = request.database.clone();
    Refusal::Busy { database }.into()
}

fn tries(report: &RunReport) -> Vec<usize> {
    report
        .databases
        .iter()
        .map(|database| database.tries.len())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_engine_never_has_more_devices_open_than_the_budget() {
    let names: Vec<String> = (0..12).map(|number| format!("Db{number:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let engine = Tricked::new(&names, |_, _, _| Ok(()));
    let world = World::new().await;
    let mut run = run_of(BackupKind::Full);
    run.streams = NonZeroU16::new(5).unwrap();
    let report = world.run(&engine, &run).await;
    assert_eq!(report.outcome, RunOutcome::Success);
    assert_eq!(report.totals.done, 12);
    let most = engine.most_at_once();
    assert!((5..=8).contains(&most), "{most}");
    let streams: Vec<u16> = report
        .databases
        .iter()
        .map(|database| database.streams)
        .collect();
    assert_eq!(streams[..2], [5, 3]);
    println!("12 databases, at most {most} of 8 devices at once, streams {streams:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_passes_is_tried_again_and_leaves_one_restore_point() {
    let engine = Tricked::new(&["A", "B", "C"], |_, request, number| {
        // The first two statements about B.
        if request.database == "B" && number <= 4 {
            Err(busy(request))
        } else {
            Ok(())
        }
    });
    let world = World::new().await;
    let mut run = run_of(BackupKind::Full);
    run.budget = Budget::asked(NonZeroU16::MIN);
    let report = world.run(&engine, &run).await;
    assert_eq!(report.outcome, RunOutcome::Success, "{report:?}");
    // A, B, C, B, B: B went to the end of the line.
    assert_eq!(tries(&report), [1, 3, 1]);
    assert_eq!(world.stored("B").await, (1, true));
    assert!(report.databases[1].tries[0].error.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tries_end_and_what_does_not_pass_is_tried_once() {
    let engine = Tricked::new(&["A", "B", "C"], |_, request, _| {
        match request.database.as_str() {
            "A" => Err(busy(request)),
            "B" => Err(Refusal::Server {
                number: 18272,
                message: "no".to_owned(),
            }
            .into()),
            _ => Ok(()),
        }
    });
    let world = World::new().await;
    let mut run = run_of(BackupKind::Full);
    run.retry.tries = NonZeroU32::new(4).unwrap();
    let report = world.run(&engine, &run).await;
    assert_eq!(report.outcome, RunOutcome::Partial);
    assert_eq!(tries(&report), [4, 1, 1]);
    for database in &report.databases[..2] {
        let DatabaseResult::Failed(failure) = &database.result else {
            panic!("{database:?}");
        };
        assert_eq!(failure.class, FailureClass::Refused);
    }
    assert_eq!(world.stored("A").await.0, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_breaks_down_inside_one_backup_does_not_stop_the_others() {
    let engine = Tricked::new(&["A", "B"], |_, request, _| {
        assert!(
            request.database != "A",
            "a fault of the engine, as wanted by the test"
        );
        Ok(())
    });
    let world = World::new().await;
    let report = world.run(&engine, &run_of(BackupKind::Full)).await;
    assert_eq!(report.outcome, RunOutcome::Partial);
    assert_eq!(world.stored("A").await.0, 0);
    assert_eq!(world.stored("B").await, (1, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_who_takes_the_log_between_decision_and_statement_is_noticed() {
    let engine = Tricked::new(&["A"], |instance, request, number| {
        if number == 2 {
            let database = instance.database("A").unwrap();
            database
                .put(1, b"in nobody's backup but the other one's")
                .unwrap();
            instance.backup_elsewhere(&BackupRequest::new("A", request.kind, Vec::new()))?;
        }
        Ok(())
    });
    let world = World::new().await;
    world.run(&engine, &run_of(BackupKind::Full)).await;
    let report = world.run(&engine, &run_of(BackupKind::Log)).await;
    assert_eq!(report.outcome, RunOutcome::Success);
    let database = &report.databases[0];
    assert_eq!(
        database.points.len(),
        2,
        "the log that does not connect, and what mends that"
    );
    let kind = database
        .decision
        .and_then(|decision| decision.take())
        .unwrap()
        .kind;
    assert_eq!(kind, BackupKind::Full);
    assert_eq!(world.stored("A").await, (3, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_commit_whose_answer_is_lost_is_not_made_twice_and_the_next_run_mends_the_chain() {
    let engine = Tricked::new(&["A"], |_, _, _| Ok(()));
    let world = World::new().await;
    world.run(&engine, &run_of(BackupKind::Full)).await;
    engine
        .instance
        .database("A")
        .unwrap()
        .put(7, b"later")
        .unwrap();

    // The server breaks down at the moment in which it would be told to commit.
    let (serving, crashed) = (Arc::clone(&world.serving), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&crashed);
    let watch = RunWatch::new(
        |_| {},
        move || {
            let (serving, crashed) = (Arc::clone(&serving), Arc::clone(&crashed));
            Observer::new(move |happening| {
                if happening == Happening::Commits {
                    crashed.fetch_add(1, Ordering::SeqCst);
                    aside(|| serving.lock().unwrap().crash_and_start_again());
                }
            })
        },
    );
    let report = world
        .watched(&engine, &run_of(BackupKind::Log), watch)
        .await;
    assert_eq!(counted.load(Ordering::SeqCst), 1);
    assert_eq!(report.outcome, RunOutcome::Failed, "{report:?}");
    assert_eq!(
        tries(&report),
        [1],
        "nobody knows whether it is there: not tried again"
    );
    assert_eq!(world.stored("A").await, (1, true));

    // The engine believes that its log was saved.
    let report = world.run(&engine, &run_of(BackupKind::Log)).await;
    let decision = report.databases[0].decision.unwrap();
    assert!(matches!(decision, Decision::Instead { .. }), "{decision}");
    assert!(
        decision.to_string().contains("or that backup was lost"),
        "{decision}"
    );
    assert_eq!(world.stored("A").await, (2, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_cancelled_begins_nothing_more_and_the_next_one_works() {
    let names = ["A", "B", "C", "D", "E"];
    let engine = Tricked::new(&names, |_, _, _| Ok(()));
    let world = World::new().await;
    let mut run = run_of(BackupKind::Full);
    run.budget = Budget::asked(NonZeroU16::MIN);
    let enough = Arc::new(tokio::sync::Notify::new());
    let told = Arc::clone(&enough);
    let watch = RunWatch::new(
        move |event| {
            if let RunEvent::Through(_) = event {
                told.notify_one();
            }
        },
        Observer::default,
    );
    let clock = Arc::new(SystemClock);
    let given: Arc<dyn Engine> = Arc::<Tricked>::clone(&engine);
    let report = world
        .manager
        .run(given, &run, clock, &watch, enough.notified())
        .await;
    let report = report.unwrap();
    assert_eq!(report.outcome, RunOutcome::Cancelled);
    assert!(
        report.totals.done >= 1 && report.totals.cancelled >= 3,
        "{:?}",
        report.totals
    );
    for database in &report.databases {
        let stored = world.stored(&database.database).await.0;
        assert_eq!(stored, database.points.len(), "{}", database.database);
    }
    let report = world.run(&engine, &run_of(BackupKind::Log)).await;
    assert_eq!(report.outcome, RunOutcome::Success);
    assert_eq!(report.totals.done, 5);
}
