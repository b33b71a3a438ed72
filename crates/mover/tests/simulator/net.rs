//! Connections that deliver bytes late, in pieces, and sometimes no more.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use vab_mover::proto::Moment;
use vab_mover::proto::frame::Frame;

use crate::random::Random;

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

/// A line of what is to happen, in order of time and then of entry.
#[derive(Debug)]
pub(crate) struct Agenda<E> {
    heap: BinaryHeap<Reverse<(Time, u64)>>,
    events: BTreeMap<u64, E>,
    entries: u64,
    pub(crate) now: Time,
}

impl<E> Agenda<E> {
    pub(crate) fn new() -> Self {
        Self {
            heap: BinaryHeap::new(),
            events: BTreeMap::new(),
            entries: 0,
            now: 0,
        }
    }

    pub(crate) fn at(&mut self, time: Time, event: E) {
        self.entries += 1;
        self.heap.push(Reverse((time.max(self.now), self.entries)));
        self.events.insert(self.entries, event);
    }

    pub(crate) fn after(&mut self, delay: Time, event: E) {
        self.at(self.now + delay, event);
    }

    pub(crate) fn next(&mut self) -> Option<E> {
        let Reverse((time, entry)) = self.heap.pop()?;
        self.now = time;
        self.events.remove(&entry)
    }
}

/// The clock of one end; it may jump ahead, as that of a machine that was suspended.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LocalClock {
    ahead: Time,
    /// The wake-up that is on the agenda, so that there is one of them.
    pub(crate) wake: Option<Time>,
}

impl LocalClock {
    pub(crate) const fn jump(&mut self, by: Time) {
        self.ahead += by;
    }

    pub(crate) const fn moment(&self, now: Time) -> Moment {
        Moment::from_start(Duration::from_micros(now + self.ahead))
    }

    /// When this clock shows `moment`.
    pub(crate) fn time_of(&self, moment: Moment) -> Time {
        u64::try_from(moment.elapsed().as_micros())
            .unwrap()
            .saturating_sub(self.ahead)
    }
}

#[derive(Debug)]
pub(crate) struct Conn {
    /// No byte arrives any more.
    pub(crate) broken: bool,
    /// Which ends have it open.
    pub(crate) open: [bool; 2],
    last: [Time; 2],
    /// Bytes on the way, each direction.
    on_the_way: [usize; 2],
    delay: Time,
}

/// What the network asks the agenda for.
#[derive(Debug)]
pub(crate) enum Arrival {
    Bytes { conn: u64, to: End, bytes: Vec<u8> },
    Closed { conn: u64, to: End },
}

/// The most bytes on the way before a sender has to wait, as for a socket's buffer.
const BUFFER: usize = 2000;

#[derive(Debug, Default)]
pub(crate) struct Network {
    pub(crate) conns: BTreeMap<u64, Conn>,
    count: u64,
}

impl Network {
    pub(crate) fn connect(&mut self, delay: Time) -> u64 {
        self.count += 1;
        let conn = Conn {
            broken: false,
            open: [true, true],
            last: [0, 0],
            on_the_way: [0, 0],
            delay,
        };
        self.conns.insert(self.count, conn);
        self.count
    }

    pub(crate) fn is_open(&self, conn: u64, end: End) -> bool {
        self.conns
            .get(&conn)
            .is_some_and(|conn| conn.open[end as usize])
    }

    /// Whether the socket of `from` takes another frame.
    pub(crate) fn takes(&self, conn: u64, from: End) -> bool {
        self.conns
            .get(&conn)
            .is_some_and(|conn| conn.on_the_way[from as usize] < BUFFER)
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
        let lane = from as usize;
        state.on_the_way[lane] += bytes.len();
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let size = if random.chance(70) {
                rest.len()
            } else {
                random.index(rest.len()) + 1
            };
            let (piece, later) = rest.split_at(size);
            rest = later;
            let arrival = agenda.now + state.delay + random.between(0, state.delay);
            state.last[lane] = state.last[lane].max(arrival);
            let bytes = piece.to_vec();
            agenda.at(
                state.last[lane],
                wrap(Arrival::Bytes {
                    conn,
                    to: from.other(),
                    bytes,
                }),
            );
        }
    }

    /// Bytes come in: none if the connection broke while they were on their way.
    pub(crate) fn arrive(&mut self, conn: u64, to: End, count: usize) -> bool {
        let Some(state) = self.conns.get_mut(&conn) else {
            return false;
        };
        let lane = to.other() as usize;
        state.on_the_way[lane] = state.on_the_way[lane].saturating_sub(count);
        !state.broken && state.open[to as usize]
    }

    /// One end closes; the other hears of it after what was sent before.
    pub(crate) fn close<E>(
        &mut self,
        conn: u64,
        by: End,
        agenda: &mut Agenda<E>,
        wrap: impl Fn(Arrival) -> E,
    ) {
        let Some(state) = self.conns.get_mut(&conn) else {
            return;
        };
        if std::mem::take(&mut state.open[by as usize]) && !state.broken {
            let arrival = state.last[by as usize].max(agenda.now + state.delay) + 1;
            agenda.at(
                arrival,
                wrap(Arrival::Closed {
                    conn,
                    to: by.other(),
                }),
            );
        }
    }

    /// The connection breaks, wherever it is in the bytes. Each end may notice, or not.
    pub(crate) fn cut<E>(
        &mut self,
        conn: u64,
        random: &mut Random,
        agenda: &mut Agenda<E>,
        wrap: impl Fn(Arrival) -> E,
    ) {
        let Some(state) = self.conns.get_mut(&conn) else {
            return;
        };
        if std::mem::replace(&mut state.broken, true) {
            return;
        }
        for to in [End::Source, End::Target] {
            if random.chance(75) {
                let delay = random.between(0, SECOND);
                agenda.after(delay, wrap(Arrival::Closed { conn, to }));
            }
        }
    }
}
