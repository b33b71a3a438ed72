//! The target: connections and sessions of the process that runs.

use std::time::Duration;

use uuid::Uuid;
use vab_mover::RefusalKind;
use vab_mover::proto::backup::{Target, Terms};
use vab_mover::proto::control::Control;
use vab_mover::proto::frame::{Frame, Limits, MAX_PAYLOAD};
use vab_mover::proto::{FrameDecoder, Position};

use super::{Event, World};
use crate::disk::{Session, Stream};
use crate::net::{End, SECOND, Time};
use crate::tally::Trouble;

impl World {
    pub(super) fn accept(&mut self, conn: u64) {
        if let Some(process) = &mut self.process {
            process
                .fresh
                .insert(conn, FrameDecoder::new(Limits::CONTROL));
        }
    }

    pub(super) fn target_bytes(&mut self, conn: u64, bytes: &[u8]) {
        let now = self.target_clock.moment(self.agenda.now);
        let Some(process) = &mut self.process else {
            return;
        };
        if let Some(mut decoder) = process.fresh.remove(&conn) {
            decoder.feed(bytes);
            match decoder.next_frame().unwrap() {
                None => {
                    process.fresh.insert(conn, decoder);
                }
                Some(frame) => {
                    decoder.allow(Limits::blocks(MAX_PAYLOAD));
                    process.decoders.insert(conn, decoder);
                    self.request(conn, frame);
                }
            }
        } else if let Some(decoder) = process.decoders.get_mut(&conn) {
            decoder.feed(bytes);
        }
        loop {
            let Some(process) = &mut self.process else {
                return;
            };
            let Some(decoder) = process.decoders.get_mut(&conn) else {
                return;
            };
            let Some(frame) = decoder.next_frame().unwrap() else {
                return;
            };
            let name = frame.name();
            let mut sessions = process.sessions.iter_mut();
            let Some((session, (target, _))) = sessions.find(|(_, (_, at))| *at == Some(conn))
            else {
                return;
            };
            target.handle(now, frame);
            if let Some(attempt) = &mut self.attempt {
                attempt.confirmed |= attempt.session == Some(*session);
            }
            self.note(|| format!("target has {name}"));
            self.pump_target();
        }
    }

    /// The first frame of a connection.
    pub(super) fn request(&mut self, conn: u64, frame: Frame) {
        self.note(|| format!("target has {}", frame.name()));
        self.network.requested(conn);
        let begin = matches!(frame, Frame::Control(Control::Begin { .. }));
        if begin && self.slot_is_taken(conn, &frame) {
            return;
        }
        let now = self.target_clock.moment(self.agenda.now);
        let Some(process) = &mut self.process else {
            return;
        };
        match frame {
            Frame::Control(Control::Begin {
                streams,
                key,
                retain,
                patience,
                ..
            }) => {
                // What an earlier process left is cut off by whoever appends next.
                let current = self.attempt.as_ref().and_then(|attempt| attempt.session);
                self.excuses.displaced |=
                    current.is_some_and(|session| self.disk.open.contains_key(&session));
                self.disk.open.clear();
                let session = Uuid::from_u64_pair(7, self.random.next());
                let terms = Terms {
                    retain,
                    patience: Duration::from_millis(patience),
                };
                let target = Target::begin(self.config, terms, session, streams, now).unwrap();
                let open = Session {
                    life: self.life,
                    key,
                    streams: (0..streams).map(|_| Stream::default()).collect(),
                };
                self.disk.open.insert(session, open);
                process.sessions.insert(session, (target, Some(conn)));
            }
            Frame::Control(Control::Resume {
                session,
                key,
                retain,
                patience,
            }) => {
                let session = Uuid::from_bytes(session);
                let terms = Terms {
                    retain,
                    patience: Duration::from_millis(patience),
                };
                if let Some((target, at)) = process.sessions.get_mut(&session) {
                    let old = at.replace(conn);
                    target.attach(now, terms);
                    if let Some(old) = old {
                        self.network.tally.count(Trouble::Duplicate);
                        process.decoders.remove(&old);
                        self.network
                            .close(old, End::Target, &mut self.agenda, Event::Net);
                    }
                } else {
                    self.resume(conn, session, key, terms);
                }
            }
            other => panic!("{} is no first request", other.name()),
        }
        self.pump_target();
    }

    /// Whether another session has the slot. One whose source is away has to go, and the new one
    /// waits for that; one whose source is there stays, and the new one is refused.
    fn slot_is_taken(&mut self, conn: u64, frame: &Frame) -> bool {
        let Some(process) = &mut self.process else {
            return false;
        };
        let current = self.attempt.as_ref().and_then(|attempt| attempt.session);
        let (mut taken, mut stays) = (false, false);
        for (session, (target, _)) in &mut process.sessions {
            if !self.disk.open.contains_key(session) {
                continue;
            }
            taken = true;
            stays |= !target.is_parked();
            if target.is_parked() {
                self.excuses.displaced |= current == Some(*session);
                target.fail("a new backup of the same database began".to_owned());
            }
        }
        if stays {
            self.refuse(conn, RefusalKind::Busy);
        } else if taken {
            let (life, frame) = (self.life, frame.clone());
            self.agenda
                .after(SECOND / 100, Event::Again { life, conn, frame });
        }
        self.pump_target();
        taken
    }

    /// A session that this life of the target does not know.
    pub(super) fn resume(&mut self, conn: u64, session: Uuid, key: [u8; 16], terms: Terms) {
        let now = self.target_clock.moment(self.agenda.now);
        let Some(process) = &mut self.process else {
            return;
        };
        let mut target = if self.disk.committed.contains_key(&session) {
            Target::finished(self.config, terms, session, b"receipt".to_vec(), now)
        } else if let Some(open) = self.disk.open.get_mut(&session) {
            assert_eq!(open.key, key);
            open.life = self.life;
            // The store cuts off what was not durable.
            for stream in &mut open.streams {
                stream.blocks.truncate(stream.durable);
            }
            let positions: Vec<Position> = open.streams.iter().map(Stream::position).collect();
            Target::restored(self.config, terms, session, &positions, now).unwrap()
        } else {
            self.refuse(conn, RefusalKind::UnknownSession);
            return;
        };
        target.attach(now, terms);
        process.sessions.insert(session, (target, Some(conn)));
    }

    fn refuse(&mut self, conn: u64, kind: RefusalKind) {
        self.note(|| format!("target refuses: {kind:?}"));
        let refused = Control::Refused {
            kind: kind.number(),
            message: "later, or never".into(),
        };
        self.send(conn, End::Target, refused.into());
        self.network
            .close(conn, End::Target, &mut self.agenda, Event::Net);
    }

    pub(super) fn target_lost(&mut self, conn: u64, cause: &str) {
        let now = self.target_clock.moment(self.agenda.now);
        let Some(process) = &mut self.process else {
            return;
        };
        process.fresh.remove(&conn);
        process.decoders.remove(&conn);
        for (target, at) in process.sessions.values_mut() {
            if *at == Some(conn) {
                *at = None;
                target.disconnected(now, cause);
            }
        }
        self.pump_target();
    }

    pub(super) fn pump_target(&mut self) {
        let Some(process) = &self.process else { return };
        let sessions: Vec<Uuid> = process.sessions.keys().copied().collect();
        let mut next: Option<Time> = None;
        for session in sessions {
            while let Some(event) = self
                .process
                .as_mut()
                .and_then(|process| process.sessions.get_mut(&session)?.0.poll_event())
            {
                self.target_event(session, event);
            }
            let Some(process) = &mut self.process else {
                return;
            };
            let Some((target, conn)) = process.sessions.get_mut(&session) else {
                continue;
            };
            while let Some(conn) = *conn {
                if !self.network.takes(conn, End::Target) {
                    break;
                }
                let Some(frame) = target.poll_transmit() else {
                    break;
                };
                self.network.send(
                    conn,
                    End::Target,
                    frame,
                    &mut self.random,
                    &mut self.agenda,
                    Event::Net,
                );
            }
            if target.is_over() && !target.wants_transmit() || target.is_over() && conn.is_none() {
                if let Some(conn) = *conn {
                    self.network
                        .close(conn, End::Target, &mut self.agenda, Event::Net);
                }
                process.sessions.remove(&session);
                continue;
            }
            if let Some(moment) = target.poll_timeout() {
                let time = self.target_clock.time_of(moment);
                next = Some(next.map_or(time, |next| next.min(time)));
            }
        }
        if let Some(time) = next
            && self.target_clock.wake.is_none_or(|wake| time < wake)
        {
            self.target_clock.wake = Some(time);
            self.agenda.at(time, Event::Wake(End::Target));
        }
    }
}
