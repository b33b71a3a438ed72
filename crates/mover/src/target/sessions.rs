use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::net::Link;
use crate::proto::backup::Terms;

/// What others may ask of a running backup session.
pub(super) enum Ask {
    /// Its source came back over this connection.
    Attach(Link, Terms),
    /// End if no source is attached, for this reason; answered when nothing is left.
    EndIfParked(&'static str, oneshot::Sender<()>),
}

struct Entry {
    key: [u8; 16],
    slot: Option<Vec<u8>>,
    parked: Arc<AtomicBool>,
    ask: mpsc::Sender<Ask>,
}

/// The backup sessions of this target.
#[derive(Clone, Default)]
pub(super) struct Sessions(Arc<Mutex<HashMap<Uuid, Entry>>>);

/// A session's place in the table; it leaves when this is dropped.
pub(super) struct Place {
    sessions: Sessions,
    session: Uuid,
    pub(super) parked: Arc<AtomicBool>,
    pub(super) asked: mpsc::Receiver<Ask>,
}

impl Sessions {
    /// `None` if the session is there already.
    pub(super) fn enter(
        &self,
        session: Uuid,
        key: [u8; 16],
        slot: Option<Vec<u8>>,
    ) -> Option<Place> {
        let (ask, asked) = mpsc::channel(4);
        let parked = Arc::new(AtomicBool::new(false));
        let mut table = self.lock();
        if table.contains_key(&session) {
            return None;
        }
        table.insert(
            session,
            Entry {
                key,
                slot,
                parked: Arc::clone(&parked),
                ask,
            },
        );
        drop(table);
        Some(Place {
            sessions: self.clone(),
            session,
            parked,
            asked,
        })
    }

    /// A way to ask the session, for who knows its key.
    pub(super) fn find(&self, session: Uuid, key: [u8; 16]) -> Option<mpsc::Sender<Ask>> {
        self.lock()
            .get(&session)
            .filter(|entry| entry.key == key)
            .map(|entry| entry.ask.clone())
    }

    /// Sessions of this slot whose source has gone.
    pub(super) fn parked_in(&self, slot: &[u8]) -> Vec<mpsc::Sender<Ask>> {
        self.lock()
            .values()
            .filter(|entry| entry.slot.as_deref() == Some(slot))
            .filter(|entry| entry.parked.load(Ordering::Acquire))
            .map(|entry| entry.ask.clone())
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.sessions.lock().remove(&self.session);
    }
}
