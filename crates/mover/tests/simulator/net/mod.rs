//! Connections that deliver bytes late, in pieces, and sometimes no more.

mod agenda;
mod clock;
mod conn;

use std::collections::BTreeMap;

use vab_mover::proto::frame::Frame;

pub(crate) use agenda::Agenda;
pub(crate) use clock::LocalClock;
use conn::Conn;

use crate::random::Random;
use crate::tally::{Tally, Trouble};

/// Microseconds of virtual time.
pub(crate) type Time = u64;

pub(crate) const SECOND: Time = 1_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    Source,
    Target,
}

impl End {
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Source => Self::Target,
            Self::Target => Self::Source,
        }
    }
}

/// How long the other end of a cable, a disk or an engine takes at the most: mostly little,
/// sometimes longer than it takes to lose a connection and to get another.
pub(crate) fn slowness(random: &mut Random) -> Time {
    match random.between(1, 10) {
        1..=6 => random.between(10, SECOND / 10),
        7..=8 => random.between(10, SECOND),
        _ => random.between(10, 5 * SECOND),
    }
}

/// What the network asks the agenda for.
#[derive(Debug)]
pub(crate) enum Arrival {
    Bytes {
        conn: u64,
        to: End,
        bytes: Vec<u8>,
    },
    Closed {
        conn: u64,
        to: End,
    },
    /// An end that did not read goes on.
    Awake {
        conn: u64,
        to: End,
    },
    /// The byte behind which the connection breaks has arrived.
    Snap {
        conn: u64,
    },
}

/// All connections of a run.
#[derive(Debug, Default)]
pub(crate) struct Network {
    conns: BTreeMap<u64, Conn>,
    count: u64,
    /// The newest connection on which a request was heard.
    newest: u64,
    pub(crate) tally: Tally,
}

impl Network {
    pub(crate) fn connect(&mut self, random: &mut Random) -> u64 {
        self.count += 1;
        self.conns
            .insert(self.count, Conn::new(random.between(50, 50_000)));
        self.count
    }

    pub(crate) fn is_open(&self, conn: u64, end: End) -> bool {
        self.conns.get(&conn).is_some_and(|conn| conn.is_open(end))
    }

    /// The connections that this end has open.
    pub(crate) fn open_at(&self, end: End) -> Vec<u64> {
        self.conns
            .iter()
            .filter(|(_, conn)| conn.is_open(end))
            .map(|(number, _)| *number)
            .collect()
    }

    /// Whether the socket of `from` takes another frame.
    pub(crate) fn takes(&self, conn: u64, from: End) -> bool {
        self.conns.get(&conn).is_some_and(|conn| conn.takes(from))
    }

    /// The target heard the first request of a connection.
    pub(crate) fn requested(&mut self, conn: u64) {
        self.newest = self.newest.max(conn);
    }

    pub(crate) fn send<E>(
        &mut self,
        conn: u64,
        from: End,
        frame: Frame,
        random: &mut Random,
        agenda: &mut Agenda<E>,
        wrap: impl Fn(Arrival) -> E,
    ) {
        let (mut bytes, payload) = frame.encode().unwrap();
        bytes.extend_from_slice(&payload);
        let state = self.conns.get_mut(&conn).unwrap();
        let snaps = state.burn(from, &mut bytes);
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let size = if random.chance(70) {
                rest.len()
            } else {
                random.index(rest.len()) + 1
            };
            let (piece, later) = rest.split_at(size);
            rest = later;
            let time = state.arrival(from, agenda.now, random);
            let (to, bytes) = (from.other(), piece.to_vec());
            agenda.at(time, wrap(Arrival::Bytes { conn, to, bytes }));
        }
        if snaps {
            let time = state.arrival(from, agenda.now, random);
            agenda.at(time, wrap(Arrival::Snap { conn }));
        }
    }

    /// What now arrives at an end, in order.
    pub(crate) fn deliver<E>(
        &mut self,
        arrival: Arrival,
        random: &mut Random,
        agenda: &mut Agenda<E>,
        wrap: impl Fn(Arrival) -> E,
    ) -> Vec<Arrival> {
        match arrival {
            Arrival::Snap { conn } => {
                if self.cut(conn, random, agenda, wrap)
                    && self.conns.get(&conn).is_some_and(Conn::snapped_in_frame)
                {
                    self.tally.count(Trouble::CutInFrame);
                }
                Vec::new()
            }
            Arrival::Awake { conn, to } => self
                .conns
                .get_mut(&conn)
                .map(|state| state.awake(to, agenda.now))
                .unwrap_or_default(),
            Arrival::Bytes { conn, to, .. } | Arrival::Closed { conn, to } => {
                let Some(state) = self.conns.get_mut(&conn) else {
                    return Vec::new();
                };
                if state.sleeps(to, agenda.now) {
                    if state.keep(to, arrival) {
                        self.tally.count(Trouble::SlowReader);
                    }
                    return Vec::new();
                }
                vec![arrival]
            }
        }
    }

    /// Bytes come in; false if the connection broke while they were on their way.
    pub(crate) fn arrive(&mut self, conn: u64, to: End, count: usize) -> bool {
        let Some(state) = self.conns.get_mut(&conn) else {
            return false;
        };
        let arrives = state.arrive(to, count);
        if to == End::Target && !state.broken && conn < self.newest && state.overtaken() {
            self.tally.count(Trouble::Reorder);
        }
        arrives
    }

    /// One end closes; the other hears of it after what was sent before.
    pub(crate) fn close<E>(
        &mut self,
        conn: u64,
        by: End,
        agenda: &mut Agenda<E>,
        wrap: impl Fn(Arrival) -> E,
    ) {
        if let Some(state) = self.conns.get_mut(&conn)
            && let Some(time) = state.close(by, agenda.now)
        {
            let to = by.other();
            agenda.at(time, wrap(Arrival::Closed { conn, to }));
        }
    }

    /// The process at one end dies: the system closes its connections, or, with the machine gone,
    /// says nothing.
    pub(crate) fn die<E>(
        &mut self,
        end: End,
        random: &mut Random,
        agenda: &mut Agenda<E>,
        wrap: impl Fn(Arrival) -> E + Copy,
    ) {
        for conn in self.open_at(end) {
            if random.chance(70) {
                self.close(conn, end, agenda, wrap);
            } else if let Some(state) = self.conns.get_mut(&conn)
                && state.vanish(end)
            {
                self.tally.count(Trouble::HalfOpen);
            }
        }
    }

    /// The connection breaks behind so many more bytes from one end.
    pub(crate) fn cut_at(&mut self, conn: u64, from: End, bytes: usize) {
        if let Some(state) = self.conns.get_mut(&conn) {
            state.lay_fuse(from, bytes);
        }
    }

    /// An end does not read for a while.
    pub(crate) fn stall<E>(
        &mut self,
        conn: u64,
        to: End,
        pause: Time,
        agenda: &mut Agenda<E>,
        wrap: impl Fn(Arrival) -> E,
    ) {
        if let Some(state) = self.conns.get_mut(&conn) {
            let until = state.stall(to, agenda.now + pause);
            agenda.at(until, wrap(Arrival::Awake { conn, to }));
        }
    }

    /// The connection breaks, wherever it is in the bytes. Each end may notice, or not. False if
    /// it was no connection any more.
    pub(crate) fn cut<E>(
        &mut self,
        conn: u64,
        random: &mut Random,
        agenda: &mut Agenda<E>,
        wrap: impl Fn(Arrival) -> E,
    ) -> bool {
        let Some(state) = self.conns.get_mut(&conn) else {
            return false;
        };
        let alive = state.is_open(End::Source) && state.is_open(End::Target);
        if std::mem::replace(&mut state.broken, true) || !alive {
            return false;
        }
        self.tally.count(Trouble::Cut);
        let mut told = 0;
        for to in [End::Source, End::Target] {
            if random.chance(75) {
                told += 1;
                let delay = random.between(0, SECOND);
                agenda.after(delay, wrap(Arrival::Closed { conn, to }));
            }
        }
        if told == 1 {
            self.tally.count(Trouble::HalfOpen);
        }
        true
    }
}
