//! What can be seen of a backup and of a restore while they run.

use std::sync::{Arc, Mutex};

use crate::support::{Engine, Log, cut_often, movers, movers_apart, quick, set_of, small_steps};
use vab_mover::source::Progress;
use vab_vdi::memory::Hub;

const STREAMS: u16 = 3;
const LENGTH: usize = 2_000_000;

/// Keeps all that is told of the progress.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<Progress>>>);

impl Told {
    fn listener(&self) -> impl Fn(Progress) + Send + Sync + 'static {
        let told = Arc::clone(&self.0);
        move |progress| told.lock().unwrap().push(progress)
    }

    /// Every stream was heard of in all its blocks, one by one, up to its length.
    fn check(&self) {
        let told = self.0.lock().unwrap();
        for stream in 0..STREAMS {
            let of_it: Vec<_> = told.iter().filter(|at| at.stream == stream).collect();
            let blocks: Vec<u64> = of_it.iter().map(|at| at.blocks).collect();
            assert_eq!(blocks, (1..=blocks.len() as u64).collect::<Vec<_>>());
            assert!(of_it.is_sorted_by(|a, b| a.bytes < b.bytes));
            assert_eq!(of_it.last().unwrap().bytes, LENGTH as u64);
            assert!(blocks.len() > 10, "{} blocks", blocks.len());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn progress_is_told_for_each_stream_after_each_block() {
    let mut options = quick();
    options.block_size = 64 << 10;
    let (_, server, source) = movers(options).await;
    let hub = Hub::new();

    let session = source.begin_backup("job", STREAMS).await.unwrap();
    let (set, devices, engine) = set_of(&hub, "save", STREAMS.into(), |engine| {
        engine.back_up(LENGTH)
    });
    let told = Told::default();
    let streamed = session.run(devices, told.listener()).await.unwrap();
    engine.join().unwrap().unwrap();
    set.close().unwrap();
    streamed.commit("facts").await.unwrap();
    told.check();

    let restore = source.open_restore("facts").await.unwrap();
    let (set, devices, engine) = set_of(&hub, "restore", STREAMS.into(), Engine::restore);
    let told = Told::default();
    restore.run(devices, told.listener()).await.unwrap();
    engine.join().unwrap().unwrap();
    set.close().unwrap();
    told.check();
    server.stop().await;
}

// One thread, so that all is logged where the log is kept.
#[tokio::test]
async fn what_is_logged_says_to_which_connection_and_session_it_belongs() {
    let log = Log::start();
    let (store, server, proxy, source) = movers_apart(small_steps()).await;
    let session = source.begin_backup("job", STREAMS).await.unwrap();
    let number = session.session();
    let (set, devices, engine) = set_of(&Hub::new(), "save", STREAMS.into(), |engine| {
        engine.back_up(LENGTH)
    });
    let running = tokio::spawn(session.run(devices, |_| ()));
    cut_often(&proxy, 1, 1_000_000, &running).await;
    let streamed = running.await.unwrap().unwrap();
    engine.join().unwrap().unwrap();
    set.close().unwrap();
    streamed.commit("facts").await.unwrap();
    server.stop().await;
    assert_eq!(store.saved().len(), 1);

    let has = |span: &str, words: &str| {
        let text = log.text();
        let found = text
            .lines()
            .any(|line| line.contains(span) && line.contains(words));
        assert!(found, "no line with {span} and {words} in:\n{text}");
    };
    let session = format!("session{{session={number}}}");
    has(&format!("backup{{streams={STREAMS}}}"), "lost the target");
    has("backup{", "back at the target");
    has("connection{peer=127.0.0.1:", "connection opened");
    has("connection{", &session);
    has(&session, "the source is back");
    has(&session, "session committed");
}
