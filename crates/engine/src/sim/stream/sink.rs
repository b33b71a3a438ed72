//! Where the stripes of a backup go.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use vab_vdi::{DeviceName, EngineDevice, EngineSet};

use super::facts::{SetHead, SetTail};
use super::frame::{Frame, Kind};
use crate::error::BackupError;

/// Takes the bytes of one stripe, in order. Memory is one: `Vec<u8>`.
pub trait StripeWriter {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// When they cannot be taken; the backup fails.
    fn write(&mut self, bytes: &[u8]) -> Result<(), BackupError>;

    /// The stripe is whole: returns when it is durable.
    ///
    /// # Errors
    /// When it cannot be made durable; the backup fails.
    fn finish(&mut self) -> Result<(), BackupError>;
}

impl StripeWriter for Vec<u8> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), BackupError> {
        self.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), BackupError> {
        Ok(())
    }
}

/// All stripes of a set.
pub(crate) trait Sink {
    fn stripes(&self) -> usize;
    fn send(&mut self, stripe: usize, frame: Frame) -> Result<(), BackupError>;
    /// Every stripe is whole and durable.
    fn finish(&mut self) -> Result<(), BackupError>;
}

/// Deals data frames to the stripes in turn.
pub(crate) struct Stripes<'s> {
    pub(crate) sink: &'s mut dyn Sink,
    number: u64,
}

impl<'s> Stripes<'s> {
    pub(crate) fn new(sink: &'s mut dyn Sink) -> Self {
        Self { sink, number: 0 }
    }

    /// Data frames dealt so far.
    pub(crate) fn dealt(&self) -> u64 {
        self.number
    }

    pub(crate) fn deal(&mut self, kind: Kind, payload: Vec<u8>) -> Result<(), BackupError> {
        let stripe = stripe_of(self.number, self.sink.stripes());
        let frame = Frame::new(kind, self.number, payload);
        self.number += 1;
        self.sink.send(stripe, frame)
    }
}

/// The stripe that a data frame is on.
pub(crate) fn stripe_of(number: u64, stripes: usize) -> usize {
    let stripes = u64::try_from(stripes).unwrap_or(1).max(1);
    usize::try_from(number % stripes).unwrap_or(0)
}

/// Begins every stripe.
pub(crate) fn write_head(sink: &mut dyn Sink, head: &SetHead) -> Result<(), BackupError> {
    let mut head = head.clone();
    for stripe in 0..sink.stripes() {
        head.stripe = crate::sim::bytes::small_u16(stripe);
        sink.send(stripe, Frame::new(Kind::Head, 0, json(&head)))?;
    }
    Ok(())
}

/// Ends every stripe.
pub(crate) fn write_tail(sink: &mut dyn Sink, tail: &SetTail) -> Result<(), BackupError> {
    for stripe in 0..sink.stripes() {
        sink.send(stripe, Frame::new(Kind::Tail, 0, json(tail)))?;
    }
    sink.finish()
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    // Plain structs of numbers and texts; the reader refuses an empty text.
    serde_json::to_vec(value).unwrap_or_default()
}

/// Writes on the caller's thread.
pub(crate) struct Inline<'w, W>(pub(crate) &'w mut [W]);

impl<W: StripeWriter> Sink for Inline<'_, W> {
    fn stripes(&self) -> usize {
        self.0.len()
    }

    fn send(&mut self, stripe: usize, frame: Frame) -> Result<(), BackupError> {
        match self.0.get_mut(stripe) {
            Some(writer) => {
                writer.write(&frame.header())?;
                writer.write(&frame.payload)
            }
            None => Ok(()),
        }
    }

    fn finish(&mut self) -> Result<(), BackupError> {
        self.0.iter_mut().try_for_each(StripeWriter::finish)
    }
}

/// Frames that wait for a device, at most.
const WAITING: usize = 2;

/// Writes to each device of a set on a thread of its own.
#[derive(Debug)]
pub(crate) struct Threaded {
    lanes: Vec<Lane>,
    /// Until it is closed.
    set: Option<EngineSet>,
}

#[derive(Debug)]
struct Lane {
    frames: Option<SyncSender<Frame>>,
    thread: Option<JoinHandle<Result<(), BackupError>>>,
}

impl Threaded {
    pub(crate) fn new(mut set: EngineSet) -> Self {
        let lanes = set.devices().into_iter().map(|device| {
            let mut writer = DeviceStripe::new(device);
            let (frames, arriving) = sync_channel(WAITING);
            let thread = std::thread::spawn(move || serve(&mut writer, &arriving));
            Lane {
                frames: Some(frames),
                thread: Some(thread),
            }
        });
        Self {
            lanes: lanes.collect(),
            set: Some(set),
        }
    }
}

fn serve(writer: &mut impl StripeWriter, frames: &Receiver<Frame>) -> Result<(), BackupError> {
    let mut whole = false;
    for frame in frames {
        writer.write(&frame.header())?;
        writer.write(&frame.payload)?;
        whole = frame.kind == Kind::Tail;
    }
    // Without a tail the backup failed: the device is dropped, which is the abnormal end.
    if whole { writer.finish() } else { Ok(()) }
}

impl Lane {
    /// What the thread ended with.
    fn end(&mut self) -> Result<(), BackupError> {
        self.frames = None;
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(BackupError::Set(vab_vdi::EngineError::Aborted)),
            None => Ok(()),
        }
    }
}

impl Sink for Threaded {
    fn stripes(&self) -> usize {
        self.lanes.len()
    }

    fn send(&mut self, stripe: usize, frame: Frame) -> Result<(), BackupError> {
        let Some(lane) = self.lanes.get_mut(stripe) else {
            return Ok(());
        };
        let sent = lane.frames.as_ref().is_some_and(|f| f.send(frame).is_ok());
        if sent {
            return Ok(());
        }
        lane.end()?;
        Err(BackupError::Set(vab_vdi::EngineError::Aborted))
    }

    fn finish(&mut self) -> Result<(), BackupError> {
        for lane in &mut self.lanes {
            lane.frames = None;
        }
        let ends: Vec<_> = self.lanes.iter_mut().map(Lane::end).collect();
        // One failing device aborts the others; its own error says the most.
        let aborted = |error: &BackupError| {
            matches!(
                error,
                BackupError::Device {
                    error: vab_vdi::EngineError::Aborted,
                    ..
                }
            )
        };
        let mut errors: Vec<_> = ends.into_iter().filter_map(Result::err).collect();
        errors.sort_by_key(aborted);
        if let Some(error) = errors.into_iter().next() {
            return Err(error);
        }
        match self.set.take() {
            Some(set) => set.close().map_err(BackupError::Set),
            None => Ok(()),
        }
    }
}

impl Drop for Threaded {
    fn drop(&mut self) {
        if let Some(set) = &self.set {
            set.abort();
        }
        for lane in &mut self.lanes {
            // The error that made the backup fail is known already.
            let _ = lane.end();
        }
    }
}

/// Writes a stripe to a virtual device: full transfers, the last one of whole blocks.
#[derive(Debug)]
pub(crate) struct DeviceStripe {
    device: Option<EngineDevice>,
    name: DeviceName,
    transfer: usize,
    block: usize,
    waiting: Vec<u8>,
}

impl DeviceStripe {
    pub(crate) fn new(device: EngineDevice) -> Self {
        let geometry = device.configuration().geometry;
        let transfer = crate::sim::bytes::length(geometry.max_transfer());
        Self {
            name: device.name().clone(),
            transfer,
            block: crate::sim::bytes::length(geometry.block_size()),
            waiting: Vec::with_capacity(transfer),
            device: Some(device),
        }
    }

    fn flush_waiting(&mut self) -> Result<(), BackupError> {
        let Self {
            device: Some(device),
            waiting,
            name,
            ..
        } = self
        else {
            return Err(BackupError::Set(vab_vdi::EngineError::Aborted));
        };
        device.write(waiting).map_err(|error| BackupError::Device {
            device: name.clone(),
            error,
        })?;
        waiting.clear();
        Ok(())
    }
}

impl StripeWriter for DeviceStripe {
    fn write(&mut self, mut bytes: &[u8]) -> Result<(), BackupError> {
        while !bytes.is_empty() {
            let room = (self.transfer - self.waiting.len()).min(bytes.len());
            let (now, later) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
            self.waiting.extend_from_slice(now);
            bytes = later;
            if self.waiting.len() == self.transfer {
                self.flush_waiting()?;
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), BackupError> {
        let whole = self.waiting.len().next_multiple_of(self.block);
        self.waiting.resize(whole, 0);
        if whole > 0 {
            self.flush_waiting()?;
        }
        let Some(mut device) = self.device.take() else {
            return Ok(());
        };
        let end = device.flush().and_then(|()| device.complete());
        end.and_then(|()| device.close())
            .map_err(|error| BackupError::Device {
                device: self.name.clone(),
                error,
            })
    }
}
