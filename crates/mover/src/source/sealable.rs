//! Payloads that are encrypted where they lie.

use std::ops::Range;
use std::sync::Arc;

use vab_format::limits::{ENCRYPTION_HEAD, ENCRYPTION_OVERHEAD};

use crate::copy;
use crate::pool::{Buffer, Pool};

/// A payload with room around it for what encryption adds.
#[derive(Debug)]
pub(super) enum Sealable {
    /// The buffer that a device filled, made by [`Sealable::buffer`].
    Raw(Buffer),
    /// What compression made of it, in memory of its own size: thousands of blocks that became
    /// small may wait for the target at a time, and are charged with what is stored of them.
    Compressed {
        memory: Vec<u8>,
        payload: Range<usize>,
    },
}

const HEAD: usize = ENCRYPTION_HEAD as usize;
const TAIL: usize = (ENCRYPTION_OVERHEAD - ENCRYPTION_HEAD) as usize;

/// What lies before raw bytes: more than is needed, since a copy to 1 to 31 bytes behind the
/// beginning of a page may be slow ([`copy::STRIDE`]).
const ROOM: usize = 64;

impl Sealable {
    /// An empty buffer for `length` raw bytes.
    pub(super) fn buffer(pool: &Arc<Pool>, length: usize) -> Buffer {
        let length = length.saturating_add(ROOM + TAIL);
        pool.take(length).leaving(ROOM)
    }

    /// A copy of what a compressor made.
    pub(super) fn compressed(payload: &[u8]) -> Self {
        let end = HEAD.saturating_add(payload.len());
        let mut memory = Vec::with_capacity(end.saturating_add(TAIL));
        memory.extend_from_slice(&[0; HEAD]);
        copy::append(&mut memory, payload);
        memory.extend_from_slice(&[0; TAIL]);
        Self::Compressed {
            memory,
            payload: HEAD..end,
        }
    }

    /// The payload with the room around it: sealed there, all of it is the payload.
    pub(super) fn place(&mut self) -> &mut [u8] {
        match self {
            Self::Raw(buffer) => buffer.widen(HEAD, TAIL),
            Self::Compressed { memory, payload } => {
                *payload = 0..memory.len();
                memory
            }
        }
    }
}

impl AsRef<[u8]> for Sealable {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Raw(buffer) => buffer.bytes(),
            Self::Compressed { memory, payload } => memory.get(payload.clone()).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each kind, with the same payload.
    fn both(pool: &Arc<Pool>, payload: &[u8]) -> [Sealable; 2] {
        let mut buffer = Sealable::buffer(pool, payload.len());
        buffer.extend(payload);
        [Sealable::Raw(buffer), Sealable::compressed(payload)]
    }

    #[test]
    fn a_payload_is_sealed_in_the_memory_it_lies_in() {
        let pool = Pool::new(1);
        for length in [1, 5000, 100_000] {
            let payload = vec![7; length];
            for mut sealable in both(&pool, &payload) {
                assert_eq!(sealable.as_ref(), payload);
                let address = sealable.as_ref().as_ptr().addr();
                let place = sealable.place();
                assert_eq!(place.len(), length + 32);
                assert_eq!(place[16..][..length], payload);
                assert_eq!(place[16..].as_ptr().addr(), address);
                place.fill(9);
                assert_eq!(sealable.as_ref(), vec![9; length + 32]);
            }
        }
    }

    #[test]
    fn a_buffer_that_was_sealed_is_used_again_from_its_beginning() {
        let pool = Pool::new(1);
        let [first, _] = both(&pool, b"rows");
        let address = first.as_ref().as_ptr();
        let Sealable::Raw(mut buffer) = first else {
            panic!("not raw");
        };
        buffer.widen(HEAD, TAIL).fill(9);
        drop(buffer);
        let [second, _] = both(&pool, b"more");
        assert_eq!(
            (second.as_ref(), second.as_ref().as_ptr()),
            (b"more".as_slice(), address)
        );
    }

    #[test]
    fn raw_bytes_lie_where_copies_to_them_are_fast() {
        let buffer = Sealable::buffer(&Pool::new(1), 100);
        assert!(buffer.bytes().as_ptr().addr() % 4096 >= 32);
    }

    #[test]
    fn what_is_compressed_takes_no_more_memory_than_is_stored() {
        let Sealable::Compressed { memory, .. } = Sealable::compressed(&[7; 40]) else {
            panic!("not compressed");
        };
        assert_eq!(memory.capacity(), 72);
    }
}
