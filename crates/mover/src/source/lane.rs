//! The way of one stream's blocks from the coders, which end in any order, to the session.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc;
use uuid::Uuid;
use vab_format::block::BlockHeader;

use super::backup_driver::Order;
use super::budget::{Budget, Permit};
use super::error::StreamError;
use super::keys::Sealer;
use super::sealable::Sealable;
use crate::Block;
use crate::proto::Position;

/// A block that was compressed, or not worth it.
pub(super) struct Encoded {
    pub(super) header: BlockHeader,
    pub(super) payload: Sealable,
    pub(super) permit: Permit,
}

/// Puts the blocks of a stream in order, encrypts them, and hands them to the session.
pub(super) struct Lane {
    session: Uuid,
    stream: u16,
    budget: Arc<Budget>,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// Blocks that came before their turn.
    early: BTreeMap<u64, Encoded>,
    /// Absent while a thread is sending.
    outlet: Option<Outlet>,
    sent: u64,
    failure: Option<StreamError>,
    closed: bool,
}

/// What one thread at a time has that sends.
struct Outlet {
    at: Position,
    sealer: Option<Sealer>,
    orders: mpsc::Sender<Order>,
}

impl Lane {
    pub(super) fn new(
        (session, stream): (Uuid, u16),
        budget: u64,
        sealer: Option<Sealer>,
        orders: mpsc::Sender<Order>,
    ) -> Arc<Self> {
        let outlet = Outlet {
            at: Position::default(),
            sealer,
            orders,
        };
        Arc::new(Self {
            session,
            stream,
            budget: Budget::new(budget),
            state: Mutex::new(State {
                early: BTreeMap::new(),
                outlet: Some(outlet),
                sent: 0,
                failure: None,
                closed: false,
            }),
            changed: Condvar::new(),
        })
    }

    pub(super) const fn session(&self) -> Uuid {
        self.session
    }

    pub(super) const fn stream(&self) -> u16 {
        self.stream
    }

    /// Waits for room for a block of at most `bytes`, stored; says whether it was there at once.
    pub(super) fn room(&self, bytes: u64) -> Result<(Permit, bool), StreamError> {
        self.budget.take(bytes).ok_or_else(|| self.why_closed())
    }

    /// A coder is done with a block.
    pub(super) fn deliver(&self, encoded: Encoded) {
        let mut state = self.lock();
        if state.closed {
            return;
        }
        state.early.insert(encoded.header.sequence, encoded);
        // Without the outlet, the thread that has it will find the block.
        let Some(mut outlet) = state.outlet.take() else {
            return;
        };
        while let Some(encoded) = state.early.remove(&outlet.at.blocks) {
            drop(state);
            let sent = outlet.send(encoded);
            if let Err(error) = sent {
                self.fail(error);
            }
            state = self.lock();
            state.sent = outlet.at.blocks;
            self.changed.notify_all();
        }
        if !state.closed {
            state.outlet = Some(outlet);
        }
        self.changed.notify_all();
    }

    /// Waits until the session has so many blocks of the stream.
    pub(super) fn wait_sent(&self, blocks: u64) -> Result<(), StreamError> {
        let state = self
            .changed
            .wait_while(self.lock(), |state| {
                !state.closed && (state.sent < blocks || state.outlet.is_none())
            })
            .unwrap_or_else(PoisonError::into_inner);
        let there = !state.closed && state.sent >= blocks;
        drop(state);
        if there {
            Ok(())
        } else {
            Err(self.why_closed())
        }
    }

    /// The totals of what was sent, and the masked checksum if the stream is encrypted.
    pub(super) fn end(&self) -> Result<(Position, Option<u32>), StreamError> {
        let state = self.lock();
        let outlet = state.outlet.as_ref().ok_or(StreamError::SessionOver)?;
        let mut at = outlet.at;
        let masked = outlet
            .sealer
            .as_ref()
            .map(|sealer| sealer.end(at.end(self.stream)).crc);
        at.crc = masked.unwrap_or(at.crc);
        Ok((at, masked))
    }

    /// The stream cannot go on; the first reason stays.
    pub(super) fn fail(&self, error: StreamError) {
        let mut state = self.lock();
        if !state.closed {
            state.failure.get_or_insert(error);
        }
        drop(state);
        self.close();
    }

    /// Lets nobody wait any more, and drops what came early.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let (early, outlet) = (std::mem::take(&mut state.early), state.outlet.take());
        drop(state);
        drop((early, outlet));
        self.budget.close();
        self.changed.notify_all();
    }

    fn why_closed(&self) -> StreamError {
        let failure = self.lock().failure.take();
        failure.unwrap_or(StreamError::SessionOver)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outlet {
    fn send(&mut self, encoded: Encoded) -> Result<(), StreamError> {
        let Encoded {
            header: plain,
            mut payload,
            mut permit,
        } = encoded;
        let header = match &mut self.sealer {
            Some(sealer) => sealer
                .seal(&plain, payload.place())
                .map_err(StreamError::Encrypt)?,
            None => plain,
        };
        // The checksum of the raw bytes stands in the plain header only.
        let counted = BlockHeader {
            stored_length: header.stored_length,
            ..plain
        };
        self.at
            .advance(&counted)
            .map_err(|_| StreamError::SessionOver)?;
        permit.shrink(header.stored_length.into());
        let payload = Bytes::from_owner(Kept {
            payload,
            _permit: permit,
        })
        .into();
        self.orders
            .blocking_send(Order::Push(Block { header, payload }))
            .map_err(|_| StreamError::SessionOver)
    }
}

/// A payload that takes its part of the budget as long as anybody holds it.
struct Kept {
    payload: Sealable,
    _permit: Permit,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        self.payload.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(feature = "encrypt")]
    use crate::pool::Pool;

    const SESSION: Uuid = Uuid::from_u128(7);

    fn encoded(lane: &Lane, sequence: u64) -> Encoded {
        let payload = [u8::try_from(sequence).unwrap(); 10];
        Encoded {
            header: BlockHeader::for_raw(SESSION, 0, sequence, sequence * 10, &payload),
            payload: Sealable::compressed(&payload),
            permit: lane.room(10).unwrap().0,
        }
    }

    #[test]
    fn blocks_come_out_in_order_whatever_order_they_come_in() {
        let (orders, mut queue) = mpsc::channel(64);
        let lane = Lane::new((SESSION, 0), 1000, None, orders);
        for sequence in [2, 1, 4, 0, 3, 6, 5] {
            lane.deliver(encoded(&lane, sequence));
        }
        lane.wait_sent(7).unwrap();
        assert_eq!(lane.end().unwrap().0.blocks, 7);
        for sequence in 0..7 {
            let Ok(Order::Push(block)) = queue.try_recv() else {
                panic!("no block");
            };
            assert_eq!(block.header.sequence, sequence);
        }
    }

    #[test]
    fn many_threads_deliver_each_block_once() {
        let (orders, mut queue) = mpsc::channel(8);
        let lane = Lane::new((SESSION, 0), 10_000, None, orders);
        let threads: Vec<_> = (0..4)
            .map(|first| {
                let lane = Arc::clone(&lane);
                std::thread::spawn(move || {
                    for sequence in (first..200).step_by(4) {
                        lane.deliver(encoded(&lane, sequence));
                    }
                })
            })
            .collect();
        for sequence in 0..200 {
            let Some(Order::Push(block)) = queue.blocking_recv() else {
                panic!("no block");
            };
            assert_eq!(block.header.sequence, sequence);
        }
        for thread in threads {
            thread.join().unwrap();
        }
        lane.wait_sent(200).unwrap();
    }

    #[test]
    fn the_room_of_a_block_comes_back_when_its_payload_is_dropped() {
        let (orders, mut queue) = mpsc::channel(8);
        let lane = Lane::new((SESSION, 0), 10, None, orders);
        lane.deliver(encoded(&lane, 0));
        let waiting = std::thread::spawn({
            let lane = Arc::clone(&lane);
            move || lane.room(10).map(|(_, at_once)| at_once)
        });
        drop(queue.blocking_recv());
        assert!(waiting.join().unwrap().is_ok());
    }

    #[cfg(feature = "encrypt")]
    #[test]
    fn a_payload_is_encrypted_in_its_memory() {
        use vab_format::codec::Decoder;
        use vab_format::crypto::{DataKey, SessionSealer};

        let key = DataKey::random().unwrap();
        let mut session = SessionSealer::new(&key, SESSION).unwrap();
        let sealer = session.stream(0).unwrap().into();
        let (orders, mut queue) = mpsc::channel(8);
        let lane = Lane::new((SESSION, 0), 1000, Some(sealer), orders);
        let mut decoder = Decoder::with_key(key);
        for sequence in [0, 1] {
            let mut encoded = encoded(&lane, sequence);
            let plain = Bytes::copy_from_slice(encoded.payload.as_ref());
            if sequence == 1 {
                let mut raw = Sealable::buffer(&Pool::new(1), 10);
                raw.extend(&plain);
                encoded.payload = Sealable::Raw(raw);
            }
            let address = encoded.payload.as_ref().as_ptr().addr();
            lane.deliver(encoded);
            let Ok(Order::Push(Block { header, payload })) = queue.try_recv() else {
                panic!("no block");
            };
            assert_eq!(payload[16..].as_ptr().addr(), address);
            assert_eq!(header.verify(&payload), Ok(()));
            assert_eq!(decoder.decode(&header, payload.into_bytes()), Ok(plain));
        }
        assert_eq!(lane.end().unwrap().0.stored_bytes, 2 * 42);
    }

    #[cfg(feature = "encrypt")]
    #[test]
    fn a_payload_that_changed_while_it_waited_is_not_encrypted() {
        let key = vab_format::crypto::DataKey::random().unwrap();
        let mut session = vab_format::crypto::SessionSealer::new(&key, SESSION).unwrap();
        let sealer = session.stream(0).unwrap().into();
        let (orders, mut queue) = mpsc::channel(8);
        let lane = Lane::new((SESSION, 0), 1000, Some(sealer), orders);
        let mut changed = encoded(&lane, 0);
        changed.payload = Sealable::compressed(&[1; 10]);
        lane.deliver(changed);
        assert!(queue.try_recv().is_err());
        let error = lane.room(1).unwrap_err();
        assert!(matches!(error, StreamError::Encrypt(_)), "{error}");
    }

    #[test]
    fn who_waits_hears_of_the_failure() {
        let (orders, _queue) = mpsc::channel(8);
        let lane = Lane::new((SESSION, 0), 10, None, orders);
        let waiting = std::thread::spawn({
            let lane = Arc::clone(&lane);
            move || lane.wait_sent(1)
        });
        lane.fail(StreamError::Panicked);
        assert!(matches!(
            waiting.join().unwrap(),
            Err(StreamError::Panicked)
        ));
        assert!(matches!(lane.room(1), Err(StreamError::SessionOver)));
    }
}
