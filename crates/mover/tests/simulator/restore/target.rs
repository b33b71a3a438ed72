//! The target: one state machine for each connection.

use vab_mover::Block;
use vab_mover::proto::control::Control;
use vab_mover::proto::frame::{Frame, Limits};
use vab_mover::proto::restore::{Target, TargetEvent};
use vab_mover::proto::{FrameDecoder, LivenessConfig, Moment};

use super::{Event, World};
use crate::net::{End, Time};

/// Blocks of one stream that may be read and not be sent.
const AHEAD: usize = 2;

/// A connection of the target.
pub(super) struct Served {
    decoder: FrameDecoder,
    target: Option<Target>,
    /// Blocks that were asked for and are not sent.
    ahead: usize,
}

impl Served {
    pub(super) const fn is_served(&self) -> bool {
        self.target.is_some()
    }

    pub(super) fn timeout(&mut self, now: Moment) {
        if let Some(target) = &mut self.target {
            target.handle_timeout(now);
        }
    }
}

impl World {
    pub(super) fn accept(&mut self, conn: u64) {
        let served = Served {
            decoder: FrameDecoder::new(Limits::CONTROL),
            target: None,
            ahead: 0,
        };
        self.targets.insert(conn, served);
    }

    pub(super) fn target_bytes(&mut self, conn: u64, bytes: &[u8]) {
        let now = self.target_clock.moment(self.agenda.now);
        let Some(served) = self.targets.get_mut(&conn) else {
            return;
        };
        served.decoder.feed(bytes);
        while let Some(frame) = served.decoder.next_frame().unwrap() {
            match (served.target.as_mut(), frame) {
                (Some(target), frame) => target.handle(now, frame),
                (None, Frame::Control(Control::Open { from, .. })) => {
                    self.network.requested(conn);
                    let (session, totals) = (self.session, &self.totals);
                    let liveness = LivenessConfig::default();
                    let target = Target::new(liveness, session, totals, &from, now);
                    served.target = Some(target.unwrap());
                }
                (None, other) => panic!("{} is no first request", other.name()),
            }
        }
    }

    pub(super) fn loaded(&mut self, conn: u64, block: Block) {
        if let Some(served) = self.targets.get_mut(&conn)
            && let Some(target) = &mut served.target
        {
            target.loaded(block);
            self.pump_targets();
        }
    }

    pub(super) fn pump_targets(&mut self) {
        let conns: Vec<u64> = self.targets.keys().copied().collect();
        let next = conns
            .into_iter()
            .filter_map(|conn| self.pump_target(conn))
            .min();
        if let Some(time) = next
            && self.target_clock.wake.is_none_or(|wake| time < wake)
        {
            self.target_clock.wake = Some(time);
            self.agenda.at(time, Event::Wake(End::Target));
        }
    }

    /// Lets one connection go on; says when it has to be woken.
    fn pump_target(&mut self, conn: u64) -> Option<Time> {
        let served = self.targets.get_mut(&conn)?;
        let target = served.target.as_mut()?;
        let mut over = false;
        while let Some(event) = target.poll_event() {
            match event {
                TargetEvent::Read { stream, sequence } => {
                    served.ahead += 1;
                    let limit = AHEAD * self.stored.len();
                    assert!(served.ahead <= limit, "more is read than may be");
                    let sequence = usize::try_from(sequence).unwrap();
                    let block = self.stored[usize::from(stream)][sequence].clone();
                    // Reads of one stream end in order.
                    let delay = self.slowness / 4;
                    let life = self.life;
                    self.agenda
                        .after(delay, Event::Loaded { life, conn, block });
                }
                TargetEvent::Over { .. } => over = true,
                other => panic!("unknown event {other:?}"),
            }
        }
        while self.network.takes(conn, End::Target)
            && let Some(frame) = target.poll_transmit()
        {
            served.ahead -= usize::from(matches!(frame, Frame::Block(_)));
            let (random, agenda) = (&mut self.random, &mut self.agenda);
            self.network
                .send(conn, End::Target, frame, random, agenda, Event::Net);
        }
        if over {
            self.network
                .close(conn, End::Target, &mut self.agenda, Event::Net);
            self.targets.remove(&conn);
            return None;
        }
        target
            .poll_timeout()
            .map(|moment| self.target_clock.time_of(moment))
    }
}
