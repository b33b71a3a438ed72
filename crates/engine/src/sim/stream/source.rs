//! Where the stripes of a set come from.

use std::io::Read;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use vab_vdi::EngineDevice;

use super::facts::{SetHead, SetTail};
use super::frame::{Frame, HEADER, Header, Kind};
use super::sink::stripe_of;
use crate::error::RestoreError;
use crate::refusal::Refusal;
use crate::sim::bytes::length;

/// All stripes of a set, in the order they were given.
pub(crate) trait Source {
    fn stripes(&self) -> usize;
    fn next(&mut self, stripe: usize) -> Result<Frame, RestoreError>;
    /// Everything was read.
    fn finish(&mut self) -> Result<(), RestoreError>;
}

/// Reads a stripe from anything that can be read.
#[derive(Debug)]
pub(crate) struct ReaderStripe<R> {
    reader: R,
    /// As it was given, from 1.
    number: usize,
}

impl<R: Read> ReaderStripe<R> {
    fn frame(&mut self) -> Result<Frame, RestoreError> {
        let mut bytes = [0; HEADER];
        self.fill(&mut bytes)?;
        let header = Header::decode(&bytes).map_err(|_| self.bad("a frame has no sound header"))?;
        let mut payload = vec![0; header.payload];
        self.fill(&mut payload)?;
        header
            .with(payload)
            .map_err(|_| self.bad("the checksum of a frame is wrong"))
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), RestoreError> {
        self.reader.read_exact(buffer).map_err(|error| {
            // A device's own error travels inside.
            match error
                .get_ref()
                .and_then(|e| e.downcast_ref::<RestoreError>())
            {
                Some(error) => error.clone(),
                None => self.bad(&format!("it ends too early ({error})")),
            }
        })
    }

    fn bad(&self, reason: &str) -> RestoreError {
        RestoreError::Stream {
            stripe: self.number,
            reason: reason.to_owned(),
        }
    }
}

impl<R: Read> Source for Vec<ReaderStripe<R>> {
    fn stripes(&self) -> usize {
        self.len()
    }

    fn next(&mut self, stripe: usize) -> Result<Frame, RestoreError> {
        match self.get_mut(stripe) {
            Some(stripe) => stripe.frame(),
            None => Err(missing(stripe)),
        }
    }

    fn finish(&mut self) -> Result<(), RestoreError> {
        Ok(())
    }
}

/// Stripes from readers, numbered as they are given.
pub(crate) fn stripes<R: Read>(readers: impl IntoIterator<Item = R>) -> Vec<ReaderStripe<R>> {
    let numbered = readers.into_iter().zip(1..);
    numbered
        .map(|(reader, number)| ReaderStripe { reader, number })
        .collect()
}

fn missing(stripe: usize) -> RestoreError {
    RestoreError::Stream {
        stripe: stripe + 1,
        reason: "it was not given".to_owned(),
    }
}

/// Frames that wait for the restore, per stripe, at most.
const WAITING: usize = 2;

/// Reads each device on a thread of its own.
#[derive(Debug)]
pub(crate) struct Threads {
    lanes: Vec<Lane>,
}

#[derive(Debug)]
struct Lane {
    frames: Option<Receiver<Result<Frame, RestoreError>>>,
    thread: Option<JoinHandle<Result<(), RestoreError>>>,
}

impl Threads {
    pub(crate) fn new(devices: Vec<EngineDevice>) -> Self {
        let numbered = devices.into_iter().zip(1..);
        let lanes = numbered.map(|(device, number)| {
            let (frames, arriving) = sync_channel(WAITING);
            let thread = std::thread::spawn(move || read_device(device, number, &frames));
            Lane {
                frames: Some(arriving),
                thread: Some(thread),
            }
        });
        Self {
            lanes: lanes.collect(),
        }
    }
}

/// Reads a device up to its tail, then to the end of the data, and closes it.
fn read_device(
    device: EngineDevice,
    number: usize,
    frames: &SyncSender<Result<Frame, RestoreError>>,
) -> Result<(), RestoreError> {
    let reader = DeviceReader::new(device);
    let mut stripe = ReaderStripe { reader, number };
    loop {
        let frame = stripe.frame();
        let failed = frame.is_err();
        let end = frame.as_ref().is_ok_and(|frame| frame.kind == Kind::Tail);
        // After an error, or when nobody wants the frames, the device is dropped: that aborts
        // the set.
        if frames.send(frame).is_err() || failed {
            return Ok(());
        }
        if end {
            break;
        }
    }
    stripe.reader.close()
}

impl Source for Threads {
    fn stripes(&self) -> usize {
        self.lanes.len()
    }

    fn next(&mut self, stripe: usize) -> Result<Frame, RestoreError> {
        let lane = self.lanes.get(stripe).and_then(|l| l.frames.as_ref());
        match lane.map(Receiver::recv) {
            Some(Ok(frame)) => frame,
            _ => Err(missing(stripe)),
        }
    }

    fn finish(&mut self) -> Result<(), RestoreError> {
        for lane in &mut self.lanes {
            match lane.thread.take().map(JoinHandle::join) {
                Some(Ok(result)) => result?,
                Some(Err(_)) => return Err(RestoreError::Set(vab_vdi::EngineError::Aborted)),
                None => {}
            }
        }
        Ok(())
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        for lane in &mut self.lanes {
            lane.frames = None;
        }
        for lane in &mut self.lanes {
            if let Some(thread) = lane.thread.take() {
                // The error that made the restore fail is known already.
                let _ = thread.join();
            }
        }
    }
}

/// A device as a reader, in full transfers.
#[derive(Debug)]
struct DeviceReader {
    device: EngineDevice,
    buffer: Vec<u8>,
    taken: usize,
    filled: usize,
}

impl DeviceReader {
    fn new(device: EngineDevice) -> Self {
        let transfer = length(device.configuration().geometry.max_transfer());
        Self {
            device,
            buffer: vec![0; transfer],
            taken: 0,
            filled: 0,
        }
    }

    fn refill(&mut self) -> Result<(), RestoreError> {
        self.taken = 0;
        self.filled = 0;
        let read = self.device.read(&mut self.buffer);
        self.filled = read.map_err(|error| RestoreError::Device {
            device: self.device.name().clone(),
            error,
        })?;
        Ok(())
    }

    /// Reads what is left, so that the other side sees the end, and closes the device.
    fn close(mut self) -> Result<(), RestoreError> {
        loop {
            self.refill()?;
            if self.filled == 0 {
                break;
            }
        }
        let device = self.device.name().clone();
        self.device
            .close()
            .map_err(|error| RestoreError::Device { device, error })
    }
}

impl Read for DeviceReader {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.taken == self.filled {
            self.refill().map_err(std::io::Error::other)?;
        }
        let mut there = self.buffer.get(self.taken..self.filled).unwrap_or_default();
        let count = there.read(into)?;
        self.taken += count;
        Ok(count)
    }
}

/// The stripes of one whole set, put in order.
pub(crate) struct Set<'s> {
    source: &'s mut dyn Source,
    /// For each stripe of the set, where it was given.
    order: Vec<usize>,
    pub(crate) head: SetHead,
    number: u64,
    tail: Option<SetTail>,
}

impl<'s> Set<'s> {
    /// Reads the heads and checks that every stripe of one set is there, once.
    pub(crate) fn open(source: &'s mut dyn Source) -> Result<Self, RestoreError> {
        let given = source.stripes();
        let mut heads = Vec::with_capacity(given);
        for stripe in 0..given {
            let frame = source.next(stripe)?;
            if frame.kind != Kind::Head {
                return Err(bad(stripe, "it does not begin with a head"));
            }
            let head: SetHead = serde_json::from_slice(&frame.payload)
                .map_err(|error| bad(stripe, &format!("its head cannot be read: {error}")))?;
            heads.push(head);
        }
        let Some(first) = heads.first().cloned() else {
            return Err(Refusal::Stripes {
                expected: 1,
                found: 0,
            }
            .into());
        };
        if let Some(other) = heads.iter().position(|head| head.set != first.set) {
            let reason = format!("it is of set {}, stripe 1 is of another", first.set);
            return Err(bad(other, &reason));
        }
        let stripes = usize::from(first.stripes);
        let order: Vec<usize> = (0..first.stripes)
            .filter_map(|stripe| heads.iter().position(|head| head.stripe == stripe))
            .collect();
        if order.len() != stripes || given != stripes {
            return Err(Refusal::Stripes {
                expected: stripes,
                found: order.len().min(given),
            }
            .into());
        }
        Ok(Self {
            source,
            order,
            head: first,
            number: 0,
            tail: None,
        })
    }

    /// The next data frame; `None` after the last.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, RestoreError> {
        if self.tail.is_some() {
            return Ok(None);
        }
        let stripe = stripe_of(self.number, self.order.len());
        let frame = self.take(stripe)?;
        match frame.kind {
            Kind::Tail => {
                self.read_tails(stripe, &frame)?;
                Ok(None)
            }
            Kind::Pages | Kind::Log if frame.number == self.number => {
                self.number += 1;
                Ok(Some(frame))
            }
            _ => Err(bad(stripe, "a frame is missing or in the wrong place")),
        }
    }

    /// What the tails say; only after the last data frame.
    pub(crate) fn finish(&mut self) -> Result<SetTail, RestoreError> {
        while self.next()?.is_some() {}
        self.source.finish()?;
        self.tail.take().ok_or_else(|| bad(0, "it has no tail"))
    }

    fn read_tails(&mut self, first: usize, frame: &Frame) -> Result<(), RestoreError> {
        let tail = self.tail_of(first, frame)?;
        for stripe in 0..self.order.len() {
            if stripe != first {
                let frame = self.take(stripe)?;
                if frame.kind != Kind::Tail {
                    return Err(bad(stripe, "it goes on where the set ends"));
                }
                self.tail_of(stripe, &frame)?;
            }
        }
        self.tail = Some(tail);
        Ok(())
    }

    fn tail_of(&self, stripe: usize, frame: &Frame) -> Result<SetTail, RestoreError> {
        let tail: SetTail = serde_json::from_slice(&frame.payload)
            .map_err(|error| bad(stripe, &format!("its tail cannot be read: {error}")))?;
        if tail.set != self.head.set || tail.frames != self.number {
            return Err(bad(stripe, "its tail is that of another set"));
        }
        Ok(tail)
    }

    fn take(&mut self, stripe: usize) -> Result<Frame, RestoreError> {
        match self.order.get(stripe) {
            Some(place) => self.source.next(*place),
            None => Err(missing(stripe)),
        }
    }
}

fn bad(stripe: usize, reason: &str) -> RestoreError {
    RestoreError::Stream {
        stripe: stripe + 1,
        reason: reason.to_owned(),
    }
}
