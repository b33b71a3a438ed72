//! The source and its engine.

use vab_mover::proto::backup::SourceEvent;
use vab_mover::proto::control::Control;
use vab_mover::proto::frame::{Frame, Limits};
use vab_mover::proto::{Failure, FrameDecoder};
use vab_mover::{Refusal, RefusalKind};

use super::attempt::{Attempt, Step};
use super::{Event, Outcome, World};
use crate::net::{End, SECOND, slowness};
use crate::tally::Trouble;

impl World {
    /// A process of the source begins a backup, as soon as somebody answers.
    pub(super) fn begin(&mut self) {
        let first = self.past.is_empty();
        if self.process.is_none() || (!first && self.random.chance(10)) {
            self.agenda.after(30 * SECOND, Event::Start);
            return;
        }
        let conn = self.network.connect(&mut self.random);
        self.note(|| format!("source begins on connection {conn}"));
        let streams = self.scripts.len();
        let retain = self.share * streams as u64;
        let now = self.source_clock.moment(self.agenda.now);
        self.attempt = Some(Attempt::new(streams, retain, conn, &mut self.random, now));
        self.accept(conn);
        self.pump_source();
    }

    pub(super) fn source_bytes(&mut self, conn: u64, bytes: &[u8]) {
        let now = self.source_clock.moment(self.agenda.now);
        match &mut self.attempt {
            Some(attempt) if attempt.conn == Some(conn) => {
                attempt.decoder.feed(bytes);
                attempt.core.heard(now);
            }
            _ => return,
        }
        while let Some(attempt) = &mut self.attempt
            && let Some(frame) = attempt.decoder.next_frame().unwrap()
        {
            let name = frame.name();
            attempt.core.handle(now, frame);
            self.note(|| format!("source has {name}"));
            self.pump_source();
        }
    }

    pub(super) fn source_lost(&mut self, conn: u64, cause: &str) {
        let now = self.source_clock.moment(self.agenda.now);
        if let Some(attempt) = &mut self.attempt
            && attempt.conn == Some(conn)
        {
            attempt.conn = None;
            attempt.core.disconnected(now, cause);
            self.pump_source();
        }
    }

    pub(super) fn dialed(&mut self, number: usize) {
        if number != self.past.len() {
            return;
        }
        let now = self.source_clock.moment(self.agenda.now);
        let reachable = self.process.is_some() && !self.random.chance(10);
        let ghostly = self.random.chance(8);
        let conn = reachable.then(|| self.network.connect(&mut self.random));
        let ghost = conn
            .filter(|_| ghostly)
            .map(|_| self.network.connect(&mut self.random));
        let Some(attempt) = &mut self.attempt else {
            return;
        };
        if let Some(conn) = conn {
            attempt.conn = Some(conn);
            attempt.ghost = ghost;
            attempt.decoder = FrameDecoder::new(Limits::CONTROL);
            attempt.core.connected(now);
        } else {
            self.network.tally.count(Trouble::Unreachable);
            attempt.core.connect_failed(now, "connection refused");
        }
        for conn in conn.into_iter().chain(ghost) {
            self.note(|| format!("connection {conn}"));
            self.accept(conn);
        }
        self.pump_source();
    }

    pub(super) fn pump_source(&mut self) {
        while let Some(event) = self
            .attempt
            .as_mut()
            .and_then(|attempt| attempt.core.poll_event())
        {
            self.source_event(event);
        }
        while let Some((conn, frame)) = self.next_frame() {
            self.note(|| format!("source sends {}", frame.name()));
            self.send(conn, End::Source, frame);
        }
        let limit = self.share * self.scripts.len() as u64;
        let Some(attempt) = &mut self.attempt else {
            return;
        };
        let takes = attempt
            .conn
            .is_some_and(|conn| self.network.takes(conn, End::Source));
        assert!(
            !takes || !attempt.core.wants_transmit(),
            "wants to send, and sends nothing"
        );
        let kept = attempt.core.kept_bytes();
        assert!(kept <= limit, "{kept} bytes are kept where {limit} may be");
        if attempt.core.is_over() {
            self.hang_up();
        } else if let Some(moment) = attempt.core.poll_timeout() {
            let time = self.source_clock.time_of(moment);
            if self.source_clock.wake.is_none_or(|wake| time < wake) {
                self.source_clock.wake = Some(time);
                self.agenda.at(time, Event::Wake(End::Source));
            }
        }
    }

    /// The next frame of the source, if its connection takes one.
    fn next_frame(&mut self) -> Option<(u64, Frame)> {
        let attempt = self.attempt.as_mut()?;
        let conn = attempt.conn?;
        if !self.network.takes(conn, End::Source) {
            return None;
        }
        let frame = attempt.core.poll_transmit()?;
        if let Frame::Control(Control::Commit { .. }) = &frame {
            attempt.commit_sent = true;
        }
        if let Some(ghost) = attempt.ghost.take() {
            let again = frame.clone();
            self.send(ghost, End::Source, again);
        }
        Some((conn, frame))
    }

    pub(super) fn send(&mut self, conn: u64, from: End, frame: Frame) {
        let (random, agenda) = (&mut self.random, &mut self.agenda);
        self.network
            .send(conn, from, frame, random, agenda, Event::Net);
    }

    fn hang_up(&mut self) {
        if let Some(conn) = self.attempt.as_mut().and_then(|at| at.conn.take()) {
            self.network
                .close(conn, End::Source, &mut self.agenda, Event::Net);
        }
    }

    fn source_event(&mut self, event: SourceEvent) {
        self.note(|| format!("source: {event:?}"));
        let Some(attempt) = &mut self.attempt else {
            return;
        };
        match event {
            SourceEvent::Connect => {
                let longest = slowness(&mut self.random);
                let delay = self.random.between(10, longest);
                let attempt = self.past.len();
                self.agenda.after(delay, Event::Dialed { attempt });
            }
            SourceEvent::Disconnect => self.hang_up(),
            SourceEvent::Begun { session, .. } => {
                attempt.session = Some(session);
                for stream in 0..self.scripts.len() {
                    let stream = u16::try_from(stream).unwrap();
                    self.agenda.after(0, Event::Engine(stream));
                }
            }
            SourceEvent::Durable { stream, blocks, .. } => {
                attempt.durable(stream, blocks);
                self.promise_durable(stream, blocks);
                self.agenda.after(0, Event::Engine(stream));
            }
            SourceEvent::Lost { .. } => {
                let session = attempt.session.unwrap();
                if self.disk.committed.contains_key(&session) {
                    self.network.tally.count(Trouble::LostAnswer);
                }
            }
            SourceEvent::Committed { receipt } => {
                assert_eq!(receipt, b"receipt");
                assert_eq!(self.outcome, None, "two ends");
                self.outcome = Some(Outcome::Committed);
            }
            SourceEvent::Failed(failure) => self.failed(failure),
            SourceEvent::Resumed { .. } => {}
            other => panic!("unknown event {other:?}"),
        }
    }

    fn failed(&mut self, failure: Failure) {
        assert_eq!(self.outcome, None, "two ends");
        let busy = matches!(
            &failure,
            Failure::Refused(Refusal {
                kind: RefusalKind::Busy,
                ..
            })
        );
        let lost = matches!(failure, Failure::LostBeforeBegin { .. });
        // Its user tries until a backup has begun.
        if busy || lost {
            if busy {
                self.network.tally.count(Trouble::LeaseHeld);
            }
            self.hang_up();
            self.past
                .extend(self.attempt.take().as_ref().map(Attempt::past));
            self.agenda.after(60 * SECOND, Event::Start);
        } else {
            self.outcome = Some(Outcome::Failed(failure));
        }
    }

    /// What the engine is told to be durable must be so now, whatever happens next.
    fn promise_durable(&self, stream: u16, blocks: u64) {
        let session = self.attempt.as_ref().and_then(|attempt| attempt.session);
        if let Some(open) = self.disk.open.get(&session.unwrap()) {
            let durable = open.streams[usize::from(stream)].durable as u64;
            assert!(
                durable >= blocks,
                "{blocks} blocks are said to be durable, {durable} are"
            );
        }
    }

    pub(super) fn engine(&mut self, stream: u16) {
        let Some(attempt) = &mut self.attempt else {
            return;
        };
        if self.outcome.is_some() {
            return;
        }
        let script = &self.scripts[usize::from(stream)];
        match attempt.step(script, stream, self.share) {
            Step::Nothing => return,
            Step::Flushed => self.agenda.after(0, Event::Engine(stream)),
            Step::Pushed => {
                let pause = self.random.between(0, self.slowness);
                self.agenda.after(pause, Event::Engine(stream));
            }
            Step::Finished => {}
            Step::Over => {
                if !attempt.committing && attempt.core.safe() {
                    attempt.committing = true;
                    attempt.core.commit(b"facts".to_vec());
                }
            }
        }
        self.pump_source();
    }
}
