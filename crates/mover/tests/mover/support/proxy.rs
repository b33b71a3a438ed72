use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A way to a target that can be cut.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    cut: watch::Sender<u64>,
    passed: Arc<AtomicU64>,
    to: Arc<Mutex<SocketAddr>>,
    task: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let cut = watch::Sender::new(0);
        let passed = Arc::new(AtomicU64::new(0));
        let to = Arc::new(Mutex::new(target));
        let task = tokio::spawn({
            let (cut, passed, to) = (cut.clone(), Arc::clone(&passed), Arc::clone(&to));
            async move {
                loop {
                    let (near, _) = listener.accept().await.unwrap();
                    let target = *to.lock().unwrap();
                    let (mut cut, passed) = (cut.subscribe(), Arc::clone(&passed));
                    tokio::spawn(async move {
                        let Ok(far) = TcpStream::connect(target).await else {
                            return;
                        };
                        let (near_in, near_out) = near.into_split();
                        let (far_in, far_out) = far.into_split();
                        tokio::select! {
                            _ = cut.changed() => {}
                            () = pump(near_in, far_out, &passed) => {}
                            () = pump(far_in, near_out, &passed) => {}
                        }
                    });
                }
            }
        });
        Self {
            address,
            cut,
            passed,
            to,
            task,
        }
    }

    /// Cuts every connection, wherever it is in the bytes.
    pub(crate) fn cut(&self) {
        self.cut.send_modify(|cuts| *cuts += 1);
    }

    /// Ends every connection and lets none reach the target: what a target that dies still says
    /// from its last threads is heard by nobody.
    pub(crate) async fn isolate(&self) {
        self.point_to(SocketAddr::from(([127, 0, 0, 1], 1)));
        self.cut();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    pub(crate) fn point_to(&self, target: SocketAddr) {
        *self.to.lock().unwrap() = target;
    }

    /// Bytes that went through so far.
    pub(crate) fn passed(&self) -> u64 {
        self.passed.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pump(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    passed: &AtomicU64,
) {
    let mut buffer = vec![0; 16_384];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
        passed.fetch_add(count as u64, Ordering::Relaxed);
    }
}
