//! Streams that somebody made to do harm: sound checksums around wrong content.

use proptest::prelude::*;

use super::*;
use crate::engine::Engine;
use crate::request::RecoverRequest;
use crate::sim::page::PAGE_SIZE;

const HEADER: usize = 32;

/// Where the frames of a stripe are: offset of the payload and its length.
fn frames(stripe: &[u8]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    while stripe.get(at..at + 4) == Some(b"VSF1") {
        let length = u32::from_le_bytes(stripe[at + 16..at + 20].try_into().unwrap());
        let length = usize::try_from(length).unwrap();
        found.push((at + HEADER, length));
        at += HEADER + length;
    }
    found
}

/// Makes the checksums of a frame, and of the pages or log blocks in it, right again.
fn seal(stripe: &mut [u8], (at, length): (usize, usize)) {
    if stripe[at - HEADER + 4] == 2 && (length - 4) % (4 + PAGE_SIZE) == 0 {
        let count = (length - 4) / (4 + PAGE_SIZE);
        let images = &mut stripe[at + 4 + count * 4..at + length];
        for page in images.chunks_mut(PAGE_SIZE) {
            page[8..12].fill(0);
            let sum = crc32c::crc32c(page);
            page[8..12].copy_from_slice(&sum.to_le_bytes());
        }
    }
    if stripe[at - HEADER + 4] == 3 {
        let mut block = at;
        while block + 28 <= at + length && &stripe[block..block + 4] == b"VLB1" {
            let units = u16::from_le_bytes([stripe[block + 12], stripe[block + 13]]);
            let end = (block + usize::from(units) * 512).min(at + length);
            if end <= block {
                break;
            }
            stripe[block + 24..block + 28].fill(0);
            let sum = crc32c::crc32c(&stripe[block..end]);
            stripe[block + 24..block + 28].copy_from_slice(&sum.to_le_bytes());
            block = end;
        }
    }
    let sum = crc32c::crc32c(&stripe[at - HEADER..at - 4]);
    let sum = crc32c::crc32c_append(sum, &stripe[at..at + length]);
    stripe[at - 4..at].copy_from_slice(&sum.to_le_bytes());
}

fn sets() -> (World, Vec<Kept>) {
    let (world, db) = World::with_db();
    world.put("db", 1, "a");
    let full = world.full("db");
    let mut open = db.begin().unwrap();
    open.put(9, &[9; 300]).unwrap();
    world.put("db", 2, "b");
    let diff = world.diff("db");
    world.put("db", 1, "");
    let log = world.log("db");
    drop(open);
    (world, vec![full, diff, log])
}

proptest! {
    #[test]
    fn changed_content_under_sound_checksums_is_no_danger(
        changes in prop::collection::vec(
            (0..3usize, 0..2usize, any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()),
            1..4,
        ),
        near in any::<bool>(),
    ) {
        let (world, mut sets) = sets();
        for (set, stripe, frame, byte, value) in changes {
            let stripe = &mut sets[set].stripes[stripe];
            let frames = frames(stripe);
            let (at, length) = frames[frame.index(frames.len())];
            // Most content is near the begin of a frame; zeros follow.
            let place = byte.index(if near { length.min(400) } else { length });
            stripe[at + place] = value;
            seal(stripe, (at, length));
        }
        for kept in &sets {
            let _ = world.try_restore("copy", kept);
        }
        if world.instance.recover(&RecoverRequest::new("copy")).is_ok() {
            let _ = world.db("copy").rows();
            let _ = world.db("copy").put(5, b"x");
            let _ = world.db("copy").checkpoint();
        }
    }
}
