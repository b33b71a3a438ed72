//! One device of an engine.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::request::OpenSetRequest;
use super::set::EngineCore;
use crate::buffer::Buffer;
use crate::code::{CommandCode, CompletionCode};
use crate::configuration::Configuration;
use crate::error::EngineError;
use crate::name::DeviceName;
use crate::seam::{Cause, Completion, EngineDeviceLink, RawCommand, Ticket};

/// One device of an engine: what is written to it arrives at the client as commands.
///
/// Dropping it before it was [closed](Self::close) is the abnormal end: the client sees that the
/// engine is gone, on all devices of the set.
#[derive(Debug)]
#[must_use = "dropping a device before it is closed aborts the set"]
pub struct EngineDevice {
    core: Arc<EngineCore>,
    link: Box<dyn EngineDeviceLink>,
    name: DeviceName,
    configuration: Configuration,
    timeout: Option<Duration>,
    next_ticket: u64,
    /// Tickets of commands that are not completed.
    outstanding: Vec<u64>,
    /// Sizes of the reads that are not completed.
    asked: VecDeque<usize>,
    /// Bytes that were read but not yet asked for, from `taken` on.
    rest: Vec<u8>,
    taken: usize,
    end_of_data: bool,
    failed: Option<EngineError>,
    closed: bool,
}

impl EngineDevice {
    pub(crate) fn new(
        core: Arc<EngineCore>,
        link: Box<dyn EngineDeviceLink>,
        name: DeviceName,
        configuration: Configuration,
        timeout: Option<Duration>,
    ) -> Self {
        core.open.fetch_add(1, Ordering::AcqRel);
        Self {
            core,
            link,
            name,
            configuration,
            timeout,
            next_ticket: 0,
            outstanding: Vec::with_capacity(OpenSetRequest::MAX_DEPTH),
            asked: VecDeque::new(),
            rest: Vec::new(),
            taken: 0,
            end_of_data: false,
            failed: None,
            closed: false,
        }
    }

    /// The device's name.
    pub fn name(&self) -> &DeviceName {
        &self.name
    }

    /// What the set was configured to.
    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// Writes bytes, in as many commands as they need. Commands that are not completed yet when
    /// it returns report their failure in a later call, at the latest in [`close`](Self::close).
    ///
    /// # Errors
    /// When the client failed a command, is gone, or aborted. The device is dead then.
    pub fn write(&mut self, data: &[u8]) -> Result<(), EngineError> {
        for chunk in data.chunks(self.configuration.geometry.max_len()) {
            self.write_with(chunk.len(), |room| room.copy_from_slice(chunk))?;
        }
        Ok(())
    }

    /// Writes one command of `length` bytes (at most the greatest transfer), which `fill` puts
    /// into the command's own buffer: the way without a copy.
    ///
    /// # Errors
    /// As for [`write`](Self::write).
    pub fn write_with(
        &mut self,
        length: usize,
        fill: impl FnOnce(&mut [u8]),
    ) -> Result<(), EngineError> {
        let written = self.write_some(|room| {
            let length = length.min(room.len());
            room.get_mut(..length).map(fill);
            Ok::<_, Infallible>(length)
        });
        written.map(|_| ())
    }

    /// Writes one command with what `fill` puts into the command's own buffer, from its beginning
    /// on; gives the number of bytes that it filled. If there are none, there is no command.
    ///
    /// # Errors
    /// As for [`write`](Self::write). An error of `fill` is given back inside; the device lives
    /// on then.
    pub fn write_some<E>(
        &mut self,
        fill: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<Result<usize, E>, EngineError> {
        self.check()?;
        let depth = usize::try_from(self.configuration.depth).unwrap_or(usize::MAX);
        while self.outstanding.len() >= depth {
            self.reap_one()?;
        }
        let mut buffer = self
            .link
            .buffer(self.timeout)
            .map_err(|error| self.fail(error))?;
        let size = match fill(buffer.bytes_mut()) {
            Ok(size) if size > 0 => size.min(buffer.bytes().len()),
            nothing => {
                self.link.recycle(buffer);
                return Ok(nothing);
            }
        };
        self.submit(CommandCode::WRITE, size, buffer)?;
        self.reap_ready()?;
        Ok(Ok(size))
    }

    /// Reads the next bytes of the stream, some at least; 0 is the end of the data.
    ///
    /// # Errors
    /// When the client failed a command, is gone, or aborted. The device is dead then.
    pub fn read(&mut self, into: &mut [u8]) -> Result<usize, EngineError> {
        self.check()?;
        if into.is_empty() {
            return Ok(0);
        }
        if self.taken == self.rest.len() {
            if self.end_of_data {
                return Ok(0);
            }
            return self.read_command(into);
        }
        let rest = self.rest.get(self.taken..).unwrap_or_default();
        let count = copy(rest, into);
        self.taken += count;
        Ok(count)
    }

    /// Shows `take` the next bytes of the stream where they lie, some at least; `None` is the end
    /// of the data. The way without a copy: meanwhile the client fills the next buffer, with at
    /// most `size` bytes (whole blocks, one at least).
    ///
    /// # Errors
    /// When the client failed a command, is gone, or aborted. The device is dead then.
    pub fn read_with<R>(
        &mut self,
        size: usize,
        take: impl FnOnce(&[u8]) -> R,
    ) -> Result<Option<R>, EngineError> {
        self.check()?;
        if self.taken < self.rest.len() {
            let answer = take(self.rest.get(self.taken..).unwrap_or_default());
            self.taken = self.rest.len();
            return Ok(Some(answer));
        }
        if self.end_of_data {
            return Ok(None);
        }
        if self.asked.is_empty() {
            self.ask(size)?;
        }
        let done = self.next_read()?;
        if !self.end_of_data && self.configuration.depth > 1 {
            self.ask(size)?;
        }
        let data = done.buffer.bytes().get(..done.bytes).unwrap_or_default();
        let answer = (!data.is_empty()).then(|| take(data));
        self.link.recycle(done.buffer);
        Ok(answer)
    }

    /// Has the client make everything durable that was written.
    ///
    /// # Errors
    /// When the client failed a command, is gone, or aborted. The device is dead then.
    pub fn flush(&mut self) -> Result<(), EngineError> {
        self.barrier(CommandCode::FLUSH)
    }

    /// Tells the client that the stream is whole, and waits until it finished its medium. If the
    /// set was not configured to that, this is a [`flush`](Self::flush).
    ///
    /// # Errors
    /// When the client failed a command, is gone, or aborted. The device is dead then.
    pub fn complete(&mut self) -> Result<(), EngineError> {
        if self.configuration.complete_enabled {
            self.barrier(CommandCode::COMPLETE)
        } else {
            self.barrier(CommandCode::FLUSH)
        }
    }

    /// Sends any other command without data and gives its completion, which is no error here.
    ///
    /// # Errors
    /// When the client is gone or aborted, or an earlier command failed.
    pub fn command(&mut self, code: CommandCode) -> Result<CompletionCode, EngineError> {
        self.drain()?;
        self.submit(code, 0, Buffer::None)?;
        Ok(self.next_completion()?.code)
    }

    /// The normal end of the device, after all commands were completed.
    ///
    /// # Errors
    /// When the client failed a command, is gone, or aborted; the set is aborted then.
    pub fn close(mut self) -> Result<(), EngineError> {
        self.drain()?;
        self.link.close().map_err(|error| self.fail(error))?;
        self.closed = true;
        self.core.open.fetch_sub(1, Ordering::AcqRel);
        Ok(())
    }

    fn read_command(&mut self, into: &mut [u8]) -> Result<usize, EngineError> {
        if self.asked.is_empty() {
            self.ask(into.len())?;
        }
        let done = self.next_read()?;
        let data = done.buffer.bytes().get(..done.bytes).unwrap_or_default();
        let count = copy(data, into);
        self.rest.clear();
        self.rest
            .extend_from_slice(data.get(count..).unwrap_or_default());
        self.taken = 0;
        self.link.recycle(done.buffer);
        Ok(count)
    }

    /// Asks for the next bytes of the stream: as many whole blocks as fit into `room`.
    fn ask(&mut self, room: usize) -> Result<(), EngineError> {
        let geometry = self.configuration.geometry;
        let block = geometry.block_size() as usize;
        let blocks = (room / block).max(1);
        let size = (blocks * block).min(geometry.max_len());
        let buffer = self
            .link
            .buffer(self.timeout)
            .map_err(|error| self.fail(error))?;
        self.submit(CommandCode::READ, size, buffer)?;
        self.asked.push_back(size);
        Ok(())
    }

    /// Waits for the oldest bytes that were asked for.
    fn next_read(&mut self) -> Result<Completion, EngineError> {
        let done = self.next_completion()?;
        let size = self.asked.pop_front().unwrap_or_default();
        if !done.code.is_success() && !done.code.is_end_of_data() {
            return Err(self.fail(failed(&done)));
        }
        if done.bytes > size || done.bytes > done.buffer.bytes().len() {
            let reason = format!("a read of {size} bytes completed with {}", done.bytes);
            return Err(self.fail(EngineError::Protocol { reason }));
        }
        self.end_of_data = done.code.is_end_of_data() || done.bytes == 0;
        Ok(done)
    }

    fn barrier(&mut self, code: CommandCode) -> Result<(), EngineError> {
        self.drain()?;
        self.submit(code, 0, Buffer::None)?;
        self.reap_one()
    }

    fn submit(
        &mut self,
        code: CommandCode,
        size: usize,
        buffer: Buffer,
    ) -> Result<(), EngineError> {
        let number = self.next_ticket;
        self.next_ticket = self.next_ticket.wrapping_add(1);
        let command = RawCommand {
            code,
            size,
            ticket: Ticket::Number(number),
            buffer,
        };
        self.link
            .submit(command)
            .map_err(|error| self.fail(error))?;
        self.outstanding.push(number);
        Ok(())
    }

    /// Waits until nothing is outstanding.
    fn drain(&mut self) -> Result<(), EngineError> {
        self.check()?;
        while !self.outstanding.is_empty() {
            self.reap_one()?;
        }
        Ok(())
    }

    fn reap_one(&mut self) -> Result<(), EngineError> {
        let done = self.next_completion()?;
        self.settle(done)
    }

    /// Takes note of what was completed, without waiting.
    fn reap_ready(&mut self) -> Result<(), EngineError> {
        while !self.outstanding.is_empty() {
            match self.link.reap(Some(Duration::ZERO)) {
                Ok(None) => break,
                Ok(Some(done)) => {
                    self.strike(&done)?;
                    self.settle(done)?;
                }
                Err(error) => return Err(self.fail(error)),
            }
        }
        Ok(())
    }

    fn next_completion(&mut self) -> Result<Completion, EngineError> {
        match self.link.reap(self.timeout) {
            Ok(Some(done)) => {
                self.strike(&done)?;
                Ok(done)
            }
            Ok(None) => {
                let limit = self.timeout.unwrap_or_default();
                Err(self.fail(EngineError::Timeout { limit }))
            }
            Err(error) => Err(self.fail(error)),
        }
    }

    /// Takes a completed command from the list; it has to be there.
    fn strike(&mut self, done: &Completion) -> Result<(), EngineError> {
        let mut numbers = self.outstanding.iter();
        let found = numbers.position(|&number| done.ticket == Ticket::Number(number));
        let Some(index) = found else {
            let reason = "it completed a command that was not outstanding".into();
            return Err(self.fail(EngineError::Protocol { reason }));
        };
        self.outstanding.swap_remove(index);
        Ok(())
    }

    fn settle(&mut self, done: Completion) -> Result<(), EngineError> {
        // A read that nobody waits for any more may well have come to the end.
        let unread = done.command == CommandCode::READ && self.asked.pop_front().is_some();
        if !done.code.is_success() && !(unread && done.code.is_end_of_data()) {
            return Err(self.fail(failed(&done)));
        }
        self.link.recycle(done.buffer);
        Ok(())
    }

    /// A command that the client failed before the set ended: that says more than the end.
    fn failure_before(&mut self) -> Option<EngineError> {
        for _ in 0..self.outstanding.len() {
            let done = self.link.reap(Some(Duration::ZERO)).ok()??;
            if !done.code.is_success() && !done.code.is_end_of_data() {
                return Some(failed(&done));
            }
        }
        None
    }

    fn check(&self) -> Result<(), EngineError> {
        self.failed.clone().map_or(Ok(()), Err)
    }

    /// The device is dead from now on, and with it the set.
    fn fail(&mut self, error: EngineError) -> EngineError {
        let error = match error {
            EngineError::Aborted | EngineError::ClientLost => {
                self.failure_before().unwrap_or(error)
            }
            error => error,
        };
        if self.failed.is_none() {
            self.failed = Some(error.clone());
            self.core.link.abort(Cause::Asked);
        }
        error
    }
}

impl Drop for EngineDevice {
    fn drop(&mut self) {
        if !self.closed {
            self.core.link.abort(Cause::Abandoned);
        }
    }
}

fn failed(done: &Completion) -> EngineError {
    EngineError::Failed {
        command: done.command,
        code: done.code,
    }
}

/// Copies as many bytes as both have.
fn copy(from: &[u8], to: &mut [u8]) -> usize {
    let count = from.len().min(to.len());
    if let (Some(from), Some(to)) = (from.get(..count), to.get_mut(..count)) {
        to.copy_from_slice(from);
    }
    count
}
