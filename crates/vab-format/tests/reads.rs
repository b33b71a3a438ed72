//! How many reads it takes, however large the file is.

#![cfg(test)]

mod common;

use std::cell::Cell;
use std::io::{Cursor, Read, Result, Seek, SeekFrom};
use std::rc::Rc;

use common::{Plan, file};
use vab_format::io::VabReader;

/// Counts the places that are read.
struct Counted {
    inner: Cursor<Vec<u8>>,
    seeks: Rc<Cell<u32>>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        self.inner.read(buffer)
    }
}

impl Seek for Counted {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        if !matches!(to, SeekFrom::End(_)) {
            self.seeks.set(self.seeks.get() + 1);
        }
        self.inner.seek(to)
    }
}

fn counted(bytes: Vec<u8>) -> (VabReader<Counted>, Rc<Cell<u32>>) {
    let seeks = Rc::new(Cell::new(0));
    let file = Counted {
        inner: Cursor::new(bytes),
        seeks: Rc::clone(&seeks),
    };
    (VabReader::open(file).unwrap(), seeks)
}

fn sessions(count: u32) -> Vec<u8> {
    let plans: Vec<_> = (1..=count)
        .map(|number| Plan::new(number, &[3], 3))
        .collect();
    file(&plans)
}

#[test]
fn opening_takes_the_same_reads_for_one_session_and_for_two_thousand() {
    for count in [1, 2000] {
        let (reader, seeks) = counted(sessions(count));
        assert_eq!(reader.sessions(), u64::from(count));
        // The header, the last page, and the commit in at most two pieces.
        assert_eq!(seeks.get(), 4);
    }
}

#[test]
fn any_session_is_found_in_few_reads() {
    let (mut reader, seeks) = counted(sessions(2000));
    for ordinal in 1..=2000 {
        seeks.set(0);
        reader.session(ordinal).unwrap();
        // Two hops for each of eleven binary digits, two reads for each hop.
        assert!(seeks.get() <= 44, "{} reads for {ordinal}", seeks.get());
    }
}

#[test]
fn any_block_of_a_long_session_is_found_in_two_reads() {
    let (mut reader, seeks) = counted(file(&[Plan::new(1, &[300_000], 3)]));
    let session = reader.session(1).unwrap();
    for sequence in [0, 1, 50_000, 99_998, 99_999] {
        seeks.set(0);
        reader.block(&session, 0, sequence).unwrap();
        // The segment of the index, and the block.
        assert_eq!(seeks.get(), 2);
        seeks.set(0);
        let found = reader.block_holding(&session, 0, sequence * 3 + 2);
        assert_eq!(found.unwrap(), Some(sequence));
        assert_eq!(seeks.get(), 1);
    }
}

#[test]
fn any_range_of_any_stream_is_read_without_what_is_before_it() {
    const LENGTH: usize = 8;
    let plan = Plan::new(1, &[60_000, 45_000, 300], 3);
    let (mut reader, seeks) = counted(file(std::slice::from_ref(&plan)));
    let session = reader.session(1).unwrap();
    let (mut ranges, mut most) = (0, 0);
    for end in plan.ends() {
        let raw = plan.raw(end.stream);
        for from in (0..raw.len() - LENGTH).step_by(97) {
            seeks.set(0);
            let found = reader.block_holding(&session, end.stream, from as u64);
            let mut sequence = found.unwrap().unwrap();
            let (mut first, mut read) = (None, Vec::new());
            while first.is_none_or(|first| first + read.len() < from + LENGTH) {
                let (header, payload) = reader.block(&session, end.stream, sequence).unwrap();
                first.get_or_insert(usize::try_from(header.offset).unwrap());
                read.extend_from_slice(&payload);
                sequence += 1;
            }
            let skipped = from - first.unwrap();
            assert_eq!(read[skipped..skipped + LENGTH], raw[from..from + LENGTH]);
            ranges += 1;
            most = most.max(seeks.get());
        }
    }
    println!(
        "reads: {ranges} ranges of {LENGTH} bytes in at most 4 blocks: at most {most} reads each"
    );
    // The index for the first byte; for each block its segment and itself.
    assert!(most <= 1 + 2 * 4, "{most} reads");
}
