//! The store of the target: what is asked of it, and when it is done.

use uuid::Uuid;
use vab_mover::proto::backup::TargetEvent;

use super::{Done, Event, StoreFault, World};
use crate::faults::Fault;
use crate::net::{End, SECOND};
use crate::tally::Trouble;

impl World {
    pub(super) fn target_event(&mut self, session: Uuid, event: TargetEvent) {
        self.note(|| match &event {
            TargetEvent::Write(block) => {
                format!(
                    "target writes {} of {}",
                    block.header.sequence, block.header.stream
                )
            }
            other => format!("target: {other:?}"),
        });
        let Some(process) = &mut self.process else {
            return;
        };
        let now = self.agenda.now;
        let mut delay = self.random.between(0, self.slowness);
        let life = self.life;
        let what = match event {
            TargetEvent::Write(block) => {
                let length = u64::from(block.header.stored_length);
                let (held, streams) = (&mut process.unwritten, self.scripts.len() as u64);
                let held = held.entry((session, block.header.stream)).or_default();
                *held += length;
                let limit = (self.config.window / streams).max(1) + self.largest;
                assert!(
                    *held <= limit,
                    "{held} bytes are unwritten where {limit} may be"
                );
                let busy = process
                    .busy
                    .entry((session, block.header.stream))
                    .or_default();
                *busy = (*busy).max(now) + delay;
                let time = *busy;
                let what = Done::Written(block);
                self.agenda.at(
                    time,
                    Event::Store {
                        life,
                        session,
                        what,
                    },
                );
                return;
            }
            TargetEvent::Sync => {
                let written = match self.disk.open.get(&session) {
                    Some(open) => open.streams.iter().map(|at| at.blocks.len()).collect(),
                    None => Vec::new(),
                };
                Done::Synced(written)
            }
            TargetEvent::Commit { facts, ends } => {
                // Whatever happens now may cost the source its answer.
                if self.random.chance(20) {
                    let soon = self.random.between(0, delay);
                    self.agenda.after(soon, Event::Fault(Fault::Cut));
                }
                delay *= self.random.between(1, 20);
                Done::Commit { facts, ends }
            }
            TargetEvent::Abort { .. } => Done::Aborted,
            TargetEvent::Disconnect => {
                let conn = process
                    .sessions
                    .get_mut(&session)
                    .and_then(|(_, conn)| conn.take());
                if let Some(conn) = conn {
                    self.network
                        .close(conn, End::Target, &mut self.agenda, Event::Net);
                }
                return;
            }
            TargetEvent::Over => return,
            other => panic!("unknown event {other:?}"),
        };
        self.agenda.after(
            delay,
            Event::Store {
                life,
                session,
                what,
            },
        );
    }

    /// The store is done with something, unless the process died meanwhile.
    pub(super) fn store(&mut self, life: u64, session: Uuid, what: Done) {
        if life != self.life {
            return;
        }
        let now = self.target_clock.moment(self.agenda.now);
        let Some(process) = &mut self.process else {
            return;
        };
        if let Done::Written(block) = &what {
            let at = (session, block.header.stream);
            *process.unwritten.entry(at).or_default() -= u64::from(block.header.stored_length);
        }
        let Some((target, _)) = process.sessions.get_mut(&session) else {
            return;
        };
        match what {
            Done::Written(block) => {
                self.writes += 1;
                let stream = block.header.stream;
                if self.broken == Some(session) {
                    // No write follows one that failed.
                } else if self.fault == StoreFault::Write(self.writes) {
                    self.broken = Some(session);
                    self.network.tally.count(Trouble::StoreFault);
                    self.excuses.store = true;
                    target.fail("the disk is full".to_owned());
                } else if let Some(open) = self.disk.open.get_mut(&session) {
                    open.streams[usize::from(stream)].write(block);
                    target.written(now, stream);
                }
            }
            Done::Synced(_) if self.fault == StoreFault::Sync => {
                self.network.tally.count(Trouble::StoreFault);
                self.excuses.store = true;
                target.fail("the disk does not sync".to_owned());
            }
            Done::Synced(written) => {
                if let Some(open) = self.disk.open.get_mut(&session) {
                    for (stream, count) in open.streams.iter_mut().zip(written) {
                        stream.durable = stream.durable.max(count);
                    }
                    target.synced(now);
                }
            }
            Done::Commit { .. } if self.fault == StoreFault::Commit => {
                self.network.tally.count(Trouble::StoreFault);
                self.excuses.store = true;
                self.disk.open.remove(&session);
                target.committed(Err("the disk is full".to_owned()));
            }
            Done::Commit { facts, ends } => {
                self.disk.commit(session, &facts, &ends);
                // It may die between the commit and the answer.
                if self.random.chance(5) {
                    let down = self.random.between(1, 60 * SECOND);
                    self.kill_target(down);
                } else {
                    target.committed(Ok(b"receipt".to_vec()));
                }
            }
            Done::Aborted => {
                self.disk.open.remove(&session);
                target.aborted();
            }
        }
        self.pump_target();
    }
}
