//! What the target says, and what follows from it.

use uuid::Uuid;

use super::ending::Phase;
use super::{Event, Source};
use crate::proto::control::{Control, StreamState};
use crate::proto::failure::Failure;
use crate::proto::keys::key_area;
use crate::proto::moment::Moment;
use crate::proto::violation::Violation;
use crate::{Refusal, RefusalKind};

impl Source {
    pub(super) fn handle_opening(
        &mut self,
        now: Moment,
        control: Control,
    ) -> Result<(), Violation> {
        match control {
            Control::Begun {
                session,
                window,
                keys,
            } if self.session.is_none() => {
                let keys = key_area(&keys)?;
                let session = Uuid::from_bytes(session);
                self.session = Some(session);
                for stream in self.streams.iter_mut() {
                    stream.open(window);
                }
                self.link.up();
                // The target keeps a session over a cut only after it heard of the source again.
                self.link.say(Control::Ping { nonce: 0 });
                self.events.push_back(Event::Begun { session, keys });
                Ok(())
            }
            Control::Resumed { streams, window } if self.session.is_some() => {
                self.link.up();
                if self.resume(&streams, window)? {
                    let outage = self.link.recovered(now);
                    self.events.push_back(Event::Resumed { outage });
                }
                Ok(())
            }
            Control::Refused { kind, message } => {
                self.refused(now, Refusal::new(RefusalKind::from_number(kind), message));
                Ok(())
            }
            Control::Committed { .. } if self.session.is_some() => self.handle_up(control),
            Control::Ping { .. } | Control::Pong { .. } | Control::Abort { .. } => {
                self.handle_up(control)
            }
            other => Err(Violation::unexpected(other.name(), "opening a session")),
        }
    }

    pub(super) fn handle_up(&mut self, control: Control) -> Result<(), Violation> {
        match control {
            Control::Ping { nonce } => self.link.say(Control::Pong { nonce }),
            Control::Pong { .. } => {}
            Control::Credit { stream, limit } => self.streams.at(stream)?.raise(limit),
            Control::Durable {
                stream,
                blocks,
                ended,
            } => {
                if self.streams.at(stream)?.acknowledge(blocks, ended)? {
                    self.events.push_back(Event::Durable {
                        stream,
                        blocks,
                        ended,
                    });
                }
            }
            Control::Committed { receipt } => match self.phase {
                Phase::Committing { .. } | Phase::Aborting { .. } => self.committed(receipt),
                _ => {
                    return Err(Violation::unexpected(
                        "Committed",
                        "nothing was to be committed",
                    ));
                }
            },
            Control::Abort { reason } => match self.phase {
                Phase::Aborting { .. } => self.finish_abort(),
                _ => self.fail(Failure::ByTarget { reason }),
            },
            other => return Err(Violation::unexpected(other.name(), "sending a backup")),
        }
        Ok(())
    }

    /// Whether it goes on.
    fn resume(&mut self, states: &[StreamState], window: u64) -> Result<bool, Violation> {
        if states.len() != self.streams.len() {
            return Err(Violation::Streams {
                streams: states.len(),
            });
        }
        if let Phase::Aborting { reason, .. } = &self.phase {
            self.link.say(Control::abort(reason));
            return Ok(true);
        }
        if let Some(behind) = self.behind(states) {
            self.fail(behind);
            return Ok(false);
        }
        for (number, (stream, state)) in (0_u16..).zip(self.streams.iter_mut().zip(states)) {
            stream.resume(*state, window)?;
            // `ended` is told again by the target when it is safe as well.
            self.events.push_back(Event::Durable {
                stream: number,
                blocks: state.durable,
                ended: false,
            });
        }
        Ok(true)
    }

    /// What the target has lost of that which it said to be durable, and which is not kept here
    /// any more.
    fn behind(&mut self, states: &[StreamState]) -> Option<Failure> {
        let mut streams = (0_u16..).zip(self.streams.iter_mut().zip(states));
        streams.find_map(|(number, (stream, state))| {
            let (acknowledged, found) = (stream.durable(), state.received.min(state.durable));
            (found < acknowledged).then_some(Failure::Behind {
                stream: number,
                acknowledged,
                found,
            })
        })
    }

    fn refused(&mut self, now: Moment, refusal: Refusal) {
        if self.session.is_some()
            && refusal.kind.passes()
            && self.link.lost(now, &refusal.to_string())
        {
            self.events.push_back(Event::Disconnect);
        } else if self.commit_sent && refusal.kind != RefusalKind::UnknownSession {
            // The target cannot say whether it committed.
            let (outage, cause) = (self.link.outage(now), refusal.to_string());
            self.fail(Failure::CommitInDoubt { outage, cause });
        } else if matches!(self.phase, Phase::Aborting { .. }) {
            self.finish_abort();
        } else {
            self.fail(Failure::Refused(refusal));
        }
    }
}
