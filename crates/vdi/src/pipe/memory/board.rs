//! How the heads of a device get to the other side through memory that both have.
//!
//! The connection of the device wakes: one byte, whatever it is, means that there may be something
//! to see. The connection is also how the death of the other side is seen: whoever rests, rests at
//! the connection.
//!
//! To rest and to be woken costs tens of microseconds on both sides together, most of it where a
//! processor has nothing else to do and has to be woken too. So a reader looks for a moment before it
//! rests, if that promises to be cheaper ([`Patience`]), and nobody who rests is woken for each head. A
//! reader whose heads have just come one after the other naps: it is woken for several heads, or for
//! those that there are when the other side begins to wait itself, and looks by itself after a
//! moment. Only then does it sleep, and is woken for the next head at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use super::area::Area;
use super::ring::{self, Reader, Rest, Words, Writer};
use crate::clock::Deadline;
use crate::patience::{End, Patience};
use crate::pipe::frame::{FrameError, Head, receive};
use crate::pipe::sys::Socket;

/// Both rings of a device.
#[derive(Debug)]
pub(crate) struct Board {
    writer: Writer<Part>,
    reader: Reader<Part>,
    patience: Patience,
    _end: End,
    /// Heads that were put in while the other side napped, and for which it was not woken.
    owing: usize,
    /// For so many it is woken.
    most_owed: usize,
}

/// The side that writes into the first ring, or into the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Engine,
    Client,
}

/// What a wait for a head gave.
#[derive(Debug)]
pub(crate) enum Heard {
    Head(Head),
    TimedOut,
    Cut,
}

/// How long a reader naps before it sleeps: what comes meanwhile is seen so much later at worst, if
/// the other side puts in a few heads and then turns to something else. It is not shorter, because
/// to set up a timer that goes off sooner than the system's own costs as much as to wake somebody.
const NAP: Duration = Duration::from_millis(5);

/// Bytes of both rings of a device.
pub(super) const fn bytes(heads: usize) -> usize {
    2 * ring::length(heads) * size_of::<u64>()
}

impl Board {
    /// The rings of a device for so many heads each, from the byte `first` of the area on, which
    /// nothing else is made of.
    pub(super) fn new(area: &Arc<Area>, first: usize, heads: usize, side: Side) -> Self {
        let part = |index: usize| Part {
            area: Arc::clone(area),
            first: first + index * bytes(heads) / 2,
            words: ring::length(heads),
        };
        let (mine, theirs) = match side {
            Side::Engine => (part(0), part(1)),
            Side::Client => (part(1), part(0)),
        };
        Self {
            writer: Writer::new(mine),
            reader: Reader::new(theirs),
            patience: Patience::default(),
            _end: End::default(),
            owing: 0,
            // The other side still has something to do while this one wakes up.
            most_owed: heads - heads / 4,
        }
    }

    /// Puts a head before the other side. If asked to, finds out before that it is gone; otherwise
    /// that is seen in the next wait.
    pub(crate) fn put(&mut self, head: Head, socket: &Socket, ask: bool) -> io::Result<()> {
        if ask && is_cut(socket)? {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        match self.writer.put(head.words()) {
            Rest::Awake => self.owing = 0,
            Rest::Napping if self.owing + 1 < self.most_owed => self.owing += 1,
            Rest::Napping | Rest::Asleep => self.ring(socket)?,
        }
        Ok(())
    }

    /// The next head.
    pub(crate) fn next(
        &mut self,
        socket: &Socket,
        deadline: Deadline,
    ) -> Result<Heard, FrameError> {
        if let Some(head) = self.take()? {
            return Ok(Heard::Head(head));
        }
        if deadline.has_passed() {
            return self.look_at(socket, deadline);
        }
        // Whoever waits lets nobody wait for it.
        if std::mem::take(&mut self.owing) > 0 && self.writer.reader() != Rest::Awake {
            self.ring(socket).map_err(FrameError::Io)?;
        }
        let (patience, reader) = (&mut self.patience, &mut self.reader);
        if let Some(head) = parse(patience.look(|| reader.take()))? {
            return Ok(Heard::Head(head));
        }
        let heard = self.rest(socket, deadline);
        self.reader.rest(Rest::Awake);
        heard
    }

    fn take(&mut self) -> Result<Option<Head>, FrameError> {
        parse(self.reader.take())
    }

    /// Naps, then sleeps.
    fn rest(&mut self, socket: &Socket, deadline: Deadline) -> Result<Heard, FrameError> {
        for (rest, until) in [
            (Rest::Napping, deadline.within(NAP)),
            (Rest::Asleep, deadline),
        ] {
            self.reader.rest(rest);
            if let Some(head) = self.take()? {
                return Ok(Heard::Head(head));
            }
            match self.look_at(socket, until)? {
                Heard::TimedOut if !deadline.has_passed() => {}
                heard => return Ok(heard),
            }
        }
        Ok(Heard::TimedOut)
    }

    /// Waits until the other side rings or is gone, and looks.
    fn look_at(&mut self, socket: &Socket, deadline: Deadline) -> Result<Heard, FrameError> {
        let mut bells = [0; 64];
        loop {
            let rung = receive(socket, &mut bells, deadline)?;
            // What was put in before the connection was cut counts.
            if let Some(head) = self.take()? {
                return Ok(Heard::Head(head));
            }
            match rung {
                None => return Ok(Heard::TimedOut),
                Some(0) => return Ok(Heard::Cut),
                // The bell was for what was seen before.
                Some(_) if deadline.has_passed() => return Ok(Heard::TimedOut),
                Some(_) => {}
            }
        }
    }

    fn ring(&mut self, socket: &Socket) -> io::Result<()> {
        use io::ErrorKind::{BrokenPipe, ConnectionReset, NotConnected, TimedOut};
        self.owing = 0;
        match socket.send(b"!", &[], Deadline::after(Some(Duration::ZERO))) {
            // It has enough bells to hear, or has seen the head, ended well and gone. If it went
            // without, whoever waits for it finds out.
            Err(error)
                if matches!(
                    error.kind(),
                    TimedOut | BrokenPipe | ConnectionReset | NotConnected
                ) =>
            {
                Ok(())
            }
            result => result,
        }
    }
}

fn parse(words: Option<Words>) -> Result<Option<Head>, FrameError> {
    let head = words.map(Head::from_words);
    head.transpose().map_err(FrameError::Rule)
}

/// Whether nobody can hear any more.
fn is_cut(socket: &Socket) -> io::Result<bool> {
    // Bells may be lost: whoever is about to rest looks at the ring first.
    let at_once = Deadline::after(Some(Duration::ZERO));
    match receive(socket, &mut [0; 64], at_once) {
        Ok(heard) => Ok(heard == Some(0)),
        Err(FrameError::Io(error)) => Err(error),
        Err(FrameError::Rule(_)) => Ok(false),
    }
}

/// The words of one ring.
#[derive(Debug)]
struct Part {
    area: Arc<Area>,
    first: usize,
    words: usize,
}

impl AsRef<[AtomicU64]> for Part {
    fn as_ref(&self) -> &[AtomicU64] {
        // SAFETY: slots end before the first ring, so no zone has a byte of it.
        let words = unsafe { self.area.words(self.first, self.words) };
        words.unwrap_or_default()
    }
}
