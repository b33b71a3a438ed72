//! The source and its engine.

use bytes::Bytes;
use vab_format::block::BlockHeader;
use vab_mover::Block;
use vab_mover::proto::FrameDecoder;
use vab_mover::proto::backup::SourceEvent;
use vab_mover::proto::frame::Limits;

use super::{Event, Outcome, World};
use crate::net::{End, SECOND};

impl World {
    pub(super) fn source_bytes(&mut self, bytes: &[u8]) {
        self.source_decoder.feed(bytes);
        let now = self.source_clock.moment(self.agenda.now);
        self.source.heard(now);
        while let Some(frame) = self.source_decoder.next_frame().unwrap() {
            self.note(|| format!("source has {}", frame.name()));
            self.source.handle(now, frame);
            self.pump_source();
        }
    }

    pub(super) fn source_lost(&mut self, cause: &str) {
        self.source_conn = None;
        let now = self.source_clock.moment(self.agenda.now);
        self.source.disconnected(now, cause);
        self.pump_source();
    }

    pub(super) fn dialed(&mut self) {
        let now = self.source_clock.moment(self.agenda.now);
        if self.process.is_none() || self.random.chance(10) {
            self.source.connect_failed(now, "connection refused");
        } else {
            let delay = self.random.between(50, 50_000);
            let conn = self.network.connect(delay);
            self.note(|| format!("connection {conn}"));
            self.accept(conn);
            self.source_conn = Some(conn);
            self.source_decoder = FrameDecoder::new(Limits::CONTROL);
            self.source.connected(now);
        }
        self.pump_source();
    }

    pub(super) fn pump_source(&mut self) {
        while let Some(event) = self.source.poll_event() {
            self.source_event(event);
        }
        while let Some(conn) = self.source_conn {
            if !self.network.takes(conn, End::Source) {
                break;
            }
            let Some(frame) = self.source.poll_transmit() else {
                break;
            };
            self.note(|| format!("source sends {}", frame.name()));
            self.network.send(
                conn,
                End::Source,
                frame,
                &mut self.random,
                &mut self.agenda,
                Event::Net,
            );
        }
        assert!(
            self.source_conn
                .is_none_or(|conn| !self.network.takes(conn, End::Source))
                || !self.source.wants_transmit(),
            "wants to send, and sends nothing"
        );
        let kept = self.source.kept_bytes();
        let limit = self.share * self.scripts.len() as u64;
        assert!(kept <= limit, "{kept} bytes are kept where {limit} may be");
        if self.source.is_over() {
            if let Some(conn) = self.source_conn.take() {
                self.network
                    .close(conn, End::Source, &mut self.agenda, Event::Net);
            }
            return;
        }
        if let Some(moment) = self.source.poll_timeout() {
            let time = self.source_clock.time_of(moment);
            if self.source_clock.wake.is_none_or(|wake| time < wake) {
                self.source_clock.wake = Some(time);
                self.agenda.at(time, Event::Wake(End::Source));
            }
        }
    }

    pub(super) fn source_event(&mut self, event: SourceEvent) {
        self.note(|| format!("source: {event:?}"));
        match event {
            SourceEvent::Connect => {
                let delay = self.random.between(100, SECOND);
                self.agenda.after(delay, Event::Dialed);
            }
            SourceEvent::Disconnect => {
                if let Some(conn) = self.source_conn.take() {
                    self.network
                        .close(conn, End::Source, &mut self.agenda, Event::Net);
                }
            }
            SourceEvent::Begun { session, .. } => {
                self.session = Some(session);
                for stream in 0..self.scripts.len() {
                    self.agenda
                        .after(0, Event::Engine(u16::try_from(stream).unwrap()));
                }
            }
            SourceEvent::Durable { stream, blocks, .. } => {
                self.promise_durable(stream, blocks);
                let script = &mut self.scripts[usize::from(stream)];
                script.durable = script.durable.max(blocks);
                self.agenda.after(0, Event::Engine(stream));
            }
            SourceEvent::Committed { receipt } => {
                assert_eq!(receipt, b"receipt");
                assert_eq!(self.outcome, None, "two ends");
                self.outcome = Some(Outcome::Committed);
            }
            SourceEvent::Failed(failure) => {
                assert_eq!(self.outcome, None, "two ends");
                self.outcome = Some(Outcome::Failed(failure));
            }
            SourceEvent::Lost { .. } | SourceEvent::Resumed { .. } => {}
            other => panic!("unknown event {other:?}"),
        }
    }

    /// What the engine is told to be durable must be so now, whatever happens next.
    pub(super) fn promise_durable(&self, stream: u16, blocks: u64) {
        let session = self.session.unwrap();
        if let Some(open) = self.disk.open.get(&session) {
            let durable = open.streams[usize::from(stream)].durable as u64;
            assert!(
                durable >= blocks,
                "{blocks} blocks are said to be durable, {durable} are"
            );
        }
    }

    pub(super) fn engine(&mut self, stream: u16) {
        let Some(session) = self.session else { return };
        if self.outcome.is_some() {
            return;
        }
        let script = &mut self.scripts[usize::from(stream)];
        if script.finished {
            self.try_commit();
            return;
        }
        let next = usize::try_from(script.at.blocks).unwrap();
        if script.waits && script.durable < script.at.blocks {
            return;
        }
        if !script.waits && script.flushes.contains(&next) {
            script.waits = true;
            self.source.flush(stream).unwrap();
            self.agenda.after(0, Event::Engine(stream));
            self.pump_source();
            return;
        }
        let Some(bytes) = script.blocks.get(next) else {
            script.finished = true;
            self.source.finish_stream(stream).unwrap();
            self.pump_source();
            return;
        };
        let unsafe_bytes: usize = script
            .blocks
            .get(usize::try_from(script.durable).unwrap()..next)
            .unwrap()
            .iter()
            .map(Vec::len)
            .sum();
        if (unsafe_bytes + bytes.len()) as u64 > self.share {
            return;
        }
        let header =
            BlockHeader::for_raw(session, stream, script.at.blocks, script.at.bytes, bytes);
        script.at.advance(&header).unwrap();
        script.waits = false;
        let block = Block {
            header,
            payload: Bytes::copy_from_slice(bytes),
        };
        self.source.push(block).unwrap();
        let pause = self.random.between(0, self.slowness);
        self.agenda.after(pause, Event::Engine(stream));
        self.pump_source();
    }

    pub(super) fn try_commit(&mut self) {
        if !self.committing && self.source.safe() {
            self.committing = true;
            self.source.commit(b"facts".to_vec());
            self.pump_source();
        }
    }
}
