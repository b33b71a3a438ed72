//! Damage of every kind to a small file is noticed.

#![cfg(test)]

mod common;

use std::io::{Cursor, Read};

use common::{Plan, file, four};
use vab_format::io::{ReadError, VabReader};

/// Opens a file, checks every byte of it, and says how many sessions it has.
fn check(bytes: &[u8]) -> Result<u64, ReadError> {
    let mut reader = VabReader::open(Cursor::new(bytes))?;
    reader.verify_all()?;
    Ok(reader.sessions())
}

fn small() -> (Vec<Plan>, Vec<u8>) {
    let plans = vec![Plan::new(1, &[5000, 10], 3000), Plan::new(2, &[700], 700)];
    let bytes = file(&plans);
    (plans, bytes)
}

#[test]
fn a_flipped_bit_in_any_byte_is_noticed() {
    let (_, mut bytes) = small();
    assert_eq!(check(&bytes).unwrap(), 2);
    for at in 0..bytes.len() {
        let bit = 1 << (at % 8);
        bytes[at] ^= bit;
        // Either an error, or the session in which it is has become invisible.
        assert!(!matches!(check(&bytes), Ok(2)), "byte {at}");
        bytes[at] ^= bit;
    }
}

#[test]
fn sessions_that_damage_does_not_touch_can_be_read() {
    let (plans, mut bytes) = small();
    let first_ends = file(&plans[..1]).len();
    for at in (4096..first_ends).step_by(97) {
        bytes[at] ^= 0x10;
        let mut reader = VabReader::open(Cursor::new(bytes.as_slice())).unwrap();
        let session = reader.session(2).unwrap();
        let mut raw = Vec::new();
        reader.stream(&session, 0).read_to_end(&mut raw).unwrap();
        assert_eq!(raw, plans[1].raw(0));
        bytes[at] ^= 0x10;
    }
}

#[test]
fn sessions_behind_a_lost_commit_and_before_a_torn_tail_are_salvaged() {
    let plans = four();
    let mut bytes = file(&plans);
    // Neither forward nor from the tail is there a way to the third session.
    let second = file(&plans[..1]).len();
    bytes[second] ^= 1;
    bytes.extend_from_slice(&[7; 5000]);
    let mut reader = VabReader::open(Cursor::new(bytes.as_slice())).unwrap();
    assert_eq!(reader.sessions(), 1);
    let found = reader.salvage().unwrap();
    let records: Vec<_> = found.iter().map(|s| &s.commit.session).collect();
    let due: Vec<_> = plans.iter().map(Plan::record).collect();
    assert!(records.into_iter().eq(&due));
    // The damaged block is refused, all others are there.
    let mut raw = Vec::new();
    assert!(reader.stream(&found[1], 0).read_to_end(&mut raw).is_err());
    reader.stream(&found[1], 2).read_to_end(&mut raw).unwrap();
    assert_eq!(raw, plans[1].raw(2));
    assert_eq!(reader.block(&found[3], 0, 0).unwrap().1, plans[3].raw(0));
}

#[test]
fn a_file_cut_anywhere_keeps_the_sessions_before_the_cut() {
    let plans = four();
    let bytes = file(&plans);
    let ends: Vec<usize> = (0..=plans.len()).map(|n| file(&plans[..n]).len()).collect();
    for length in (4096..=bytes.len()).step_by(61).chain(ends.clone()) {
        let due = ends.iter().filter(|end| **end <= length).count() - 1;
        assert_eq!(
            check(&bytes[..length]).unwrap(),
            due as u64,
            "cut at {length}"
        );
    }
    for length in 0..4096 {
        assert!(check(&bytes[..length]).is_err(), "cut at {length}");
    }
}

#[test]
fn a_sector_that_was_zeroed_or_swapped_is_noticed() {
    let (_, bytes) = small();
    for size in [512, 4096] {
        let sectors = bytes.len() / size;
        for sector in 0..sectors {
            let here = sector * size..(sector + 1) * size;
            let mut damaged = bytes.clone();
            damaged[here.clone()].fill(0);
            if damaged != bytes {
                assert!(!matches!(check(&damaged), Ok(2)), "{size}: {sector} zeroed");
            }
            for other in sector + 1..sectors {
                let mut damaged = bytes.clone();
                let (low, high) = damaged.split_at_mut(other * size);
                low[here.clone()].swap_with_slice(&mut high[..size]);
                if damaged != bytes {
                    assert!(
                        !matches!(check(&damaged), Ok(2)),
                        "{size}: {sector} and {other}"
                    );
                }
            }
        }
    }
}

#[test]
fn older_content_of_a_sector_is_noticed() {
    // The same file, but its second session was another one: the sectors of a write that was lost.
    let (plans, bytes) = small();
    let other = file(&[plans[0].clone(), Plan::new(3, &[900], 700)]);
    for sector in 0..bytes.len() / 512 {
        let here = sector * 512..(sector + 1) * 512;
        let mut damaged = bytes.clone();
        damaged[here.clone()].copy_from_slice(&other[here]);
        if damaged != bytes {
            assert!(!matches!(check(&damaged), Ok(2)), "sector {sector}");
        }
    }
}
