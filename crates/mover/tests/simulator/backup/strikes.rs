//! What goes wrong, when it does.

use super::{Event, World};
use crate::faults::Fault;
use crate::net::{End, Time};
use crate::tally::Trouble;

impl World {
    pub(super) fn strike(&mut self, fault: Fault) {
        self.note(|| format!("{fault:?}"));
        let conn = self.attempt.as_ref().and_then(|attempt| attempt.conn);
        let tally = &mut self.network.tally;
        match fault {
            Fault::Cut => {
                if let Some(conn) = conn {
                    let (random, agenda) = (&mut self.random, &mut self.agenda);
                    self.network.cut(conn, random, agenda, Event::Net);
                }
            }
            Fault::CutAt { from, bytes } => {
                if let Some(conn) = conn {
                    self.network.cut_at(conn, from, bytes);
                }
            }
            Fault::Stall { end, pause } => self.stall(conn, end, pause),
            Fault::Abandon { late } => {
                if let Some(conn) = conn {
                    self.stall(Some(conn), End::Target, late);
                    self.closed(conn, End::Source);
                }
            }
            Fault::Kill { end, down } => match end {
                End::Source => self.kill_source(down),
                End::Target => self.kill_target(down),
            },
            Fault::Jump { end, by } => {
                tally.count(if by > 0 {
                    Trouble::ClockAhead
                } else {
                    Trouble::ClockBack
                });
                self.excuses.jumped |= fault.is_long_jump();
                match end {
                    End::Source => self.source_clock.jump(by),
                    End::Target => self.target_clock.jump(by),
                }
                self.agenda.after(0, Event::Wake(end));
            }
            Fault::Abort => self.abort(),
            Fault::TargetAbort => self.target_aborts(),
        }
    }

    fn stall(&mut self, conn: Option<u64>, end: End, pause: Time) {
        if let Some(conn) = conn {
            self.network
                .stall(conn, end, pause, &mut self.agenda, Event::Net);
        }
    }

    fn abort(&mut self) {
        let now = self.source_clock.moment(self.agenda.now);
        if self.outcome.is_none()
            && let Some(attempt) = &mut self.attempt
        {
            self.network.tally.count(Trouble::Abort);
            self.excuses.aborted = true;
            attempt.core.abort(now, "the user wants no backup");
            self.pump_source();
        }
    }

    fn target_aborts(&mut self) {
        if let Some(process) = &mut self.process {
            for (target, _) in process.sessions.values_mut() {
                if !target.is_over() {
                    self.network.tally.count(Trouble::TargetAbort);
                    self.excuses.aborted = true;
                    target.fail("the repository is taken away".to_owned());
                }
            }
        }
        self.pump_target();
    }

    /// The source dies, and with it its device set and all that it kept.
    fn kill_source(&mut self, down: Time) {
        if self.outcome.is_some() {
            return;
        }
        let Some(attempt) = self.attempt.take() else {
            return;
        };
        self.network.tally.count(Trouble::SourceRestart);
        self.past.push(attempt.past());
        let (random, agenda) = (&mut self.random, &mut self.agenda);
        self.network.die(End::Source, random, agenda, Event::Net);
        self.agenda.after(down, Event::Start);
    }

    /// The target dies, and with it all of its sessions' state but what lies on the disk.
    pub(super) fn kill_target(&mut self, down: Time) {
        if self.process.take().is_none() {
            return;
        }
        self.network.tally.count(Trouble::TargetRestart);
        self.life += 1;
        // What failed was in the memory of that process.
        self.broken = None;
        self.disk.lose_power(&mut self.random);
        let (random, agenda) = (&mut self.random, &mut self.agenda);
        self.network.die(End::Target, random, agenda, Event::Net);
        self.agenda.after(down, Event::Restart);
    }
}
