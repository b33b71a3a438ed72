//! One device of an asynchronous client.

use std::io;
use std::thread;

use async_channel::{Receiver, Sender, bounded};

use super::command::Command;
use super::worker::{Said, Verdict, Worker};
use crate::buffer::Buffer;
use crate::client::{self, AbortHandle};
use crate::code::CompletionCode;
use crate::configuration::Configuration;
use crate::error::DeviceError;
use crate::name::DeviceName;

/// One open device, and the thread that serves it.
///
/// Dropping it before it has ended aborts its set.
#[derive(Debug)]
pub struct Device {
    name: DeviceName,
    configuration: Configuration,
    abort: AbortHandle,
    said: Receiver<Said>,
    verdicts: Sender<Verdict>,
    answers: Receiver<Result<(), DeviceError>>,
    stage: Stage,
}

/// What the thread does.
#[derive(Debug, Clone)]
enum Stage {
    /// It waits for a command.
    Waiting,
    /// It waits for a verdict on the command that was given to the program.
    Given,
    /// It carries the verdict out.
    Answering,
    /// It has ended.
    Ended(Result<(), DeviceError>),
}

/// What a device has to say.
#[derive(Debug)]
pub enum Event<'d> {
    /// A command to serve.
    Command(Command<'d>),
    /// The engine closed the device: the normal end. It stays the answer from now on.
    Ended,
}

impl Device {
    /// Gives a device a thread of its own.
    ///
    /// # Errors
    /// When the system has no thread for it; the set is aborted then.
    pub fn new(device: client::Device) -> io::Result<Self> {
        let (say, said) = bounded(1);
        let (judge, verdicts) = bounded(1);
        let (answer, answers) = bounded(1);
        let worker = Worker {
            said: say,
            verdicts,
            answers: answer,
        };
        let this = Self {
            name: device.name().clone(),
            configuration: *device.configuration(),
            abort: device.abort_handle(),
            said,
            verdicts: judge,
            answers,
            stage: Stage::Waiting,
        };
        thread::Builder::new()
            .name(format!("vdi {}", this.name))
            .spawn(move || worker.run(device))?;
        Ok(this)
    }

    /// The device's name.
    pub fn name(&self) -> &DeviceName {
        &self.name
    }

    /// What the set was configured to.
    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// A handle that aborts the set from anywhere.
    pub fn abort_handle(&self) -> AbortHandle {
        self.abort.clone()
    }

    /// Waits for the next command. If the future is dropped, the command stays for the next call.
    ///
    /// # Errors
    /// When the set was aborted, the engine is gone, or it broke the rules. The device is dead
    /// then and gives the same error again.
    pub async fn next_command(&mut self) -> Result<Event<'_>, DeviceError> {
        if let Stage::Ended(end) = &self.stage {
            return end.clone().map(|()| Event::Ended);
        }
        // The end of an earlier command that nobody waited for. Its error comes back below.
        let _ = self.answered().await;
        match self.said.recv().await {
            Ok(Said::Command(given)) => {
                self.stage = Stage::Given;
                Ok(Event::Command(Command::new(self, given)))
            }
            Ok(Said::Ended) => {
                self.stage = Stage::Ended(Ok(()));
                Ok(Event::Ended)
            }
            Ok(Said::Failed(error)) => self.dead(error),
            // Its thread is gone without a word.
            Err(_) => self.dead(DeviceError::Aborted),
        }
    }

    /// Tells the thread what becomes of the command that it gave.
    pub(super) fn judge(&mut self, verdict: Verdict) {
        if matches!(self.stage, Stage::Given) {
            self.stage = Stage::Answering;
            // The thread waits for it, and there is room for it. If the thread is gone, that is
            // seen by whoever waits for an answer.
            let _ = self.verdicts.try_send(verdict);
        }
    }

    /// Waits until the last verdict was carried out.
    pub(super) async fn answered(&mut self) -> Result<(), DeviceError> {
        // A command that was leaked cannot be reached any more: its borrow has ended.
        self.judge(Verdict {
            code: CompletionCode::OPERATION_ABORTED,
            bytes: 0,
            buffer: Buffer::None,
        });
        if !matches!(self.stage, Stage::Answering) {
            return Ok(());
        }
        let answer = self.answers.recv().await;
        self.stage = Stage::Waiting;
        answer.unwrap_or(Err(DeviceError::Aborted))
    }

    fn dead<T>(&mut self, error: DeviceError) -> Result<T, DeviceError> {
        self.stage = Stage::Ended(Err(error.clone()));
        Err(error)
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        if !matches!(self.stage, Stage::Ended(_)) {
            // Wakes the thread, which then finds that nobody listens.
            self.abort.abort();
        }
    }
}
