//! The thread of a device.

use async_channel::{Receiver, Sender};

use crate::buffer::Buffer;
use crate::client;
use crate::code::{CommandCode, CompletionCode};
use crate::error::DeviceError;
use crate::seam::{Completion, RawCommand};

/// What the thread has to say. There is never more than one that was not taken.
#[derive(Debug)]
pub(super) enum Said {
    Command(Given),
    Ended,
    Failed(DeviceError),
}

/// A command, without what only the thread needs.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) code: CommandCode,
    pub(super) size: usize,
    pub(super) buffer: Buffer,
}

/// What becomes of the command.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) code: CompletionCode,
    pub(super) bytes: usize,
    pub(super) buffer: Buffer,
}

/// The thread's ends of the channels.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) said: Sender<Said>,
    pub(super) verdicts: Receiver<Verdict>,
    pub(super) answers: Sender<Result<(), DeviceError>>,
}

impl Worker {
    /// Serves the device until it ends, or nobody listens any more.
    ///
    /// While a command is given away the device counts it as held, so that its memory stays.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the device ends with its thread, and aborts its set if it had not ended"
    )]
    pub(super) fn run(self, device: client::Device) {
        loop {
            let raw = match device.next_command(None) {
                Ok(client::Event::Command(command)) => command.detach(),
                Ok(client::Event::TimedOut) => continue,
                Ok(client::Event::Ended) => {
                    // Whoever does not listen does not want to know.
                    let _ = self.said.send_blocking(Said::Ended);
                    return;
                }
                Err(error) => {
                    let _ = self.said.send_blocking(Said::Failed(error));
                    return;
                }
            };
            let RawCommand {
                code,
                size,
                ticket,
                buffer,
            } = raw;
            let given = Said::Command(Given { code, size, buffer });
            let listened = self.said.send_blocking(given).is_ok();
            let verdict = self.verdicts.recv_blocking();
            // Without a verdict, the other side is gone, and with it the command.
            let verdict = verdict.ok().filter(|_| listened).unwrap_or(Verdict {
                code: CompletionCode::OPERATION_ABORTED,
                bytes: 0,
                buffer: Buffer::None,
            });
            let result = device.complete(Completion {
                ticket,
                command: code,
                code: verdict.code,
                bytes: verdict.bytes,
                buffer: verdict.buffer,
            });
            if self.answers.send_blocking(result).is_err() {
                return;
            }
        }
    }
}
