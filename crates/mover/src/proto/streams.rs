use super::control::MAX_STREAMS;
use super::violation::Violation;

/// The streams of a session, counted from 0.
#[derive(Debug)]
pub(super) struct Streams<S> {
    all: Vec<S>,
    /// Whose turn it is.
    turn: usize,
}

impl<S> Streams<S> {
    /// None: those of a session that is not known yet, or has ended.
    pub(super) const fn none() -> Self {
        Self {
            all: Vec::new(),
            turn: 0,
        }
    }

    /// # Errors
    /// [`Violation::Streams`] if there are none or too many.
    pub(super) fn new(all: Vec<S>) -> Result<Self, Violation> {
        Self::check(all.len())?;
        Ok(Self { all, turn: 0 })
    }

    /// Whether a session can have so many.
    pub(super) fn check(streams: usize) -> Result<(), Violation> {
        if streams == 0 || streams > usize::from(MAX_STREAMS) {
            return Err(Violation::Streams { streams });
        }
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// # Errors
    /// [`Violation::Stream`] if there is no such stream.
    pub(super) fn at(&mut self, stream: u16) -> Result<&mut S, Violation> {
        let streams = self.all.len();
        self.all
            .get_mut(usize::from(stream))
            .ok_or(Violation::Stream { stream, streams })
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, S> {
        self.all.iter()
    }

    pub(super) fn iter_mut(&mut self) -> std::slice::IterMut<'_, S> {
        self.all.iter_mut()
    }

    pub(super) fn numbered(&self) -> impl Iterator<Item = (u16, &S)> {
        (0..).zip(&self.all)
    }

    pub(super) fn numbered_mut(&mut self) -> impl Iterator<Item = (u16, &mut S)> {
        (0..).zip(&mut self.all)
    }

    /// What each stream has of `bytes` for all; at least 1.
    pub(super) fn share(&self, bytes: u64) -> u64 {
        share(bytes, self.all.len())
    }

    /// Asks each stream once, in turns, so that none keeps the others waiting.
    pub(super) fn next_turn<T>(&mut self, mut ask: impl FnMut(&mut S) -> Option<T>) -> Option<T> {
        let count = self.all.len();
        for step in 0..count {
            let index = (self.turn + step) % count;
            if let Some(found) = ask(self.all.get_mut(index)?) {
                self.turn = (index + 1) % count;
                return Some(found);
            }
        }
        None
    }
}

/// What each of so many streams has of `bytes` for all; at least 1.
pub(super) fn share(bytes: u64, streams: usize) -> u64 {
    let streams = u64::try_from(streams).unwrap_or(u64::MAX).max(1);
    (bytes / streams).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_has_between_one_stream_and_the_most() {
        assert!(Streams::new(Vec::<()>::new()).is_err());
        assert!(Streams::new(vec![(); usize::from(MAX_STREAMS)]).is_ok());
        assert_eq!(
            Streams::new(vec![(); usize::from(MAX_STREAMS) + 1]).unwrap_err(),
            Violation::Streams {
                streams: usize::from(MAX_STREAMS) + 1
            }
        );
    }

    #[test]
    fn streams_take_turns_and_an_idle_one_is_passed_over() {
        let mut streams = Streams::new(vec![("a", 2), ("b", 0), ("c", 3)]).unwrap();
        let mut order = Vec::new();
        while let Some(name) = streams.next_turn(|(name, left)| {
            *left -= 1;
            (*left >= 0).then_some(*name)
        }) {
            order.push(name);
        }
        assert_eq!(order, ["a", "c", "a", "c", "c"]);
    }
}
