//! A way to the server that breaks after chosen numbers of bytes.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Forwards connections to a server that may change.
pub(crate) struct Road {
    address: String,
    common: Arc<Common>,
    task: JoinHandle<()>,
}

struct Common {
    to: Mutex<Option<String>>,
    done: AtomicBool,
    passed: AtomicU64,
    /// Where it breaks next, the last one first.
    breaks: Mutex<Vec<u64>>,
    cuts: AtomicUsize,
    cut: watch::Sender<()>,
}

impl Road {
    /// Breaks after each of these numbers of bytes, in either direction together.
    pub(crate) async fn new(mut breaks: Vec<u64>) -> Self {
        breaks.sort_unstable_by(|one, other| other.cmp(one));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let common = Arc::new(Common {
            to: Mutex::default(),
            done: AtomicBool::new(false),
            passed: AtomicU64::new(0),
            breaks: Mutex::new(breaks),
            cuts: AtomicUsize::new(0),
            cut: watch::Sender::new(()),
        });
        let task = tokio::spawn(forward(listener, Arc::clone(&common)));
        Self {
            address,
            common,
            task,
        }
    }

    pub(crate) fn address(&self) -> String {
        self.address.clone()
    }

    pub(crate) fn lead_to(&self, server: &str) {
        *self.common.to.lock().unwrap() = Some(server.to_owned());
    }

    pub(crate) fn leads_somewhere(&self) -> bool {
        self.common.to.lock().unwrap().is_some()
    }

    /// Nobody will use it any more.
    pub(crate) fn done(&self) {
        self.common.done.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_done(&self) -> bool {
        self.common.done.load(Ordering::Relaxed)
    }

    /// Bytes that went through so far.
    pub(crate) fn passed(&self) -> u64 {
        self.common.passed.load(Ordering::Relaxed)
    }

    pub(crate) fn cuts(&self) -> usize {
        self.common.cuts.load(Ordering::Relaxed)
    }
}

impl Drop for Road {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn forward(listener: TcpListener, common: Arc<Common>) {
    loop {
        let (near, _) = listener.accept().await.unwrap();
        let common = Arc::clone(&common);
        tokio::spawn(async move {
            let mut cut = common.cut.subscribe();
            let server = common.to.lock().unwrap().clone();
            let Ok(far) = TcpStream::connect(server.unwrap_or_default()).await else {
                return;
            };
            let (near_in, near_out) = near.into_split();
            let (far_in, far_out) = far.into_split();
            tokio::select! {
                _ = cut.changed() => {}
                () = pump(near_in, far_out, &common) => {}
                () = pump(far_in, near_out, &common) => {}
            }
        });
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, common: &Common) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let passed = common.passed.fetch_add(count as u64, Ordering::Relaxed) + count as u64;
        if common.breaks_at(passed) {
            // Somewhere in the bytes, and the other connections with it.
            let _ = to.write_all(&buffer[..count / 2]).await;
            common.cut.send_replace(());
            return;
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

impl Common {
    fn breaks_at(&self, passed: u64) -> bool {
        let mut breaks = self.breaks.lock().unwrap();
        let due = breaks.last().is_some_and(|at| *at <= passed);
        if due {
            breaks.pop();
            self.cuts.fetch_add(1, Ordering::Relaxed);
        }
        due
    }
}

/// Numbers from a seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed ^ 0x9E37_79B9_7F4A_7C15)
    }

    /// The next number of a xorshift generator.
    pub(crate) fn next(&mut self) -> u64 {
        let mut state = self.0.max(1);
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        self.0 = state;
        state
    }

    /// So many numbers below `end`, in order.
    pub(crate) fn moments(&mut self, count: usize, end: u64) -> Vec<u64> {
        let mut moments: Vec<u64> = (0..count).map(|_| self.next() % end.max(1)).collect();
        moments.sort_unstable();
        moments
    }
}
