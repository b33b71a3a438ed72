use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{Mutex, OwnedSemaphorePermit, mpsc, oneshot, watch};
use tracing::{Instrument, Span, debug, field, info, info_span, warn};
use uuid::Uuid;
use vab_format::vab::KeyArea;

use super::entrance::{self, Guest, Stranger};
use super::intake::IntakeSession;
use super::lobby::Ticket;
use super::options::TargetOptions;
use super::outlet;
use super::serve::Stage;
use super::sessions::{Ask, Found, Owner, Sessions};
use super::slots::Taken;
use super::turns::Turns;
use super::writers::Writers;
use crate::clock::Clock;
use crate::net::{Halves, Link, LinkError, write_frame};
use crate::pool::Pool;
use crate::proto::backup::{Ending, Target, Terms};
use crate::proto::control::{Control, MAX_ANSWER, MAX_OPAQUE, MAX_PART, MAX_STREAMS, text};
use crate::proto::frame::Limits;
use crate::proto::{Agreement, Position};
use crate::security::PeerIdentity;
use crate::{Intake, Refusal, RefusalKind, Resumption, Store};

/// Buffers a connection keeps for its next blocks.
const KEPT_BUFFERS: usize = 16;

/// The way to a peer that is known. The halves are taken out by what serves it.
struct Way {
    halves: Option<Halves>,
    agreement: Agreement,
    peer: PeerIdentity,
}

impl Way {
    fn owner(&self, key: [u8; 16]) -> Owner {
        Owner {
            key,
            peer: self.peer.clone(),
        }
    }
}

/// The parts of a backup session that the store has begun.
struct Begun {
    intake: Option<Box<dyn Intake>>,
    key: [u8; 16],
    slot: Option<Vec<u8>>,
    streams: u16,
    taken: Taken,
}

/// Receives connections: greeting, first request, and the way to what serves it.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) store: Arc<dyn Store>,
    pub(super) options: Arc<TargetOptions>,
    pub(super) sessions: Sessions,
    /// Held while a session that this process does not know is taken up, so that it is taken up
    /// once.
    pub(super) resuming: Arc<Mutex<()>>,
    pub(super) turns: Turns,
    pub(super) stage: watch::Receiver<Stage>,
    pub(super) clock: Clock,
}

impl Door {
    /// Serves one connection to its end; a backup session to its own end.
    pub(super) async fn receive(
        self,
        stream: TcpStream,
        address: SocketAddr,
        place: OwnedSemaphorePermit,
        mut ticket: Ticket,
    ) {
        let limit = self.options.opening_limit;
        let opening = entrance::open(stream, address, &self.options, self.clock);
        let opened = tokio::select! {
            opened = tokio::time::timeout(limit, opening) => {
                opened.unwrap_or(Err(Stranger::Silent))
            }
            () = ticket.sent_away() => Err(Stranger::SentAway),
        };
        drop(ticket);
        let guest = match opened {
            Ok(guest) => guest,
            Err(stranger) => return stranger.tell(),
        };
        Span::current().record("identity", field::display(&guest.peer));
        debug!(agreement = ?guest.agreement, request = guest.request.name(), "connection opened");
        let outcome = if *self.stage.borrow() == Stage::Running {
            // On the heap, so that a connection whose peer is not known yet is small.
            Box::pin(self.dispatch(guest, place)).await
        } else {
            let mut halves = guest.halves;
            refuse(&mut halves, &shutting_down()).await
        };
        if let Err(error) = outcome {
            debug!(%error, "a connection ended early");
        }
    }

    async fn dispatch(self, guest: Guest, place: OwnedSemaphorePermit) -> Result<(), LinkError> {
        let Guest {
            halves,
            agreement,
            peer,
            request,
        } = guest;
        let mut way = Way {
            halves: Some(halves),
            agreement,
            peer,
        };
        let refusal = match request {
            Control::Query { request } => match self.query(request).await {
                Ok(answer) => return answer_query(way.halves, &answer).await,
                Err(refusal) => refusal,
            },
            Control::Begin {
                request,
                streams,
                key,
                retain,
                patience,
                keys,
            } => {
                let terms = terms(retain, patience);
                match self
                    .begin((request, keys), streams, key, terms, &mut way)
                    .await
                {
                    Ok(session) => {
                        drop(place);
                        let span = info_span!("session", session = %session.session());
                        session.run().instrument(span).await;
                        return Ok(());
                    }
                    Err(refusal) => refusal,
                }
            }
            Control::Resume {
                session,
                key,
                retain,
                patience,
            } => {
                let terms = terms(retain, patience);
                let session = Uuid::from_bytes(session);
                match self.resume(session, key, terms, &mut way).await {
                    Ok(None) => return Ok(()),
                    Ok(Some(restored)) => {
                        drop(place);
                        let span = info_span!("session", session = %restored.session());
                        restored.run().instrument(span).await;
                        return Ok(());
                    }
                    Err(refusal) => refusal,
                }
            }
            Control::Open { request, from } => {
                match outlet::open(&self, request, &from, &mut way.halves).await {
                    Ok(session) => {
                        session.run().await;
                        return Ok(());
                    }
                    Err(refusal) => refusal,
                }
            }
            other => Refusal::new(
                RefusalKind::Invalid,
                format!("{} is no request a connection begins with", other.name()),
            ),
        };
        match &mut way.halves {
            Some(halves) => refuse(halves, &refusal).await,
            None => Ok(()),
        }
    }

    async fn query(&self, request: Vec<u8>) -> Result<Vec<u8>, Refusal> {
        within(&request)?;
        let answer = self.call(move |store| store.query(&request)).await?;
        if answer.len() > MAX_ANSWER {
            return Err(Refusal::new(
                RefusalKind::Failed,
                format!(
                    "the answer has {} bytes; at most {MAX_ANSWER} can travel",
                    answer.len()
                ),
            ));
        }
        Ok(answer)
    }

    async fn begin(
        &self,
        (request, keys): (Vec<u8>, Vec<u8>),
        streams: u16,
        key: [u8; 16],
        terms: Terms,
        way: &mut Way,
    ) -> Result<IntakeSession, Refusal> {
        within(&request)?;
        if streams == 0 || streams > MAX_STREAMS {
            return Err(Refusal::new(
                RefusalKind::Invalid,
                format!("{streams} streams were asked for; 1 to {MAX_STREAMS} are possible"),
            ));
        }
        let keys = unpack(&keys)?;
        let slot = self.store.slot(&request);
        if let Some(slot) = &slot {
            self.make_room(slot).await;
        }
        let taken = self.options.slots.take(streams, self.options.slot_wait);
        let taken = taken.await?;
        let intake = self
            .call(move |store| {
                let intake = match keys {
                    Some(keys) => store.begin_encrypted(&request, streams, &keys)?,
                    None => store.begin(&request, streams)?,
                };
                keep_key(intake, key)
            })
            .await?;
        let session = intake.session();
        info!(%session, streams, "backup session begun");
        let core = Target::begin(
            self.options.session,
            terms,
            session,
            streams,
            self.clock.now(),
        );
        let part = Begun {
            intake: Some(intake),
            key,
            slot,
            streams,
            taken,
        };
        self.enter(core, part, way)
    }

    /// `None`: the session runs already and has the connection now.
    async fn resume(
        &self,
        session: Uuid,
        key: [u8; 16],
        terms: Terms,
        way: &mut Way,
    ) -> Result<Option<IntakeSession>, Refusal> {
        let _one_at_a_time = self.resuming.lock().await;
        let owner = way.owner(key);
        let resumption = match self.sessions.find(session, &owner) {
            Found::Running(ask) => {
                let Some(halves) = way.halves.take() else {
                    return Ok(None);
                };
                let link = self.link(halves, way.agreement);
                // A session that ends at this moment leaves the source to ask again.
                let _ = ask.send(Ask::Attach(link, terms)).await;
                return Ok(None);
            }
            Found::Ended(Ending::Committed { receipt }) => Resumption::Committed { receipt },
            Found::Ended(Ending::Aborted { reason }) => {
                return Err(Refusal::new(RefusalKind::UnknownSession, reason));
            }
            Found::Foreign => {
                warn!(%session, "somebody else asked for a session");
                return Err(Refusal::new(
                    RefusalKind::UnknownSession,
                    format!("there is no session {session} of this source"),
                ));
            }
            Found::Nothing => self.call(move |store| store.resume(session, key)).await?,
        };
        let now = self.clock.now();
        let config = self.options.session;
        let (core, intake, streams) = match resumption {
            Resumption::Open { intake, durable } => {
                let positions: Vec<Position> = durable.iter().map(Position::from).collect();
                let streams = u16::try_from(positions.len()).unwrap_or(u16::MAX);
                info!(%session, streams, "backup session taken up again");
                (
                    Target::restored(config, terms, session, &positions, now),
                    Some(intake),
                    streams,
                )
            }
            Resumption::Committed { receipt } => (
                Ok(Target::finished(config, terms, session, receipt, now)),
                None,
                0,
            ),
        };
        let part = Begun {
            intake,
            key,
            slot: None,
            streams,
            taken: self.options.slots.take_again(streams),
        };
        let mut restored = self.enter(core, part, way)?;
        restored.core.attach(now, terms);
        Ok(Some(restored))
    }

    fn enter(
        &self,
        core: Result<Target, crate::proto::Violation>,
        begun: Begun,
        way: &mut Way,
    ) -> Result<IntakeSession, Refusal> {
        let Begun {
            intake,
            key,
            slot,
            streams,
            taken,
        } = begun;
        let mut core =
            core.map_err(|error| Refusal::new(RefusalKind::Failed, error.to_string()))?;
        if let Some(keys) = intake.as_ref().and_then(|intake| intake.keys()) {
            core = core.sealed(pack(&keys)?);
        }
        let session = core.session();
        let owner = way.owner(key);
        let place = self
            .sessions
            .enter(session, owner, streams, slot)
            .ok_or_else(|| {
                Refusal::new(
                    RefusalKind::Failed,
                    format!("session {session} is running already"),
                )
            })?;
        let (done, results) = mpsc::unbounded_channel();
        // One block of a stream is checked while the one before it is written.
        let threads = self.options.writers.clamp(1, usize::from(streams) + 1);
        let writers = intake
            .map(|intake| Writers::start(intake, (streams, threads), self.turns.enter(), done))
            .transpose()
            .map_err(|error| Refusal::new(RefusalKind::Busy, error.to_string()))?;
        Ok(IntakeSession {
            core,
            link: way
                .halves
                .take()
                .map(|halves| self.link(halves, way.agreement)),
            writers,
            _taken: taken,
            done: results,
            place,
            stage: self.stage.clone(),
            stage_known: true,
            clock: self.clock,
        })
    }

    /// Ends sessions of the same slot whose source has gone.
    async fn make_room(&self, slot: &[u8]) {
        for ask in self.sessions.parked_in(slot) {
            let (ended, end) = oneshot::channel();
            let end_parked = Ask::End {
                reason: "a new backup of the same database began".to_owned(),
                if_parked: true,
                ended,
            };
            if ask.send(end_parked).await.is_ok() {
                // Done, or gone: both answer. A store that hangs must not hang the new session.
                let _ = tokio::time::timeout(Duration::from_secs(30), end).await;
            }
        }
    }

    fn link(&self, halves: Halves, agreement: Agreement) -> Link {
        let limits = Limits::blocks(agreement.max_block);
        Link::start(halves, limits, Pool::new(KEPT_BUFFERS), self.clock)
    }

    /// Calls the store off the IO threads.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce(&dyn Store) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let store = Arc::clone(&self.store);
        match tokio::task::spawn_blocking(move || call(&*store)).await {
            Ok(outcome) => outcome,
            Err(error) => {
                warn!(%error, "the store failed inside");
                Err(Refusal::new(
                    RefusalKind::Failed,
                    "the repository failed inside",
                ))
            }
        }
    }
}

fn keep_key(intake: Box<dyn Intake>, key: [u8; 16]) -> Result<Box<dyn Intake>, Refusal> {
    if let Err(error) = intake.keep_key(key) {
        let message = error.to_string();
        intake.abort(&message);
        return Err(Refusal::new(RefusalKind::Failed, message));
    }
    Ok(intake)
}

async fn answer_query(halves: Option<Halves>, answer: &[u8]) -> Result<(), LinkError> {
    let Some(mut halves) = halves else {
        return Ok(());
    };
    let parts = answer.len().div_ceil(MAX_PART).max(1);
    for index in 0..parts {
        let start = index * MAX_PART;
        let end = answer.len().min(start + MAX_PART);
        let part = answer.get(start..end).unwrap_or_default().to_vec();
        let last = index + 1 == parts;
        write_frame(&mut halves.writer, Control::Answer { part, last }.into()).await?;
    }
    Ok(halves.close().await?)
}

async fn refuse(halves: &mut Halves, refusal: &Refusal) -> Result<(), LinkError> {
    info!(%refusal, "request refused");
    let refused = Control::Refused {
        kind: refusal.kind.number(),
        message: text(&refusal.message),
    };
    write_frame(&mut halves.writer, refused.into()).await?;
    Ok(halves.close().await?)
}

/// Key slots as they travel.
pub(super) fn pack(keys: &KeyArea) -> Result<Vec<u8>, Refusal> {
    let unreadable = |cause: &dyn std::fmt::Display| {
        let message = format!("the key slots of the file cannot be read: {cause}");
        Refusal::new(RefusalKind::Failed, message)
    };
    let packed = keys.pack().map_err(|error| unreadable(&error))?;
    if packed.is_empty() {
        return Err(unreadable(&"none is left"));
    }
    Ok(packed)
}

fn unpack(packed: &[u8]) -> Result<Option<KeyArea>, Refusal> {
    if packed.is_empty() {
        return Ok(None);
    }
    KeyArea::unpack(packed).map(Some).map_err(|error| {
        let message = format!("the key slots for the backup cannot be read: {error}");
        Refusal::new(RefusalKind::Invalid, message)
    })
}

pub(super) fn within(request: &[u8]) -> Result<(), Refusal> {
    if request.len() > MAX_OPAQUE {
        return Err(Refusal::new(
            RefusalKind::Invalid,
            format!(
                "the request has {} bytes; at most {MAX_OPAQUE} are taken",
                request.len()
            ),
        ));
    }
    Ok(())
}

fn shutting_down() -> Refusal {
    Refusal::new(
        RefusalKind::ShuttingDown,
        "the target is shutting down; try again later",
    )
}

const fn terms(retain: u64, patience: u64) -> Terms {
    Terms {
        retain,
        patience: Duration::from_millis(patience),
    }
}
