//! The guard against the embedded engine, over random histories in which others take backups too.
//!
//! After every backup that the guard chose, the newest state must come back from the backups that
//! are here. The model is the engine itself: restoring is the proof.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, and the lints know only test functions"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use vab_manager::chain::{Chain, RestorePoint, Target};
use vab_manager::engine::sim::{Digest, Ids, Instance, ManualClock, Options};
use vab_manager::engine::{
    BackupRequest, Engine, LegalKind, Recovery, RecoveryModel, RestoreRequest,
};
use vab_manager::run::{Decision, Guard, OnBrokenChain};
use vab_manager::{BackupKind, PointId, ServerTime};

const NAME: &str = "Sales";

/// What happens to a database.
#[derive(Clone, Copy, Debug)]
enum Happens {
    Work(u64),
    /// A run of ours.
    Run(BackupKind, bool),
    /// Somebody else's backup.
    Foreign(BackupKind, bool),
    /// Ours, but lost before it was committed: the engine believes that it was saved.
    Lost(BackupKind),
    Model(RecoveryModel),
    /// The newest of our states is restored over the database: a new fork.
    RestoredOver,
    /// Dropped, and made anew under the same name.
    MadeAnew,
}

fn kind() -> impl Strategy<Value = BackupKind> {
    prop_oneof![
        1 => Just(BackupKind::Full),
        2 => Just(BackupKind::Differential),
        4 => Just(BackupKind::Log),
    ]
}

fn happens() -> impl Strategy<Value = Happens> {
    use RecoveryModel::{BulkLogged, Full, Simple};
    prop_oneof![
        6 => (0_u64..50).prop_map(Happens::Work),
        8 => (kind(), prop::bool::weighted(0.2)).prop_map(|(kind, copy)| Happens::Run(kind, copy)),
        3 => (kind(), prop::bool::weighted(0.3)).prop_map(|(kind, copy)| Happens::Foreign(kind, copy)),
        1 => kind().prop_map(Happens::Lost),
        1 => prop_oneof![Just(Simple), Just(Full), Just(BulkLogged)].prop_map(Happens::Model),
        1 => Just(Happens::RestoredOver),
        1 => Just(Happens::MadeAnew),
    ]
}

/// What was seen, over all histories.
#[derive(Debug, Default)]
struct Counts {
    wanted: AtomicU64,
    instead: AtomicU64,
    skipped: AtomicU64,
    proved: AtomicU64,
    foreign: AtomicU64,
}

struct World {
    instance: Instance,
    clock: Arc<ManualClock>,
    kept: Vec<(RestorePoint, Vec<u8>)>,
    seed: u64,
}

impl World {
    fn new(model: RecoveryModel) -> Self {
        let start = ServerTime::from_calendar(2026, 11, 22, 8, 0, 0).unwrap();
        let clock = Arc::new(ManualClock::new(start));
        let options = Options::with_clock(clock.clone()).ids(Ids::seeded(1));
        let instance = Instance::memory(options);
        instance.create_database(NAME, model).unwrap();
        Self {
            instance,
            clock,
            kept: Vec::new(),
            seed: 2,
        }
    }

    fn chain(&self) -> Chain {
        Chain::new(self.kept.iter().map(|(point, _)| point.clone()))
    }

    fn happen(&mut self, what: Happens, policy: OnBrokenChain, counts: &Counts) {
        let now = self.instance.database(NAME).unwrap().newest_record();
        self.clock
            .set(ServerTime::from_micros(now.as_micros() + 60_000_000));
        match what {
            Happens::Work(key) => {
                let database = self.instance.database(NAME).unwrap();
                database.put(key, &self.seed.to_le_bytes()).unwrap();
                self.seed += 1;
            }
            Happens::Run(kind, copy_only) => self.run(kind, copy_only, policy, counts),
            Happens::Foreign(kind, copy_only) => {
                let mut request = BackupRequest::new(NAME, kind, Vec::new());
                request.copy_only = copy_only;
                // The engine may refuse, as it does to everybody.
                if self.instance.backup_elsewhere(&request).is_ok() {
                    counts.foreign.fetch_add(1, Ordering::Relaxed);
                }
            }
            Happens::Lost(kind) => {
                let mut guard = Guard::new(LegalKind::new(kind, false));
                guard.on_broken_chain = policy;
                if let Some(take) = guard.decide(&self.info(), &self.chain()).take() {
                    let request = BackupRequest::new(NAME, take.kind, Vec::new());
                    self.instance.backup_elsewhere(&request).unwrap();
                }
            }
            Happens::Model(model) => {
                let database = self.instance.database(NAME).unwrap();
                database.set_recovery_model(model).unwrap();
            }
            Happens::RestoredOver => {
                if !self.kept.is_empty() {
                    self.restore(&self.instance, true);
                }
            }
            Happens::MadeAnew => {
                self.instance.drop_database(NAME).unwrap();
                self.instance
                    .create_database(NAME, RecoveryModel::Full)
                    .unwrap();
            }
        }
    }

    fn info(&self) -> vab_manager::engine::DatabaseInfo {
        self.instance.databases().unwrap().remove(0)
    }

    fn run(&mut self, kind: BackupKind, copy_only: bool, policy: OnBrokenChain, counts: &Counts) {
        let copy_only = copy_only && kind != BackupKind::Differential;
        let mut guard = Guard::new(LegalKind::new(kind, copy_only));
        guard.on_broken_chain = policy;
        let decision = guard.decide(&self.info(), &self.chain());
        let counter = match decision {
            Decision::Take(_) => &counts.wanted,
            Decision::Instead { .. } => &counts.instead,
            _ => &counts.skipped,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        let Some(take) = decision.take() else {
            return;
        };
        let mut request = BackupRequest::new(NAME, take.kind, Vec::new());
        request.copy_only = take.copy_only;
        let mut stripe = Vec::new();
        let set = self
            .instance
            .backup_to(&request, std::slice::from_mut(&mut stripe))
            .unwrap_or_else(|error| panic!("`{decision}` was refused by the engine: {error}"));
        let id = PointId(set.id.0);
        self.kept.push((RestorePoint { id, set }, stripe));
        let state = self.chain().state(id).unwrap();
        assert!(state.is_restorable(), "`{decision}` left {state}");

        let beside = Instance::memory(
            Options::with_clock(self.clock.clone()).ids(Ids::seeded(self.seed ^ 0xffff)),
        );
        let found = self.restore(&beside, false);
        let expected = self.instance.database(NAME).unwrap().digest().unwrap();
        assert_eq!(found, expected, "after `{decision}`");
        counts.proved.fetch_add(1, Ordering::Relaxed);
    }

    fn restore(&self, to: &Instance, replace: bool) -> Digest {
        let plan = self.chain().plan(&Target::Latest).unwrap();
        for (index, step) in plan.steps.iter().enumerate() {
            let (_, stripe) = self
                .kept
                .iter()
                .find(|(point, _)| point.id == step.point)
                .unwrap();
            let mut request = RestoreRequest::new(NAME, step.kind, Vec::new());
            request.replace = replace && index == 0;
            if index + 1 == plan.steps.len() {
                request.recovery = Recovery::Recovery;
            }
            to.restore_from(&request, [stripe.as_slice()]).unwrap();
        }
        to.database(NAME).unwrap().digest().unwrap()
    }
}

#[test]
fn after_every_run_by_policy_the_newest_state_comes_back() {
    let effort: u32 = std::env::var("VAB_EFFORT")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1);
    let config = Config {
        cases: 300 * effort,
        failure_persistence: None,
        ..Config::default()
    };
    let counts = Counts::default();
    let model = prop_oneof![3 => Just(RecoveryModel::Full), 1 => Just(RecoveryModel::Simple)];
    let policy = prop_oneof![Just(OnBrokenChain::Full), Just(OnBrokenChain::Smallest)];
    let histories = (model, policy, prop::collection::vec(happens(), 1..40));
    let tried = TestRunner::new(config).run(&histories, |(model, policy, history)| {
        let mut world = World::new(model);
        for what in history {
            world.happen(what, policy, &counts);
        }
        Ok(())
    });
    println!("{} histories: {counts:?}", 300 * effort);
    tried.unwrap();
    for count in [
        &counts.wanted,
        &counts.instead,
        &counts.skipped,
        &counts.foreign,
    ] {
        assert!(count.load(Ordering::Relaxed) > 0, "a case never came up");
    }
}
