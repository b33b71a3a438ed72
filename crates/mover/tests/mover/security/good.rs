use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;

use tokio::task;
use vab_mover::source::{BackupError, Streamed};
use vab_mover::{Source, SourceOptions};
use vab_vdi::memory::Hub;
use vab_vdi::{Direction, EngineError, OpenSet};

use super::papers::{Authority, Papers, Time};
use crate::support::{MemoryStore, Server, set_of, stream_bytes};

const STREAMS: u16 = 2;
const LENGTH: usize = 3_000_000;

/// A backup that is in the middle of its streams until it is told to end.
pub(crate) struct GoodSession {
    gate: Arc<(Mutex<bool>, Condvar)>,
    running: task::JoinHandle<Result<Streamed, BackupError>>,
    engine: JoinHandle<Result<Vec<()>, EngineError>>,
    set: OpenSet,
}

impl GoodSession {
    pub(crate) async fn start(server: &Server, options: SourceOptions) -> Self {
        let source = Source::connect(server.name(), options).await.unwrap();
        let session = source.begin_backup("good", STREAMS).await.unwrap();
        let gate = Arc::new((Mutex::new(false), Condvar::new()));
        let hub = Hub::new();
        let (set, devices, engine) = set_of(&hub, "good", STREAMS.into(), |engine| {
            let gate = Arc::clone(&gate);
            engine.run(Direction::Backup, move |stream, device| {
                let bytes = stream_bytes(stream, LENGTH);
                let (half, rest) = bytes.split_at(LENGTH / 2);
                half.chunks(65_536)
                    .try_for_each(|piece| device.write(piece))?;
                let (open, changed) = &*gate;
                let closed = open.lock().unwrap();
                drop(changed.wait_while(closed, |open| !*open).unwrap());
                rest.chunks(65_536)
                    .try_for_each(|piece| device.write(piece))?;
                device.complete()
            })
        });
        Self {
            gate,
            running: tokio::spawn(session.run(devices, |_| ())),
            engine,
            set,
        }
    }

    /// Goes on to the end, which must be good.
    pub(crate) async fn end(self, store: &MemoryStore) {
        *self.gate.0.lock().unwrap() = true;
        self.gate.1.notify_all();
        let streamed = self.running.await.unwrap().unwrap();
        self.engine.join().unwrap().unwrap();
        self.set.close().unwrap();
        streamed.commit("good").await.unwrap();
        let saved = store.saved();
        assert_eq!(saved.len(), 1);
        for stream in 0..STREAMS {
            assert!(saved[0].stream(stream) == stream_bytes(stream, LENGTH));
        }
    }
}

/// An authority, and a certificate for each side.
pub(crate) struct World {
    pub(crate) authority: Authority,
    pub(crate) server: Papers,
    pub(crate) client: Papers,
}

impl World {
    pub(crate) fn new() -> Self {
        let authority = Authority::new("backups");
        Self {
            server: authority.server(&["127.0.0.1", "localhost"], Time::Now),
            client: authority.client("good source", Time::Now),
            authority,
        }
    }
}
