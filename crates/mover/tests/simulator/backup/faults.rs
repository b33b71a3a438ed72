//! What goes wrong during a run.

use super::{Event, StoreFault, World};
use crate::net::{End, SECOND};

impl World {
    /// Puts what goes wrong on the agenda; says whether the source aborts and the store fails.
    pub(super) fn faults(&mut self) -> (bool, bool) {
        let span = self.random.between(1, 600) * self.random.between(1, SECOND);
        let cuts = if self.random.chance(30) {
            0
        } else {
            self.random.between(1, 12)
        };
        for _ in 0..cuts {
            let at = self.random.between(0, span);
            self.agenda.at(at, Event::Cut);
        }
        let kills = if self.random.chance(50) {
            0
        } else {
            self.random.between(1, 4)
        };
        for _ in 0..kills {
            let at = self.random.between(0, span);
            self.agenda.at(at, Event::Kill);
        }
        if self.random.chance(10) {
            let at = self.random.between(0, span);
            let end = if self.random.chance(50) {
                End::Source
            } else {
                End::Target
            };
            self.agenda.at(at, Event::Jump(end));
        }
        let aborted = self.random.chance(5);
        if aborted {
            let at = self.random.between(0, span);
            self.agenda.at(at, Event::Abort);
        }
        self.fault = match self.random.between(1, 60) {
            1 => StoreFault::Write(self.random.between(1, 30)),
            2 => StoreFault::Sync,
            3 => StoreFault::Commit,
            _ => StoreFault::None,
        };
        (aborted, self.fault != StoreFault::None)
    }

    pub(super) fn kill(&mut self) {
        if self.process.take().is_none() {
            return;
        }
        self.note(|| "target is killed".to_owned());
        self.life += 1;
        // What failed was in the memory of that process.
        self.broken = false;
        self.disk.lose_power(&mut self.random);
        let conns: Vec<u64> = self.network.conns.keys().copied().collect();
        for conn in conns {
            if self.network.is_open(conn, End::Target) {
                // A killed process resets its connections; a dead machine says nothing.
                if self.random.chance(70) {
                    self.network
                        .close(conn, End::Target, &mut self.agenda, Event::Net);
                } else if let Some(state) = self.network.conns.get_mut(&conn) {
                    state.broken = true;
                    state.open[End::Target as usize] = false;
                }
            }
        }
        let down = self.random.between(1, 60 * SECOND);
        self.agenda.after(down, Event::Restart);
    }
}
