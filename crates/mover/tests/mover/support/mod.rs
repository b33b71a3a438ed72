//! A store in memory with faults to switch on, and an engine that writes and reads known bytes.

mod engine;
mod log;
mod proxy;
mod setup;
mod store;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use vab_mover::Store;
use vab_mover::target::{self, Exposure, ServeError, TargetOptions};

pub(crate) use engine::{Engine, set_of, stream_bytes};
pub(crate) use log::Log;
pub(crate) use proxy::Proxy;
#[cfg(feature = "tls")]
pub(crate) use setup::small_steps_of;
pub(crate) use setup::{
    apart, assert_streams, cut_often, movers, movers_apart, quick, restore, save, small_steps,
};
pub(crate) use store::{Fault, MemoryStore, Saved};

/// A target mover on a port of loopback.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), ServeError>>,
}

impl Server {
    pub(crate) async fn start(store: &MemoryStore, options: TargetOptions) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), store, options).await
    }

    pub(crate) async fn start_at(
        address: SocketAddr,
        store: &MemoryStore,
        options: TargetOptions,
    ) -> Self {
        Self::start_store(address, store.clone(), options).await
    }

    pub(crate) async fn start_store(
        address: SocketAddr,
        store: impl Store,
        options: TargetOptions,
    ) -> Self {
        let listener = target::bind(address, Exposure::Loopback).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let store = Arc::new(store);
        let task = tokio::spawn(target::serve(listener, store, options, async {
            let _ = stopped.await;
        }));
        Self {
            address,
            stop: Some(stop),
            task,
        }
    }

    pub(crate) fn name(&self) -> String {
        self.address.to_string()
    }

    /// Tells it to stop, and waits until it has.
    pub(crate) async fn stop(mut self) {
        self.stop.take();
        (&mut self.task).await.unwrap().unwrap();
    }

    /// Ends it without a word, as a killed process.
    pub(crate) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

/// Waits until `is` holds; a limit ends a test that would hang.
pub(crate) async fn eventually(what: &str, is: impl Fn() -> bool) {
    for _ in 0..2000 {
        if is() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("never came true: {what}");
}
