//! The thread of one device during a backup.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc;
use uuid::Uuid;
use vab_format::block::BlockHeader;
use vab_format::limits::ENCRYPTION_OVERHEAD;
use vab_vdi::{Command, CompletionCode, Device, DeviceError, Event, TakenWrite, WriteCommand};

use super::backup_driver::Order;
use super::board::Board;
use super::budget::Permit;
use super::coders::{Coders, Job};
use super::error::StreamError;
use super::gauge::Gauge;
use super::lane::Lane;
use super::lent;
use super::progress::Progress;
use super::tap::Tap;
use crate::Block;
use crate::checksum;
use crate::pool::{Buffer, Pool};
use crate::proto::Position;

/// Gathers what a device writes into blocks and hands them to the session.
pub(super) struct Saver {
    pub(super) session: Uuid,
    pub(super) stream: u16,
    pub(super) block_size: usize,
    pub(super) way: Way,
    pub(super) tap: Option<Tap>,
    pub(super) board: Arc<Board>,
    pub(super) orders: mpsc::Sender<Order>,
    pub(super) progress: Arc<dyn Fn(Progress) + Send + Sync>,
    pub(super) at: Position,
    pub(super) open: Option<Open>,
}

/// How bytes become blocks.
#[derive(Clone)]
pub(super) enum Way {
    /// The buffer that they are gathered in, or the engine's own, is the payload.
    Plain { pool: Arc<Pool> },
    /// Coders make the payload of it.
    Coded {
        lane: Arc<Lane>,
        coders: Coders,
        gauge: Arc<Gauge>,
    },
}

/// A block that is being gathered.
pub(super) struct Open {
    buffer: Buffer,
    /// The checksum of the bytes, if the buffer is the payload.
    crc: u32,
    permit: Option<Permit>,
}

/// Bytes that are copied at a time, so that they are still in the processor when their checksum
/// is taken.
const STRIDE: usize = 64 * 1024;

impl Saver {
    /// Serves the device until the engine closes it. Gives the totals of the stream.
    pub(super) fn run(mut self, device: &Device) -> Result<Position, StreamError> {
        // What is kept takes the memory of the greatest transfer; that has to be what a block has.
        let transfer = usize::try_from(device.configuration().geometry.max_transfer());
        if transfer == Ok(self.block_size) {
            device.keep_at_most(self.way.lendable());
        }
        loop {
            match device.next_command(None)? {
                Event::Command(Command::Write(write)) => self.save(write)?,
                Event::Command(Command::Flush(flush)) => match self.make_durable() {
                    Ok(()) => flush.complete()?,
                    Err(error) => {
                        flush.fail(CompletionCode::OPERATION_ABORTED)?;
                        return Err(error);
                    }
                },
                Event::Command(Command::Complete(complete)) => match self.make_durable() {
                    Ok(()) => complete.complete()?,
                    Err(error) => {
                        complete.fail(CompletionCode::OPERATION_ABORTED)?;
                        return Err(error);
                    }
                },
                Event::Command(Command::Read(read)) => {
                    read.fail(CompletionCode::NOT_SUPPORTED)?;
                    return Err(StreamError::Unexpected {
                        asked: "read",
                        during: "backup",
                    });
                }
                Event::TimedOut => {}
                Event::Ended => {
                    self.emit()?;
                    return self.finish();
                }
            }
        }
    }

    /// Serves a command. Bytes that are a block as they are stay where they lie, if that may be;
    /// others are copied.
    fn save(&mut self, mut write: WriteCommand<'_>) -> Result<(), StreamError> {
        if let Some(tap) = &mut self.tap {
            tap(write.data());
        }
        if self.open.is_none() && write.data().len() == self.block_size {
            match self.way.keep(write) {
                Ok((payload, taken)) => {
                    let crc = checksum::crc32c(&payload);
                    if let Err(error) = self.push(payload, crc) {
                        taken.fail(CompletionCode::OPERATION_ABORTED)?;
                        return Err(error);
                    }
                    self.tell();
                    return Ok(taken.complete()?);
                }
                Err(back) => write = back,
            }
        }
        if let Err(error) = self.take(write.data()) {
            write.fail(CompletionCode::OPERATION_ABORTED)?;
            return Err(error);
        }
        Ok(write.complete()?)
    }

    /// Copies bytes of the engine, whose buffer is not kept.
    fn take(&mut self, mut data: &[u8]) -> Result<(), StreamError> {
        while !data.is_empty() {
            let mut open = match self.open.take() {
                Some(open) => open,
                None => self.way.open(self.block_size)?,
            };
            let room = self.block_size.saturating_sub(open.buffer.bytes().len());
            let (now, later) = data.split_at(room.min(data.len()));
            open.gather(now);
            data = later;
            let full = open.buffer.bytes().len() >= self.block_size;
            self.open = Some(open);
            if full {
                self.emit()?;
            }
        }
        Ok(())
    }

    /// Hands over what was gathered.
    fn emit(&mut self) -> Result<(), StreamError> {
        let Some(open) = self.open.take() else {
            return Ok(());
        };
        let Open {
            buffer,
            crc,
            permit,
        } = open;
        match permit {
            Some(permit) => self.encode(buffer, permit)?,
            None => self.push(buffer.freeze(), crc)?,
        }
        self.tell();
        Ok(())
    }

    fn tell(&self) {
        (self.progress)(Progress {
            stream: self.stream,
            bytes: self.at.bytes,
            blocks: self.at.blocks,
        });
    }

    /// The bytes are the payload.
    fn push(&mut self, payload: Bytes, crc: u32) -> Result<(), StreamError> {
        let Position { blocks, bytes, .. } = self.at;
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        let header =
            BlockHeader::for_checksum(self.session, self.stream, blocks, bytes, (length, crc));
        let block = Block {
            header,
            payload: payload.into(),
        };
        // The position is ours: the block is the next one by construction.
        self.at
            .advance(&block.header)
            .map_err(|_| StreamError::SessionOver)?;
        self.order(Order::Push(block))
    }

    /// A coder makes the payload. What it stores and the checksum are counted behind it.
    fn encode(&mut self, raw: Buffer, permit: Permit) -> Result<(), StreamError> {
        let Way::Coded { lane, coders, .. } = &self.way else {
            return Err(StreamError::SessionOver);
        };
        let Position { blocks, bytes, .. } = self.at;
        let length = u64::try_from(raw.bytes().len()).unwrap_or(u64::MAX);
        coders.encode(Job {
            lane: Arc::clone(lane),
            sequence: blocks,
            offset: bytes,
            raw,
            permit,
        });
        self.at.blocks += 1;
        self.at.bytes += length;
        Ok(())
    }

    fn make_durable(&mut self) -> Result<(), StreamError> {
        self.emit()?;
        self.way.wait_sent(self.at.blocks)?;
        self.order(Order::Flush {
            stream: self.stream,
        })?;
        if self.board.wait_durable(self.stream, self.at.blocks) {
            Ok(())
        } else {
            Err(StreamError::SessionOver)
        }
    }

    /// Tells the session that the stream is over. Gives its totals.
    fn finish(mut self) -> Result<Position, StreamError> {
        let mut masked_crc = None;
        self.way.wait_sent(self.at.blocks)?;
        if let Way::Coded { lane, .. } = &self.way {
            (self.at, masked_crc) = lane.end()?;
        }
        self.order(Order::Finish {
            stream: self.stream,
            masked_crc,
        })?;
        Ok(self.at)
    }

    fn order(&self, order: Order) -> Result<(), StreamError> {
        self.orders
            .blocking_send(order)
            .map_err(|_| StreamError::SessionOver)
    }
}

impl Open {
    /// Copies bytes behind those that are there.
    fn gather(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(STRIDE) {
            self.buffer.extend(piece);
            if self.permit.is_none() {
                self.crc = checksum::append(self.crc, piece);
            }
        }
    }
}

impl Way {
    /// Waits for room for the next block.
    fn open(&self, block_size: usize) -> Result<Open, StreamError> {
        match self {
            Self::Plain { pool } => Ok(Open {
                buffer: pool.wait(block_size).ok_or(StreamError::SessionOver)?,
                crc: 0,
                permit: None,
            }),
            Self::Coded {
                lane,
                coders,
                gauge,
            } => {
                let (permit, at_once) = lane.room(cost(block_size))?;
                if !at_once {
                    gauge.device_waited(coders.waiting());
                }
                Ok(Open {
                    buffer: coders.buffer(block_size),
                    crc: 0,
                    permit: Some(permit),
                })
            }
        }
    }

    /// How many buffers of a device may be kept.
    fn lendable(&self) -> usize {
        match self {
            Self::Plain { pool } => pool.limit(),
            // A coder needs its own, with room around the bytes for what encryption adds.
            Self::Coded { .. } => 0,
        }
    }

    /// Keeps the bytes of a command, when there is room for a block; gives it back if they have to
    /// be copied.
    fn keep<'d>(
        &self,
        write: WriteCommand<'d>,
    ) -> Result<(Bytes, TakenWrite<'d>), WriteCommand<'d>> {
        match self {
            Self::Plain { pool } => lent::keep(pool, write),
            Self::Coded { .. } => Err(write),
        }
    }

    /// Waits until all blocks that were handed over are with the session.
    fn wait_sent(&self, blocks: u64) -> Result<(), StreamError> {
        match self {
            Self::Plain { .. } => Ok(()),
            Self::Coded { lane, .. } => lane.wait_sent(blocks),
        }
    }

    /// Lets nobody wait any more.
    fn close(&self) {
        match self {
            Self::Plain { pool } => pool.close(),
            Self::Coded { lane, .. } => lane.close(),
        }
    }
}

/// The ways of all streams, so that nobody waits at them when the session is over.
#[derive(Clone, Default)]
pub(super) struct Ways(Arc<Mutex<Vec<Way>>>);

impl Ways {
    pub(super) fn open(&self, ways: Vec<Way>) {
        *self.lock() = ways;
    }

    /// The way of a stream; one that is closed when the session is over.
    pub(super) fn of(&self, stream: u16) -> Way {
        let way = self.lock().get(usize::from(stream)).cloned();
        way.unwrap_or_else(|| {
            let pool = Pool::new(0);
            pool.close();
            Way::Plain { pool }
        })
    }

    /// Lets nobody wait any more.
    pub(super) fn close(&self) {
        let ways = std::mem::take(&mut *self.lock());
        for way in ways {
            way.close();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Way>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The most bytes that a block of `raw` bytes takes, whatever is done to it.
pub(super) fn cost(raw: usize) -> u64 {
    u64::try_from(raw)
        .unwrap_or(u64::MAX)
        .saturating_add(ENCRYPTION_OVERHEAD.into())
}

impl StreamError {
    /// Whether the stream ended because something else did.
    pub(super) const fn is_consequence(&self) -> bool {
        matches!(self, Self::SessionOver | Self::Device(DeviceError::Aborted))
    }
}
