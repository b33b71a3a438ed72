use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Connections whose peers are not known yet. There are never more than the limit: a new one
/// sends away the one that has waited longest. So idle connections, however many, keep nobody
/// out who proves at once who he is.
#[derive(Clone, Debug)]
pub(super) struct Lobby {
    limit: usize,
    waiting: Arc<Mutex<Waiting>>,
}

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    /// Oldest first.
    places: VecDeque<(u64, oneshot::Sender<()>)>,
}

/// A place in the lobby, until this is dropped.
#[derive(Debug)]
pub(super) struct Ticket {
    number: u64,
    waiting: Arc<Mutex<Waiting>>,
    sent_away: oneshot::Receiver<()>,
}

impl Lobby {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit: limit.max(1),
            waiting: Arc::default(),
        }
    }

    pub(super) fn enter(&self) -> Ticket {
        let (go, sent_away) = oneshot::channel();
        let mut waiting = lock(&self.waiting);
        while waiting.places.len() >= self.limit {
            if let Some((_, oldest)) = waiting.places.pop_front() {
                let _ = oldest.send(());
            }
        }
        let number = waiting.next;
        waiting.next = number.wrapping_add(1);
        waiting.places.push_back((number, go));
        drop(waiting);
        Ticket {
            number,
            waiting: Arc::clone(&self.waiting),
            sent_away,
        }
    }
}

impl Ticket {
    /// Over when somebody newer needs the place. Cancel safe.
    pub(super) async fn sent_away(&mut self) {
        if (&mut self.sent_away).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut waiting = lock(&self.waiting);
        let place = waiting
            .places
            .binary_search_by_key(&self.number, |(number, _)| *number);
        if let Ok(place) = place {
            waiting.places.remove(place);
        }
    }
}

fn lock(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_sent_away(ticket: &mut Ticket) -> bool {
        ticket.sent_away.try_recv().is_ok()
    }

    #[test]
    fn the_one_that_waited_longest_goes() {
        let lobby = Lobby::new(2);
        let (mut one, mut two) = (lobby.enter(), lobby.enter());
        let mut three = lobby.enter();
        assert!(is_sent_away(&mut one));
        assert!(!is_sent_away(&mut two) && !is_sent_away(&mut three));
    }

    #[test]
    fn a_place_that_was_left_is_free() {
        let lobby = Lobby::new(2);
        let (mut one, two) = (lobby.enter(), lobby.enter());
        drop(two);
        let mut three = lobby.enter();
        assert!(!is_sent_away(&mut one) && !is_sent_away(&mut three));
    }
}
