//! A connected pipe whose calls end in time.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::os::windows::io::{AsHandle, OwnedHandle};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::event::Event;
use super::operation::{Ended, Wait, available};
use crate::clock::Deadline;
use crate::sync::lock;

/// A connection to the other side. Reads and writes never block beyond their deadline.
#[derive(Debug)]
pub(in crate::pipe) struct Socket {
    end: End,
    /// `None` when it was cut; closed when no call uses it any more.
    pipe: Mutex<Option<Arc<OwnedHandle>>>,
    cut: Event,
    /// One read at a time, and one write.
    reading: Mutex<Reading>,
    writing: Mutex<Event>,
}

#[derive(Debug)]
struct Reading {
    event: Event,
    /// What had come when the connection was cut, the next byte first.
    rest: VecDeque<u8>,
}

/// The most that is kept at a cut: what one completion needs, and more.
const MOST_KEPT: usize = 1 << 16;

/// Which end of the pipe this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Its maker's.
    Made,
    /// That of whoever connected.
    Connected,
}

impl Socket {
    pub(super) fn new(pipe: OwnedHandle, end: End) -> io::Result<Self> {
        Ok(Self {
            end,
            pipe: Mutex::new(Some(Arc::new(pipe))),
            cut: Event::new()?,
            reading: Mutex::new(Reading {
                event: Event::new()?,
                rest: VecDeque::new(),
            }),
            writing: Mutex::new(Event::new()?),
        })
    }

    pub(super) fn end(&self) -> End {
        self.end
    }

    /// The pipe, unless it was cut.
    pub(super) fn pipe(&self) -> Option<Arc<OwnedHandle>> {
        lock(&self.pipe).clone()
    }

    /// Some bytes; 0 at the end of the stream, `None` when none came in time.
    pub(in crate::pipe) fn receive(
        &self,
        into: &mut [u8],
        deadline: Deadline,
    ) -> io::Result<Option<usize>> {
        let mut reading = lock(&self.reading);
        // What was kept at a cut comes first, also before the cut is done.
        let Some(pipe) = self.pipe().filter(|_| reading.rest.is_empty()) else {
            return reading.rest.read(into).map(Some);
        };
        if deadline.left() == Some(Duration::ZERO) && available(pipe.as_handle())? == Some(0) {
            return Ok(None);
        }
        match self.read(&pipe, &reading.event, into, deadline)? {
            Ended::Done(bytes) => Ok(Some(bytes)),
            Ended::TimedOut => Ok(None),
            Ended::Stopped | Ended::Cut => Ok(Some(0)),
        }
    }

    fn read(
        &self,
        pipe: &OwnedHandle,
        event: &Event,
        into: &mut [u8],
        deadline: Deadline,
    ) -> io::Result<Ended> {
        let wait = Wait {
            pipe: pipe.as_handle(),
            event,
            stop: &self.cut,
            deadline,
        };
        wait.read(into)
    }

    /// Sends all of both parts.
    pub(in crate::pipe) fn send(
        &self,
        head: &[u8],
        body: &[u8],
        deadline: Deadline,
    ) -> io::Result<()> {
        let event = lock(&self.writing);
        for part in [head, body] {
            let mut sent = 0;
            while let Some(rest) = part.get(sent..).filter(|rest| !rest.is_empty()) {
                let Some(pipe) = self.pipe() else {
                    return Err(io::ErrorKind::BrokenPipe.into());
                };
                let wait = Wait {
                    pipe: pipe.as_handle(),
                    event: &event,
                    stop: &self.cut,
                    deadline,
                };
                match wait.write(rest)? {
                    Ended::Done(bytes) => sent += bytes,
                    Ended::TimedOut => return Err(io::ErrorKind::TimedOut.into()),
                    Ended::Stopped | Ended::Cut => {
                        return Err(io::ErrorKind::BrokenPipe.into());
                    }
                }
            }
        }
        Ok(())
    }

    /// Cuts the connection, which wakes both sides. What was sent before still arrives, on either
    /// side.
    pub(in crate::pipe) fn cut(&self) {
        // Whoever is reading finds what there is.
        if let Ok(mut reading) = self.reading.try_lock() {
            // What cannot be read is lost with the other side.
            let _ = self.keep(&mut reading);
        }
        self.cut.set();
        lock(&self.pipe).take();
    }

    /// Reads what has come and was not read, because there is nothing to read from after a cut.
    fn keep(&self, reading: &mut Reading) -> io::Result<()> {
        let Some(pipe) = self.pipe() else {
            return Ok(());
        };
        let mut room = [0; 4096];
        while reading.rest.len() < MOST_KEPT && available(pipe.as_handle())? > Some(0) {
            // It is there, so this does not wait.
            let never = Deadline::after(None);
            match self.read(&pipe, &reading.event, &mut room, never)? {
                Ended::Done(bytes) => reading.rest.extend(room.iter().take(bytes)),
                _ => break,
            }
        }
        Ok(())
    }

    /// Two ends.
    #[cfg(test)]
    pub(in crate::pipe) fn pair() -> io::Result<(Self, Self)> {
        super::listener::pair()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    fn never() -> Deadline {
        Deadline::after(None)
    }

    fn at_once() -> Deadline {
        Deadline::after(Some(Duration::ZERO))
    }

    #[test]
    fn what_was_sent_before_a_cut_arrives_and_then_the_end() {
        for turned in [false, true] {
            let (mut near, mut far) = Socket::pair().unwrap();
            if turned {
                std::mem::swap(&mut near, &mut far);
            }
            near.send(b"last", b" word", never()).unwrap();
            near.cut();
            let mut word = [0; 9];
            assert_eq!(far.receive(&mut word, never()).unwrap(), Some(9));
            assert_eq!(&word, b"last word");
            assert_eq!(far.receive(&mut word, never()).unwrap(), Some(0));
            let error = far.send(b"x", &[], never()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        }
    }

    #[test]
    fn what_had_come_before_a_cut_of_this_side_can_be_read() {
        let (near, far) = Socket::pair().unwrap();
        far.send(&[7; 5000], &[], never()).unwrap();
        near.cut();
        let mut room = [0; 4000];
        assert_eq!(near.receive(&mut room, at_once()).unwrap(), Some(4000));
        assert_eq!(near.receive(&mut room, never()).unwrap(), Some(1000));
        assert_eq!(near.receive(&mut room, never()).unwrap(), Some(0));
        assert_eq!(far.receive(&mut room, never()).unwrap(), Some(0));
    }

    #[test]
    fn a_read_that_timed_out_took_nothing() {
        let (near, far) = Socket::pair().unwrap();
        let mut byte = [0];
        for sent in 0..50 {
            assert_eq!(near.receive(&mut byte, at_once()).unwrap(), None);
            far.send(&[sent], &[], never()).unwrap();
            assert_eq!(near.receive(&mut byte, never()).unwrap(), Some(1));
            assert_eq!(byte, [sent]);
        }
    }

    #[test]
    fn a_cut_wakes_who_waits_on_either_side() {
        let (near, far) = Socket::pair().unwrap();
        let (near, far) = (Arc::new(near), Arc::new(far));
        let waiters = [&near, &far].map(|socket| {
            let socket = Arc::clone(socket);
            thread::spawn(move || socket.receive(&mut [0], never()))
        });
        near.cut();
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap().unwrap(), Some(0));
        }
        assert!(near.send(b"x", &[], never()).is_err());
    }

    #[test]
    fn a_send_that_nobody_reads_ends_in_time() {
        let (near, _far) = Socket::pair().unwrap();
        let soon = Deadline::after(Some(Duration::from_millis(20)));
        let error = near.send(&vec![0; 4 << 20], &[], soon).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn more_than_the_pipe_holds_goes_through() {
        let (near, far) = Socket::pair().unwrap();
        let sender = thread::spawn(move || near.send(&vec![7; 1 << 20], b"end", never()));
        let (mut all, mut room) = (Vec::new(), vec![0; 10_000]);
        while let Some(count @ 1..) = far.receive(&mut room, never()).unwrap() {
            all.extend_from_slice(&room[..count]);
            if all.len() == (1 << 20) + 3 {
                break;
            }
        }
        sender.join().unwrap().unwrap();
        assert!(all.ends_with(b"\x07end"));
    }
}
