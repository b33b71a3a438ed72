//! What all parts of one set share.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use crate::error::CloseError;
use crate::seam::{Cause, ClientSetLink};
use crate::sync::lock;

/// The set behind its values: it is closed when it was asked to and nobody uses a device any
/// more, at the latest when the last part is dropped.
#[derive(Debug)]
pub(crate) struct SetCore {
    link: Box<dyn ClientSetLink>,
    /// Taken by `abort` and `close`, so that no abort reaches a closed set.
    closed: Mutex<bool>,
    /// Devices that are open and have not ended.
    open: AtomicUsize,
    /// Devices that ended normally.
    ended: AtomicUsize,
    aborted: AtomicBool,
}

impl SetCore {
    pub(crate) fn new(link: Box<dyn ClientSetLink>) -> Arc<Self> {
        Arc::new(Self {
            link,
            closed: Mutex::new(false),
            open: AtomicUsize::new(0),
            ended: AtomicUsize::new(0),
            aborted: AtomicBool::new(false),
        })
    }

    pub(crate) fn link(&self) -> &dyn ClientSetLink {
        &*self.link
    }

    pub(crate) fn abort(&self, cause: Cause) {
        let closed = lock(&self.closed);
        if !*closed {
            self.aborted.store(true, Ordering::Release);
            self.link.abort(cause);
        }
    }

    pub(crate) fn device_opened(&self) {
        self.open.fetch_add(1, Ordering::AcqRel);
    }

    /// A device is used no more.
    pub(crate) fn device_finished(&self, normally: bool) {
        if normally {
            self.ended.fetch_add(1, Ordering::AcqRel);
        }
        self.open.fetch_sub(1, Ordering::AcqRel);
    }

    /// Closes a set of `devices` devices, or aborts it if one of them has not ended.
    pub(crate) fn close(&self, devices: usize) -> Result<(), CloseError> {
        let open = self.open.load(Ordering::Acquire);
        let cut_off = devices.saturating_sub(self.ended.load(Ordering::Acquire));
        if open > 0 {
            let aborted = self.aborted.load(Ordering::Acquire);
            self.abort(Cause::Abandoned);
            let open = cut_off;
            return Err(if aborted {
                CloseError::Abnormal { open, devices }
            } else {
                CloseError::NotEnded { open, devices }
            });
        }
        self.close_link()?;
        match cut_off {
            0 => Ok(()),
            open => Err(CloseError::Abnormal { open, devices }),
        }
    }

    /// The set's value is gone: whatever has not ended is aborted.
    pub(crate) fn abandon(&self) {
        let opened = self.open.load(Ordering::Acquire) + self.ended.load(Ordering::Acquire);
        if self.open.load(Ordering::Acquire) > 0 || opened == 0 {
            self.abort(Cause::Abandoned);
        }
    }

    fn close_link(&self) -> Result<(), CloseError> {
        let mut closed = lock(&self.closed);
        if *closed {
            return Ok(());
        }
        *closed = true;
        self.link.close()
    }
}

impl Drop for SetCore {
    fn drop(&mut self) {
        // Nobody is left to be told.
        let _ = self.close_link();
    }
}

/// Aborts a set, from any thread, at any time; after the set's end it does nothing.
///
/// Waiting calls of both sides return with an error, outstanding commands are completed with
/// [`OPERATION_ABORTED`](crate::CompletionCode::OPERATION_ABORTED).
#[derive(Debug, Clone)]
pub struct AbortHandle(Weak<SetCore>);

impl AbortHandle {
    pub(crate) fn new(core: &Arc<SetCore>) -> Self {
        Self(Arc::downgrade(core))
    }

    /// A handle to nothing.
    pub(crate) fn none() -> Self {
        Self(Weak::new())
    }

    /// Aborts the set.
    pub fn abort(&self) {
        if let Some(core) = self.0.upgrade() {
            core.abort(Cause::Asked);
        }
    }
}
