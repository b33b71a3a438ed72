//! What goes wrong, when it does.

use super::{Event, World};
use crate::faults::Fault;
use crate::net::{End, Time};
use crate::tally::Trouble;

impl World {
    pub(super) fn strike(&mut self, fault: Fault) {
        self.note(|| format!("{fault:?}"));
        let conn = self.attempt.as_ref().and_then(|attempt| attempt.conn);
        match (fault, conn) {
            (Fault::Cut, Some(conn)) => {
                let (random, agenda) = (&mut self.random, &mut self.agenda);
                self.network.cut(conn, random, agenda, Event::Net);
            }
            (Fault::CutAt { from, bytes }, Some(conn)) => self.network.cut_at(conn, from, bytes),
            (Fault::Stall { end, pause }, Some(conn)) => {
                self.network
                    .stall(conn, end, pause, &mut self.agenda, Event::Net);
            }
            (Fault::Abandon { late }, Some(conn)) => {
                self.network
                    .stall(conn, End::Target, late, &mut self.agenda, Event::Net);
                self.closed(conn, End::Source);
            }
            (Fault::Kill { end, down }, _) => match end {
                End::Source => self.kill_source(down),
                End::Target => self.kill_target(down),
            },
            (Fault::Jump { end, by }, _) => {
                let kind = if by > 0 {
                    Trouble::ClockAhead
                } else {
                    Trouble::ClockBack
                };
                self.network.tally.count(kind);
                self.jumped |= fault.is_long_jump();
                match end {
                    End::Source => self.source_clock.jump(by),
                    End::Target => self.target_clock.jump(by),
                }
                self.agenda.after(0, Event::Wake(end));
            }
            // A restore that is not wanted any more has nothing to prove.
            (Fault::Abort | Fault::TargetAbort, _) | (_, None) => {}
        }
    }

    /// The source dies, and with it its device set and what the engine took of it.
    fn kill_source(&mut self, down: Time) {
        if self.outcome.is_some() || self.attempt.take().is_none() {
            return;
        }
        self.network.tally.count(Trouble::SourceRestart);
        self.past += 1;
        let (random, agenda) = (&mut self.random, &mut self.agenda);
        self.network.die(End::Source, random, agenda, Event::Net);
        self.agenda.after(down, Event::Start);
    }

    fn kill_target(&mut self, down: Time) {
        if !std::mem::take(&mut self.up) {
            return;
        }
        self.network.tally.count(Trouble::TargetRestart);
        self.life += 1;
        self.targets.clear();
        let (random, agenda) = (&mut self.random, &mut self.agenda);
        self.network.die(End::Target, random, agenda, Event::Net);
        self.agenda.after(down, Event::Restart);
    }
}
