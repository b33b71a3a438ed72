use std::collections::VecDeque;

use super::{Arrival, End, Time};
use crate::random::Random;

/// The most bytes on the way before a sender has to wait, as for a socket's buffer.
const BUFFER: usize = 2000;

/// One connection.
#[derive(Debug)]
pub(super) struct Conn {
    /// No byte arrives any more.
    pub(super) broken: bool,
    /// Which ends have it open.
    open: [bool; 2],
    /// When the newest bytes from each end arrive.
    last: [Time; 2],
    /// Bytes on the way from each end, or not read by the other.
    on_the_way: [usize; 2],
    /// Bytes from each end behind which the connection breaks.
    fuse: [Option<usize>; 2],
    snapped_in_frame: bool,
    /// Until when each end does not read, and what lies there for it.
    asleep: [Time; 2],
    unread: [VecDeque<Arrival>; 2],
    /// It was counted that a newer connection overtook it.
    counted: bool,
    delay: Time,
}

impl Conn {
    pub(super) fn new(delay: Time) -> Self {
        Self {
            broken: false,
            open: [true, true],
            last: [0, 0],
            on_the_way: [0, 0],
            fuse: [None, None],
            snapped_in_frame: false,
            asleep: [0, 0],
            unread: [VecDeque::new(), VecDeque::new()],
            counted: false,
            delay,
        }
    }

    pub(super) const fn is_open(&self, end: End) -> bool {
        self.open[end as usize]
    }

    pub(super) const fn takes(&self, from: End) -> bool {
        self.on_the_way[from as usize] < BUFFER
    }

    /// Bytes leave; cuts off what is behind the point where the connection breaks. True if that
    /// point is in them.
    pub(super) fn burn(&mut self, from: End, bytes: &mut Vec<u8>) -> bool {
        let lane = from as usize;
        self.on_the_way[lane] += bytes.len();
        let Some(left) = &mut self.fuse[lane] else {
            return false;
        };
        if *left >= bytes.len() {
            *left -= bytes.len();
            return false;
        }
        self.snapped_in_frame |= *left > 0;
        bytes.truncate(std::mem::take(left));
        true
    }

    pub(super) const fn snapped_in_frame(&self) -> bool {
        self.snapped_in_frame
    }

    pub(super) const fn lay_fuse(&mut self, from: End, bytes: usize) {
        let fuse = &mut self.fuse[from as usize];
        if fuse.is_none() {
            *fuse = Some(bytes);
        }
    }

    /// When bytes that leave now arrive: never before those that left earlier.
    pub(super) fn arrival(&mut self, from: End, now: Time, random: &mut Random) -> Time {
        let last = &mut self.last[from as usize];
        *last = (*last).max(now + self.delay + random.between(0, self.delay));
        *last
    }

    pub(super) fn arrive(&mut self, to: End, count: usize) -> bool {
        let lane = to.other() as usize;
        self.on_the_way[lane] = self.on_the_way[lane].saturating_sub(count);
        !self.broken && self.is_open(to)
    }

    /// True once.
    pub(super) const fn overtaken(&mut self) -> bool {
        !std::mem::replace(&mut self.counted, true)
    }

    /// When the other end hears that this one closed, if it does.
    pub(super) fn close(&mut self, by: End, now: Time) -> Option<Time> {
        let was_open = std::mem::take(&mut self.open[by as usize]);
        (was_open && !self.broken).then(|| self.last[by as usize].max(now + self.delay) + 1)
    }

    /// The end is gone and says nothing; true if the other one thinks that it is there.
    pub(super) const fn vanish(&mut self, end: End) -> bool {
        self.open[end as usize] = false;
        !std::mem::replace(&mut self.broken, true) && self.is_open(end.other())
    }

    /// Does not read until then, or until the end of a longer pause.
    pub(super) fn stall(&mut self, to: End, until: Time) -> Time {
        let asleep = &mut self.asleep[to as usize];
        *asleep = (*asleep).max(until);
        *asleep
    }

    pub(super) fn sleeps(&self, to: End, now: Time) -> bool {
        now < self.asleep[to as usize] || !self.unread[to as usize].is_empty()
    }

    /// Leaves it unread; true if it is the first.
    pub(super) fn keep(&mut self, to: End, arrival: Arrival) -> bool {
        let unread = &mut self.unread[to as usize];
        unread.push_back(arrival);
        unread.len() == 1
    }

    /// What lay there, once the pause is over.
    pub(super) fn awake(&mut self, to: End, now: Time) -> Vec<Arrival> {
        if now < self.asleep[to as usize] {
            return Vec::new();
        }
        self.unread[to as usize].drain(..).collect()
    }
}
