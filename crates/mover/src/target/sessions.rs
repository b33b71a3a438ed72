use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::net::Link;
use crate::proto::backup::{Ending, Terms};
use crate::security::PeerIdentity;

/// What others may ask of a running backup session.
pub(super) enum Ask {
    /// Its source came back over this connection.
    Attach(Link, Terms),
    /// End, for this reason; answered when nothing is left.
    End {
        reason: String,
        /// Only if no source is attached.
        if_parked: bool,
        ended: oneshot::Sender<()>,
    },
}

struct Entry {
    owner: Owner,
    streams: u16,
    slot: Option<Vec<u8>>,
    parked: Arc<AtomicBool>,
    ask: mpsc::Sender<Ask>,
}

/// Whose session it is: who began it, and the key that was chosen for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) key: [u8; 16],
    pub(super) peer: PeerIdentity,
}

/// What a target knows of a session.
pub(super) enum Found {
    /// It runs, and can be asked.
    Running(mpsc::Sender<Ask>),
    /// It ended in this process.
    Ended(Ending),
    /// It is, or was, another's.
    Foreign,
    /// Perhaps the store knows more.
    Nothing,
}

/// Ended sessions whose end is remembered for a source that comes back late.
const REMEMBERED: usize = 256;

#[derive(Default)]
struct Table {
    running: HashMap<Uuid, Entry>,
    ended: VecDeque<(Uuid, Owner, Ending)>,
}

/// The backup sessions of this target.
#[derive(Clone, Default)]
pub(super) struct Sessions(Arc<Mutex<Table>>);

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
        owner: Owner,
        streams: u16,
        slot: Option<Vec<u8>>,
    ) -> Option<Place> {
        let (ask, asked) = mpsc::channel(4);
        let parked = Arc::new(AtomicBool::new(false));
        let mut table = self.lock();
        if table.running.contains_key(&session) {
            return None;
        }
        table.running.insert(
            session,
            Entry {
                owner,
                streams,
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

    /// What is known of a session, for its owner; whoever else asks learns nothing, also not from
    /// the store.
    pub(super) fn find(&self, session: Uuid, owner: &Owner) -> Found {
        let table = self.lock();
        if let Some(entry) = table.running.get(&session) {
            return if entry.owner == *owner {
                Found::Running(entry.ask.clone())
            } else {
                Found::Foreign
            };
        }
        let mut ended = table.ended.iter();
        match ended.find(|(number, _, _)| *number == session) {
            Some((_, of, ending)) if of == owner => Found::Ended(ending.clone()),
            Some(_) => Found::Foreign,
            None => Found::Nothing,
        }
    }

    /// Sessions of this slot whose source has gone.
    pub(super) fn parked_in(&self, slot: &[u8]) -> Vec<mpsc::Sender<Ask>> {
        self.lock()
            .running
            .values()
            .filter(|entry| entry.slot.as_deref() == Some(slot))
            .filter(|entry| entry.parked.load(Ordering::Acquire))
            .map(|entry| entry.ask.clone())
            .collect()
    }

    /// All that run, with their owners, streams, and whether their source has gone.
    pub(super) fn running(&self) -> Vec<(Uuid, PeerIdentity, u16, bool)> {
        let table = self.lock();
        let entries = table.running.iter();
        entries
            .map(|(session, entry)| {
                let parked = entry.parked.load(Ordering::Acquire);
                (*session, entry.owner.peer.clone(), entry.streams, parked)
            })
            .collect()
    }

    /// A way to ask the session, for who runs this target.
    pub(super) fn ask(&self, session: Uuid) -> Option<mpsc::Sender<Ask>> {
        let table = self.lock();
        table.running.get(&session).map(|entry| entry.ask.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Remembers how the session ended.
    pub(super) fn ended(&self, ending: Ending) {
        let mut table = self.sessions.lock();
        let running = table.running.get(&self.session);
        let Some(owner) = running.map(|entry| entry.owner.clone()) else {
            return;
        };
        if table.ended.len() >= REMEMBERED {
            table.ended.pop_front();
        }
        table.ended.push_back((self.session, owner, ending));
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.sessions.lock().running.remove(&self.session);
    }
}
