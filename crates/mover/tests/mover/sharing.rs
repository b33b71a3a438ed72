//! Several sessions on one target.

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use uuid::Uuid;
use vab_format::stream::StreamEnd;
use vab_mover::security::PeerIdentity;
use vab_mover::source::BackupError;
use vab_mover::target::{Desk, Slots, TargetOptions};
use vab_mover::{Block, Intake, Outlet, Refusal, RefusalKind, Source, Store, StoreError};
use vab_vdi::Direction;
use vab_vdi::memory::Hub;

use crate::support::{MemoryStore, Server, eventually, quick, save, set_of};

/// A store whose disk writes one block at a time, and only as many as the test says.
#[derive(Clone, Default)]
struct SlowStore(Arc<(Mutex<Disk>, Condvar)>);

#[derive(Default)]
struct Disk {
    allowed: usize,
    waiting: usize,
    open: bool,
    bytes: BTreeMap<Uuid, u64>,
}

impl SlowStore {
    fn disk<T>(&self, look: impl FnOnce(&mut Disk) -> T) -> T {
        let out = look(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
        out
    }
}

impl Store for SlowStore {
    fn begin(&self, _: &[u8], _: u16) -> Result<Box<dyn Intake>, Refusal> {
        Ok(Box::new(SlowIntake(self.clone(), Uuid::new_v4())))
    }

    fn open(&self, _: &[u8]) -> Result<Box<dyn Outlet>, Refusal> {
        Err(Refusal::new(
            RefusalKind::Unsupported,
            "this store only takes",
        ))
    }

    fn query(&self, _: &[u8]) -> Result<Vec<u8>, Refusal> {
        Ok(Vec::new())
    }
}

struct SlowIntake(SlowStore, Uuid);

impl Intake for SlowIntake {
    fn session(&self) -> Uuid {
        self.1
    }

    fn write(&self, block: Block) -> Result<(), StoreError> {
        let (disk, changed) = &*self.0.0;
        let mut disk = disk.lock().unwrap();
        disk.waiting += 1;
        let mut disk = changed
            .wait_while(disk, |disk| disk.allowed == 0 && !disk.open)
            .unwrap();
        disk.waiting -= 1;
        disk.allowed = disk.allowed.saturating_sub(1);
        *disk.bytes.entry(self.1).or_default() += u64::from(block.header.stored_length);
        Ok(())
    }

    fn sync(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn commit(self: Box<Self>, _: &[u8], _: &[StreamEnd]) -> Result<Vec<u8>, StoreError> {
        Ok(Vec::new())
    }

    fn abort(self: Box<Self>, _: &str) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_greedy_session_does_not_starve_another() {
    const BLOCK: u64 = 64 << 10;
    const WRITES: u64 = 200;
    let store = SlowStore::default();
    let options = TargetOptions {
        writers: 16,
        parallel_writes: 1,
        ..TargetOptions::default()
    };
    let server = Server::start_store("127.0.0.1:0".parse().unwrap(), store.clone(), options).await;
    let mut options = quick();
    options.block_size = 64 << 10;
    let source = Source::connect(server.name(), options).await.unwrap();
    let (hub, length) = (Hub::new(), 16 << 20);

    let mut running = Vec::new();
    for (name, streams) in [("greedy", 16), ("modest", 1)] {
        let session = source.begin_backup(name, streams).await.unwrap();
        let number = session.session();
        let (set, devices, engine) =
            set_of(&hub, name, streams.into(), |engine| engine.back_up(length));
        let task = tokio::spawn(session.run(devices, |_| ()));
        running.push((number, set, task, engine));
        // The greedy one has filled its windows before the other comes.
        eventually("somebody writes", || store.disk(|disk| disk.waiting > 0)).await;
    }
    let had = |number: &Uuid| store.disk(|disk| disk.bytes.get(number).copied().unwrap_or(0));
    let (greedy, modest) = (running[0].0, running[1].0);
    // Until both are at the disk.
    while had(&modest) == 0 {
        let before = had(&greedy);
        store.disk(|disk| disk.allowed = 1);
        eventually("a block is written", || {
            had(&greedy) > before || had(&modest) > 0
        })
        .await;
    }
    let start = (had(&greedy), had(&modest));
    for _ in 0..WRITES {
        let before = had(&greedy) + had(&modest);
        eventually("both are there", || store.disk(|disk| disk.waiting > 0)).await;
        store.disk(|disk| disk.allowed = 1);
        eventually("a block is written", || {
            had(&greedy) + had(&modest) > before
        })
        .await;
    }
    let (greedy, modest) = (had(&greedy) - start.0, had(&modest) - start.1);
    println!(
        "of {WRITES} blocks, 16 streams had {}, one had {}",
        greedy / BLOCK,
        modest / BLOCK
    );
    // A fair half, but for the blocks for which the one stream was late.
    assert!(
        modest >= WRITES * BLOCK / 3,
        "{modest} bytes beside {greedy}"
    );
    assert!(
        greedy >= WRITES * BLOCK / 3,
        "{greedy} bytes beside {modest}"
    );

    store.disk(|disk| disk.open = true);
    for (_, set, task, engine) in running {
        let streamed = task.await.unwrap().unwrap();
        engine.join().unwrap().unwrap();
        set.close().unwrap();
        streamed.commit("facts").await.unwrap();
    }
    server.stop().await;
}

fn slots(total: u16, wait: Duration) -> TargetOptions {
    TargetOptions {
        slots: Slots::new(NonZeroU16::new(total).unwrap()),
        slot_wait: wait,
        ..TargetOptions::default()
    }
}

fn refusal(error: BackupError) -> Refusal {
    match error {
        BackupError::Failed(vab_mover::proto::Failure::Refused(refusal)) => refusal,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_backup_beyond_the_slots_is_told_to_come_back() {
    let store = MemoryStore::default();
    let server = Server::start(&store, slots(4, Duration::from_millis(20))).await;
    let source = Source::connect(server.name(), quick()).await.unwrap();
    let three = source.begin_backup("three", 3).await.unwrap();
    let busy = refusal(source.begin_backup("two", 2).await.unwrap_err());
    assert_eq!(busy.kind, RefusalKind::Busy);
    assert!(busy.message.contains("fewer than 2 streams"), "{busy}");
    let never = refusal(source.begin_backup("five", 5).await.unwrap_err());
    assert_eq!(never.kind, RefusalKind::Invalid);
    assert!(never.message.contains("4 or fewer"), "{never}");
    assert_eq!(store.open(), 1, "nothing is begun for who is refused");

    let one = source.begin_backup("one", 1).await.unwrap();
    three.abort("done").await;
    one.abort("done").await;
    source
        .begin_backup("four", 4)
        .await
        .unwrap()
        .abort("done")
        .await;
    server.stop().await;
}

#[tokio::test]
async fn a_source_with_patience_gets_its_slots_when_they_are_free() {
    let store = MemoryStore::default();
    let server = Server::start(&store, slots(2, Duration::from_millis(20))).await;
    let mut options = quick();
    options.busy_limit = Duration::from_secs(60);
    let source = Source::connect(server.name(), options).await.unwrap();
    let first = source.begin_backup("first", 2).await.unwrap();
    let second = tokio::spawn({
        let source = source.clone();
        async move { source.begin_backup("second", 2).await }
    });
    first.abort("done").await;
    second.await.unwrap().unwrap().abort("done").await;
    server.stop().await;
}

#[tokio::test]
async fn a_restore_needs_no_slot() {
    let store = MemoryStore::default();
    let server = Server::start(&store, slots(1, Duration::from_millis(20))).await;
    let source = Source::connect(server.name(), quick()).await.unwrap();
    save(&source, 1, 100_000).await;
    let busy = source.begin_backup("job", 1).await.unwrap();
    source.open_restore("facts").await.unwrap();
    busy.abort("done").await;
    server.stop().await;
}

#[tokio::test]
async fn who_runs_a_target_can_end_a_session() {
    let store = MemoryStore::default();
    let desk = Desk::new();
    let options = TargetOptions {
        desk: desk.clone(),
        ..TargetOptions::default()
    };
    let server = Server::start(&store, options).await;
    let source = Source::connect(server.name(), quick()).await.unwrap();
    let session = source.begin_backup("job", 2).await.unwrap();
    let other = source.begin_backup("other", 1).await.unwrap();
    let number = session.session();
    let shown = desk.sessions();
    let shown = shown.iter().find(|shown| shown.session == number).unwrap();
    assert_eq!((shown.streams, shown.attached), (2, true));
    assert_eq!(shown.peer, PeerIdentity::Loopback);

    let hub = Hub::new();
    let (_set, devices, engine) = set_of(&hub, "set", 2, |engine| {
        engine.run(Direction::Backup, |_, device| -> Result<(), _> {
            loop {
                device.write(&[7; 4096])?;
            }
        })
    });
    let running = tokio::spawn(session.run(devices, |_| ()));
    eventually("blocks are written", || store.open() == 2).await;
    assert!(
        desk.cancel(number, "the disk is needed for something else")
            .await
    );
    assert!(!desk.cancel(number, "again").await);
    let error = running.await.unwrap().unwrap_err().to_string();
    assert!(error.contains("the disk is needed"), "{error}");
    assert!(engine.join().unwrap().is_err(), "the engine's backup fails");
    assert_eq!(
        store.open(),
        1,
        "nothing of it is left, and the other goes on"
    );
    assert_eq!(store.aborted(), ["the disk is needed for something else"]);
    other.abort("done").await;
    server.stop().await;
}
