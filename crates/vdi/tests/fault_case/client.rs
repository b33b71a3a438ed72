//! The client of a case: it serves its devices, and brings the fault about.

use std::io::{self, Read};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use vab_vdi::serve::{self, ServeError, Sink};
use vab_vdi::{
    AbortHandle, Command, CompletionCode, ConfiguredSet, Device, DeviceError, Direction, Event,
};

use super::{Case, ClientEnd, Fault, Outcome, PIECE, PIECES, Shared, Stage};
use crate::common::LIMIT;

pub(super) fn run(case: Case, set: ConfiguredSet, shared: &Arc<Shared>, outcome: &mut Outcome) {
    shared.engine_here.wait();
    if case.happens(Stage::Configured) {
        if case.fault == Fault::ClientDies(Stage::Configured) {
            drop(set);
            outcome.open = Some(ClientEnd::Died);
            return;
        }
        bring_about(case, shared, &set.abort_handle());
    }
    let (set, devices) = match set.open() {
        Ok(opened) => opened,
        Err(error) => {
            outcome.open = Some(ClientEnd::from(&error));
            return;
        }
    };
    outcome.client = thread::scope(|scope| {
        let devices = devices.into_iter().enumerate();
        let threads: Vec<_> = devices
            .map(|(index, device)| {
                scope.spawn(move || {
                    Server {
                        case,
                        shared,
                        index,
                    }
                    .serve(device)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    outcome.closed.0 = set.close().is_ok();
}

/// Does what the fault is, as far as it is not the serving thread's own doing.
fn bring_about(case: Case, shared: &Shared, abort: &AbortHandle) {
    match case.fault {
        Fault::EngineDies(_) => drop(shared.engine.lock().unwrap().take()),
        Fault::EngineAborts(_) => {
            if let Some(set) = &*shared.engine.lock().unwrap() {
                set.abort();
            }
        }
        Fault::ClientAborts(_) => abort.abort(),
        Fault::Timeout(Stage::Open) => {}
        Fault::Timeout(_) => shared.engine_over.wait(),
        _ => {}
    }
}

/// Serves one device.
struct Server<'a> {
    case: Case,
    shared: &'a Shared,
    index: usize,
}

impl Server<'_> {
    fn serve(&self, device: Device) -> ClientEnd {
        if self.index == 0 && self.case.happens(Stage::Open) {
            if self.case.fault == Fault::ClientDies(Stage::Open) {
                drop(device);
                self.shared.go.set();
                return ClientEnd::Died;
            }
            if self.case.fault == Fault::Timeout(Stage::Open) {
                let event = device.next_command(Some(Duration::from_millis(1)));
                assert!(matches!(event, Ok(Event::TimedOut)), "the engine waits");
            }
            bring_about(self.case, self.shared, &device.abort_handle());
            self.shared.go.set();
        }
        if self.case.fault == Fault::SinkFull && self.index == 0 {
            return self.serve_full(&device);
        }
        match self.commands(&device) {
            Ok(true) => ClientEnd::Died,
            Ok(false) => ClientEnd::Ended,
            Err(error) => ClientEnd::from(&error),
        }
    }

    /// Serves all commands; true when the client shall die here.
    fn commands(&self, device: &Device) -> Result<bool, DeviceError> {
        let (mut transfers, mut flushes) = (0, 0);
        loop {
            let Event::Command(command) = device.next_command(Some(LIMIT))? else {
                return Ok(false);
            };
            match &command {
                Command::Write(_) | Command::Read(_) => transfers += 1,
                Command::Flush(_) | Command::Complete(_) => flushes += 1,
            }
            let third = transfers == 3 && flushes == 0;
            if third && self.case.fault == Fault::DeviceFails(self.index) {
                fail(command)?;
                continue;
            }
            let here = (third && self.case.happens(Stage::Transfer))
                || (flushes == 1 && self.case.happens(Stage::Barrier));
            if here && self.index == 0 {
                if let Fault::ClientDies(_) = self.case.fault {
                    return Ok(true);
                }
                bring_about(self.case, self.shared, &device.abort_handle());
            }
            complete(command, transfers)?;
        }
    }

    fn serve_full(&self, device: &Device) -> ClientEnd {
        let result = match self.case.direction {
            Direction::Backup => serve::backup(device, &mut Full(2 * PIECE), Some(LIMIT)),
            Direction::Restore => {
                let mut source = io::repeat(1)
                    .take(u64::try_from(2 * PIECE).unwrap())
                    .chain(Broken);
                serve::restore(device, &mut source, Some(LIMIT))
            }
        };
        match result {
            Ok(_) => ClientEnd::Ended,
            Err(ServeError::Storage { .. }) => ClientEnd::Storage,
            Err(ServeError::Device(error)) => ClientEnd::from(&error),
            Err(_) => ClientEnd::Other,
        }
    }
}

fn fail(command: Command<'_>) -> Result<(), DeviceError> {
    match command {
        Command::Write(write) => write.fail(CompletionCode::WRITE_FAULT),
        Command::Read(read) => read.fail(CompletionCode::READ_FAULT),
        Command::Flush(flush) => flush.fail(CompletionCode::WRITE_FAULT),
        Command::Complete(complete) => complete.fail(CompletionCode::WRITE_FAULT),
    }
}

fn complete(command: Command<'_>, transfers: usize) -> Result<(), DeviceError> {
    match command {
        Command::Write(write) => write.complete(),
        Command::Read(read) if transfers > PIECES => read.complete_end_of_data(0),
        Command::Read(mut read) => {
            read.buffer().fill(1);
            let size = read.size();
            read.complete(size)
        }
        Command::Flush(flush) => flush.complete(),
        Command::Complete(complete) => complete.complete(),
    }
}

/// A sink with room for so many bytes.
struct Full(usize);

impl Sink for Full {
    fn write(&mut self, data: &[u8]) -> io::Result<()> {
        match self.0.checked_sub(data.len()) {
            Some(left) => {
                self.0 = left;
                Ok(())
            }
            None => Err(io::ErrorKind::StorageFull.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A source that cannot be read.
struct Broken;

impl Read for Broken {
    fn read(&mut self, _into: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::InvalidData.into())
    }
}
