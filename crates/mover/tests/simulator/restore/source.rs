//! The source and its engine.

use vab_mover::proto::Failure;
use vab_mover::proto::frame::Frame;
use vab_mover::proto::restore::SourceEvent;

use super::attempt::Attempt;
use super::{Event, World};
use crate::net::{End, SECOND, slowness};
use crate::tally::Trouble;

impl World {
    /// A process of the source begins the restore, as soon as somebody answers.
    pub(super) fn begin(&mut self) {
        if !self.up || (self.past > 0 && self.random.chance(10)) {
            self.agenda.after(30 * SECOND, Event::Start);
            return;
        }
        let conn = self.network.connect(&mut self.random);
        self.note(|| format!("source begins on connection {conn}"));
        let now = self.source_clock.moment(self.agenda.now);
        let (streams, memory) = (self.stored.len(), self.memory);
        self.attempt = Some(Attempt::new(streams, memory, conn, &mut self.random, now));
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

    pub(super) fn source_lost(&mut self, conn: u64) {
        let now = self.source_clock.moment(self.agenda.now);
        if let Some(attempt) = &mut self.attempt
            && attempt.conn == Some(conn)
        {
            attempt.conn = None;
            attempt.core.disconnected(now, "cut");
            self.pump_source();
        }
    }

    pub(super) fn dialed(&mut self, number: usize) {
        if number != self.past {
            return;
        }
        let now = self.source_clock.moment(self.agenda.now);
        let reachable = self.up && !self.random.chance(10);
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
            attempt.decoder = Attempt::decoder();
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
            self.send(conn, End::Source, frame);
        }
        let Some(attempt) = &mut self.attempt else {
            return;
        };
        let share = (self.memory / self.stored.len() as u64).max(1);
        let limit = share + self.largest;
        for held in attempt.held() {
            assert!(held <= limit, "{held} bytes are held where {limit} may be");
        }
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
        if let Some(ghost) = attempt.ghost.take() {
            self.network.tally.count(Trouble::Duplicate);
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
                let attempt = self.past;
                self.agenda.after(delay, Event::Dialed { attempt });
            }
            SourceEvent::Disconnect => self.hang_up(),
            SourceEvent::Opened { .. } => {
                for stream in 0..self.stored.len() {
                    self.agenda.after(0, Event::Engine(stream));
                }
            }
            SourceEvent::Block(block) => {
                let stream = usize::from(block.header.stream);
                attempt.arrived(block);
                let pause = self.random.between(0, self.slowness);
                self.agenda.after(pause, Event::Engine(stream));
            }
            SourceEvent::StreamEnded { stream } => {
                attempt.ended(usize::from(stream));
                self.agenda.after(0, Event::Engine(usize::from(stream)));
            }
            SourceEvent::Failed(failure) => self.failed(failure),
            SourceEvent::Lost { .. } | SourceEvent::Resumed { .. } => {}
            other => panic!("unknown event {other:?}"),
        }
    }

    fn failed(&mut self, failure: Failure) {
        // Its user tries until a restore has begun.
        if matches!(failure, Failure::LostBeforeBegin { .. }) {
            self.hang_up();
            self.attempt = None;
            self.past += 1;
            self.agenda.after(30 * SECOND, Event::Start);
        } else {
            self.outcome = Some(Err(failure));
        }
    }

    pub(super) fn engine(&mut self, stream: usize) {
        if let Some(attempt) = &mut self.attempt
            && attempt.take(stream)
        {
            attempt.core.close();
            self.outcome = Some(Ok(()));
        }
        self.pump_source();
    }
}
