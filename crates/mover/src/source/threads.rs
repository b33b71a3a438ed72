//! One thread per device, and the end of all of them if one fails.

use std::thread;

use tokio::sync::mpsc;
use vab_vdi::{AbortHandle, Device};

use super::error::StreamError;

/// The device threads of one set. Dropping this aborts the set.
pub(super) struct Threads<T> {
    aborts: Vec<AbortHandle>,
    running: usize,
    results: mpsc::UnboundedReceiver<(u16, Result<T, StreamError>)>,
}

impl<T: Send + 'static> Threads<T> {
    /// Starts `work` for every device, the first being stream 0.
    pub(super) fn start<W>(
        devices: Vec<Device>,
        mut work: impl FnMut(u16) -> W,
    ) -> std::io::Result<Self>
    where
        W: FnOnce(&Device) -> Result<T, StreamError> + Send + 'static,
    {
        let (done, results) = mpsc::unbounded_channel();
        let mut threads = Self {
            aborts: devices.iter().map(Device::abort_handle).collect(),
            running: 0,
            results,
        };
        for (stream, device) in (0..).zip(devices) {
            let work = work(stream);
            let report = Report {
                stream,
                done: done.clone(),
                result: None,
            };
            thread::Builder::new()
                .name(format!("vab-device-{stream}"))
                .spawn(move || {
                    let result = work(&device);
                    // A device that has not ended is aborted before anybody hears of it.
                    drop(device);
                    report.end(result);
                })?;
            threads.running += 1;
        }
        Ok(threads)
    }

    /// The next thread that ends; `None` when all have ended.
    pub(super) async fn next(&mut self) -> Option<(u16, Result<T, StreamError>)> {
        if self.running == 0 {
            return None;
        }
        let result = self.results.recv().await?;
        self.running -= 1;
        Some(result)
    }
}

impl<T> Threads<T> {
    /// Aborts the device set, which ends the threads.
    pub(super) fn abort(&self) {
        for handle in &self.aborts {
            handle.abort();
        }
    }
}

impl<T> Drop for Threads<T> {
    fn drop(&mut self) {
        if self.running > 0 {
            self.abort();
        }
    }
}

/// Reports even if the thread panics.
struct Report<T> {
    stream: u16,
    done: mpsc::UnboundedSender<(u16, Result<T, StreamError>)>,
    result: Option<Result<T, StreamError>>,
}

impl<T> Report<T> {
    fn end(mut self, result: Result<T, StreamError>) {
        self.result = Some(result);
    }
}

impl<T> Drop for Report<T> {
    fn drop(&mut self) {
        let result = self.result.take().unwrap_or(Err(StreamError::Panicked));
        let _ = self.done.send((self.stream, result));
    }
}
