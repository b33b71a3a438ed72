//! What the source sends, and what follows from it.

use super::stream::TargetStream;
use super::{Event, Phase, Target};
use crate::Block;
use crate::proto::control::Control;
use crate::proto::moment::Moment;
use crate::proto::violation::Violation;

impl Target {
    pub(super) fn handle_block(&mut self, block: Block) -> Result<(), Violation> {
        match &self.phase {
            // What was on its way when the session failed.
            Phase::Aborting { .. } | Phase::Over => return Ok(()),
            Phase::Open if self.link.is_up() => {}
            _ => return Err(Violation::unexpected("Block", "no block may come")),
        }
        if block.header.session != self.session {
            return Err(Violation::Session {
                expected: self.session,
                got: block.header.session,
            });
        }
        self.streams.at(block.header.stream)?.block(&block.header)?;
        self.events.push_back(Event::Write(block));
        Ok(())
    }

    pub(super) fn handle_control(
        &mut self,
        now: Moment,
        control: Control,
    ) -> Result<(), Violation> {
        match control {
            Control::Ping { nonce } => self.control.push_back(Control::Pong { nonce }),
            Control::Pong { .. } => {}
            _ if matches!(self.phase, Phase::Aborting { .. } | Phase::Over) => {}
            Control::Abort { reason } => self.fail(format!("ended by the source: {reason}")),
            Control::EndStream { stream, total } if matches!(self.phase, Phase::Open) => {
                self.streams.at(stream)?.end(total)?;
                self.tell_durable();
                self.sync_if_due(now);
            }
            Control::Sync { stream } if matches!(self.phase, Phase::Open) => {
                self.streams.at(stream)?.want_sync();
                self.sync_if_due(now);
            }
            Control::Commit { facts } => self.handle_commit(facts)?,
            Control::Close if matches!(self.phase, Phase::Committed { .. }) => self.over(),
            other => return Err(Violation::unexpected(other.name(), "receiving a backup")),
        }
        Ok(())
    }

    fn handle_commit(&mut self, facts: Vec<u8>) -> Result<(), Violation> {
        match &self.phase {
            Phase::Open if self.streams.iter().all(TargetStream::safe) => {
                let ends = self
                    .streams
                    .numbered()
                    .map(|(number, at)| at.total().end(number))
                    .collect();
                self.events.push_back(Event::Commit { facts, ends });
                self.phase = Phase::Committing;
                Ok(())
            }
            // The source asks again after a reconnect.
            Phase::Committing => Ok(()),
            Phase::Committed { receipt } => {
                self.control.push_back(Control::Committed {
                    receipt: receipt.clone(),
                });
                Ok(())
            }
            _ => Err(Violation::unexpected("Commit", "streams are not safe yet")),
        }
    }
}
