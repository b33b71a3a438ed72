//! What the target answers to the first request, on the first connection and on later ones.

use uuid::Uuid;
use vab_format::vab::KeyArea;

use super::stream::Stream;
use super::{Event, Source};
use crate::proto::control::Control;
use crate::proto::failure::Failure;
use crate::proto::keys::key_area;
use crate::proto::moment::Moment;
use crate::proto::position::Position;
use crate::proto::streams::{Streams, share};
use crate::proto::violation::Violation;
use crate::{Refusal, RefusalKind};

impl Source {
    pub(super) fn handle_opening(
        &mut self,
        now: Moment,
        control: Control,
    ) -> Result<(), Violation> {
        match control {
            Control::Opened {
                session,
                streams,
                keys,
            } => {
                let keys = key_area(&keys)?;
                self.opened(now, Uuid::from_bytes(session), streams, keys)
            }
            Control::Refused { kind, message } => {
                self.refused(now, Refusal::new(RefusalKind::from_number(kind), message));
                Ok(())
            }
            Control::Ping { .. } | Control::Pong { .. } | Control::Abort { .. } => {
                self.handle_up(control)
            }
            other => Err(Violation::unexpected(other.name(), "opening a session")),
        }
    }

    fn opened(
        &mut self,
        now: Moment,
        session: Uuid,
        totals: Vec<Position>,
        keys: Option<Box<KeyArea>>,
    ) -> Result<(), Violation> {
        match self.session {
            None => self.first_opened(session, totals, keys)?,
            Some(expected) => {
                let same = totals.iter().eq(self.streams.iter().map(Stream::total));
                // The slots may be others by now, the data key is not.
                if expected != session || !same || self.sealed != keys.is_some() {
                    self.fail(Failure::Changed {
                        expected,
                        got: session,
                    });
                    return Ok(());
                }
                let share = self.streams.share(self.memory);
                self.streams
                    .iter_mut()
                    .for_each(|stream| stream.resume(share));
                let outage = self.link.recovered(now);
                self.events.push_back(Event::Resumed { outage });
            }
        }
        self.link.up();
        for (stream, at) in self.streams.numbered() {
            if let Some(limit) = at.first_credit() {
                self.link.say(Control::Credit { stream, limit });
            }
        }
        Ok(())
    }

    fn first_opened(
        &mut self,
        session: Uuid,
        totals: Vec<Position>,
        keys: Option<Box<KeyArea>>,
    ) -> Result<(), Violation> {
        Streams::<Stream>::check(totals.len())?;
        self.session = Some(session);
        self.sealed = keys.is_some();
        let share = share(self.memory, totals.len());
        let streams = (0..)
            .zip(&totals)
            .map(|(number, total)| Stream::new(number, *total, share))
            .collect();
        self.streams = Streams::new(streams)?;
        self.events.push_back(Event::Opened {
            session,
            streams: totals,
            keys,
        });
        for (stream, at) in self.streams.numbered() {
            if at.ended() {
                self.events.push_back(Event::StreamEnded { stream });
            }
        }
        Ok(())
    }

    fn refused(&mut self, now: Moment, refusal: Refusal) {
        if self.session.is_some()
            && refusal.kind.passes()
            && self.link.lost(now, &refusal.to_string())
        {
            self.events.push_back(Event::Disconnect);
        } else {
            self.fail(Failure::Refused(refusal));
        }
    }
}
