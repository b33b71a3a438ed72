//! The thread of one device during a backup.

use std::sync::Arc;

use tokio::sync::mpsc;
use uuid::Uuid;
use vab_format::block::BlockHeader;
use vab_vdi::{Command, CompletionCode, Device, DeviceError, Event};

use super::backup_driver::Order;
use super::board::Board;
use super::error::StreamError;
use super::progress::Progress;
use crate::Block;
use crate::pool::{Buffer, Pool};
use crate::proto::Position;

/// Gathers what a device writes into blocks and hands them to the session.
pub(super) struct Saver {
    pub(super) session: Uuid,
    pub(super) stream: u16,
    pub(super) block_size: usize,
    pub(super) pool: Arc<Pool>,
    pub(super) board: Arc<Board>,
    pub(super) orders: mpsc::Sender<Order>,
    pub(super) progress: Arc<dyn Fn(Progress) + Send + Sync>,
    pub(super) at: Position,
    pub(super) open: Option<Buffer>,
}

impl Saver {
    /// Serves the device until the engine closes it. Gives the totals of the stream.
    pub(super) fn run(mut self, device: &Device) -> Result<Position, StreamError> {
        loop {
            match device.next_command(None)? {
                Event::Command(Command::Write(write)) => {
                    if let Err(error) = self.take(write.data()) {
                        write.fail(CompletionCode::OPERATION_ABORTED)?;
                        return Err(error);
                    }
                    write.complete()?;
                }
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
                    self.order(Order::Finish {
                        stream: self.stream,
                    })?;
                    return Ok(self.at);
                }
            }
        }
    }

    /// Copies bytes of the engine; its buffer may not be kept.
    fn take(&mut self, mut data: &[u8]) -> Result<(), StreamError> {
        while !data.is_empty() {
            let mut buffer = match self.open.take() {
                Some(buffer) => buffer,
                None => self
                    .pool
                    .wait(self.block_size)
                    .ok_or(StreamError::SessionOver)?,
            };
            let room = self.block_size.saturating_sub(buffer.bytes().len());
            let (now, later) = data.split_at(room.min(data.len()));
            buffer.bytes_mut().extend_from_slice(now);
            data = later;
            let full = buffer.bytes().len() >= self.block_size;
            self.open = Some(buffer);
            if full {
                self.emit()?;
            }
        }
        Ok(())
    }

    /// Hands over what was gathered.
    fn emit(&mut self) -> Result<(), StreamError> {
        let Some(buffer) = self.open.take() else {
            return Ok(());
        };
        let Position { blocks, bytes, .. } = self.at;
        let header = BlockHeader::for_raw(self.session, self.stream, blocks, bytes, buffer.bytes());
        let block = Block {
            header,
            payload: buffer.freeze(),
        };
        // The position is ours: the block is the next one by construction.
        self.at
            .advance(&block.header)
            .map_err(|_| StreamError::SessionOver)?;
        self.order(Order::Push(block))?;
        (self.progress)(Progress {
            stream: self.stream,
            bytes: self.at.bytes,
            blocks: self.at.blocks,
        });
        Ok(())
    }

    fn make_durable(&mut self) -> Result<(), StreamError> {
        self.emit()?;
        self.order(Order::Flush {
            stream: self.stream,
        })?;
        if self.board.wait_durable(self.stream, self.at.blocks) {
            Ok(())
        } else {
            Err(StreamError::SessionOver)
        }
    }

    fn order(&self, order: Order) -> Result<(), StreamError> {
        self.orders
            .blocking_send(order)
            .map_err(|_| StreamError::SessionOver)
    }
}

impl StreamError {
    /// Whether the stream ended because something else did.
    pub(super) const fn is_consequence(&self) -> bool {
        matches!(self, Self::SessionOver | Self::Device(DeviceError::Aborted))
    }
}
