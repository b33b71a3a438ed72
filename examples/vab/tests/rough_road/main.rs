//! A large backup in four streams, and its restore, over a road that is cut again and again, to a server that is
//! killed and started again. `VAB_EFFORT=32` moves 2 GiB through 100 cuts and 5 kills each way.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking, and the lints know only test functions"
)]

#[path = "../common/mod.rs"]
mod common;
mod pattern;
mod road;

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use common::{JOB, Server, empty_repository};
use pattern::Pattern;
use road::{Random, Road};
use vab_manager::{
    BackupKind, Catalog, DatabaseBackup, Observer, RecoveryManager, Restore, RestoreTarget,
};

const STREAMS: u16 = 4;
const MIB: u64 = 1 << 20;

/// How much is done at this effort.
struct Load {
    bytes: u64,
    cuts: usize,
    kills: usize,
    seed: u64,
}

impl Load {
    fn asked() -> Self {
        let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
        let effort: u64 = number("VAB_EFFORT").unwrap_or(1).clamp(1, 32);
        let seed = number("VAB_SEED").unwrap_or_else(|| RandomState::new().hash_one(()));
        Self {
            bytes: effort * 64 * MIB,
            cuts: (effort * 100).div_ceil(32) as usize,
            kills: (effort * 5).div_ceil(32) as usize,
            seed,
        }
    }
}

/// Starts a server again whenever the one before was killed; `lives` says after how many bytes on the road. Ends early
/// when there is nobody left on it. Every other server goes past the page cache.
async fn serve(repository: &std::path::Path, road: &Road, lives: Vec<u64>) -> Server {
    let mut server = Server::start(repository);
    let mut direct = false;
    road.lead_to(&server.address);
    for end in lives {
        while road.passed() < end && !road.is_done() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        server.kill();
        // A while in which nobody answers.
        tokio::time::sleep(Duration::from_millis(200)).await;
        direct = !direct;
        server = if direct {
            Server::start_direct(repository)
        } else {
            Server::start(repository)
        };
        road.lead_to(&server.address);
    }
    server
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_backup_and_a_restore_survive_cuts_and_kills() {
    let load = Load::asked();
    println!(
        "repeat with: VAB_SEED={} cargo test -p vab --test rough_road -- --nocapture",
        load.seed
    );
    let mut random = Random::new(load.seed);
    let (_folder, repository) = empty_repository();
    let database = Arc::new(Pattern::new(load.seed, load.bytes, STREAMS));

    let road = Road::new(random.moments(load.cuts, load.bytes)).await;
    let lives = random.moments(load.kills, load.bytes);
    let running = serve(&repository, &road, lives);
    let saved = async {
        // The first server has to be there before it is asked.
        while !road.leads_somewhere() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let manager = RecoveryManager::connect(&road.address()).await.unwrap();
        let mut backup = DatabaseBackup::new(JOB, "Pattern", BackupKind::Full);
        backup.streams = STREAMS;
        let observer = Observer::default();
        let saved = manager.backup(database.clone(), &backup, &observer);
        let saved = Box::pin(saved).await;
        road.done();
        saved
    };
    let (server, point) = tokio::join!(running, saved);
    let point = point.unwrap();
    assert_eq!(point.bytes, load.bytes);
    println!(
        "rough road: backup of {} MiB in {STREAMS} streams confirmed after {} cuts and {} kills",
        load.bytes / MIB,
        road.cuts(),
        load.kills
    );
    server.kill();

    let road = Road::new(random.moments(load.cuts, load.bytes)).await;
    let lives = random.moments(load.kills, load.bytes);
    let running = serve(&repository, &road, lives);
    let restored = async {
        while !road.leads_somewhere() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let catalog = Catalog::server(&road.address()).await.unwrap();
        let mut restore = Restore::new("Pattern");
        restore.target = RestoreTarget::Point(point.id);
        restore.replace = true;
        let observer = Observer::default();
        let restored = restore.run(&catalog, database.clone(), &observer);
        let restored = Box::pin(restored).await;
        road.done();
        restored
    };
    let (_server, restored) = tokio::join!(running, restored);
    restored.unwrap();
    assert_eq!(database.equal_bytes(), load.bytes);
    println!(
        "rough road: restore of {} MiB equal after {} cuts and {} kills",
        load.bytes / MIB,
        road.cuts(),
        load.kills
    );
}
