//! Whole files, written and read back.

#![cfg(test)]

mod common;

use std::io::Read;

use common::{Plan, file, four, open};
use vab_format::io::{ReadError, VabReader, VabWriter};

#[test]
fn every_stream_of_every_session_comes_back() {
    let plans = four();
    let mut reader = open(&file(&plans));
    assert_eq!(reader.sessions(), 4);
    for (ordinal, plan) in (1..).zip(&plans) {
        let session = reader.session(ordinal).unwrap();
        assert_eq!(session.commit.session, plan.record());
        for stream in 0..u16::try_from(plan.streams.len()).unwrap() {
            let mut bytes = Vec::new();
            reader
                .stream(&session, stream)
                .read_to_end(&mut bytes)
                .unwrap();
            assert_eq!(bytes, plan.raw(stream));
        }
    }
    reader.verify_all().unwrap();
}

#[test]
fn the_block_that_holds_a_byte_is_found() {
    let mut reader = open(&file(&four()));
    let session = reader.session(1).unwrap();
    let mut holding = |offset| reader.block_holding(&session, 0, offset).unwrap();
    assert_eq!(holding(0), Some(0));
    assert_eq!(holding(3999), Some(0));
    assert_eq!(holding(4000), Some(1));
    assert_eq!(holding(8999), Some(2));
    assert_eq!(holding(9000), None);
    assert_eq!(holding(u64::MAX), None);
}

#[test]
fn the_metadata_comes_out_of_the_data() {
    let plans = four();
    let bytes = file(&plans);
    let mut reader = open(&bytes);
    let vasm = reader.vasm().unwrap();
    assert_eq!(vasm.committed_length(), bytes.len() as u64);
    let records: Vec<_> = vasm.sessions.into_iter().map(|s| s.record).collect();
    let due: Vec<_> = plans.iter().map(Plan::record).collect();
    assert_eq!(records, due);
}

#[test]
fn a_file_without_sessions_is_empty() {
    let mut reader = open(&file(&[]));
    assert_eq!(reader.sessions(), 0);
    assert!(reader.vasm().unwrap().sessions.is_empty());
    assert!(matches!(
        reader.session(1),
        Err(ReadError::NoSuchSession {
            ordinal: 1,
            sessions: 0
        })
    ));
    reader.verify_all().unwrap();
}

#[test]
fn a_session_that_was_given_up_is_overwritten_by_the_next() {
    let plans = four();
    let mut writer = VabWriter::open(open(&file(&plans[..1]))).unwrap();
    let given_up = Plan::new(9, &[20_000], 3000);
    let mut session = writer.begin(common::session_id(9), 1);
    for (header, payload) in given_up.blocks() {
        session.write(&header, &payload).unwrap();
    }
    drop(session);
    let bytes = writer.into_inner().into_inner();
    let reader = open(&bytes);
    assert_eq!(reader.sessions(), 1);

    let mut writer = VabWriter::open(reader).unwrap();
    plans[1].write(&mut writer);
    let mut reader = writer.into_reader().unwrap();
    // What the given up session left behind is still at the end of the file.
    assert!(reader.file_length() > reader.end().committed_length);
    assert_eq!(reader.sessions(), 2);
    assert_eq!(reader.session(2).unwrap().commit.session, plans[1].record());
    reader.verify_all().unwrap();
}

#[test]
fn many_sessions_are_reached_from_the_last() {
    let plans: Vec<_> = (1..=200)
        .map(|number| Plan::new(number, &[10], 10))
        .collect();
    let mut reader = open(&file(&plans));
    for (ordinal, plan) in (1..).zip(&plans) {
        let session = reader.session(ordinal).unwrap();
        assert_eq!(session.commit.session, plan.record());
    }
}

#[test]
fn a_long_session_has_index_segments() {
    let plan = Plan::new(1, &[10_000, 7], 2);
    let mut reader = open(&file(std::slice::from_ref(&plan)));
    let session = reader.session(1).unwrap();
    assert_eq!(session.commit.streams[0].segments.len(), 2);
    assert_eq!(session.commit.streams[1].segments.len(), 0);
    for sequence in [0, 1, 4095, 4096, 4999] {
        let (header, payload) = reader.block(&session, 0, sequence).unwrap();
        let start = usize::try_from(header.offset).unwrap();
        assert_eq!(payload, plan.raw(0)[start..start + 2]);
        assert_eq!(
            reader
                .block_holding(&session, 0, header.offset + 1)
                .unwrap(),
            Some(sequence)
        );
    }
    assert!(matches!(
        reader.block(&session, 0, 5000),
        Err(ReadError::NoSuchBlock {
            stream: 0,
            sequence: 5000
        })
    ));
    reader.verify_all().unwrap();
}

#[test]
fn a_copy_of_a_file_inside_a_backup_is_never_taken_for_records() {
    // The stream is a `.VAB` with the same file id as the one that it is written to.
    let inner = file(&four());
    let mut writer = VabWriter::create(common::Memory::default(), &common::header()).unwrap();
    let mut session = writer.begin(common::session_id(1), 1);
    let block = vab_format::block::BlockHeader::for_raw(common::session_id(1), 0, 0, 0, &inner);
    session.write(&block, &inner).unwrap();
    drop(session);
    let bytes = writer.into_inner().into_inner();
    // Cut so that the file ends with the copied file's last commit, at every place it can be.
    for length in (4096..=bytes.len())
        .step_by(4096)
        .chain([4096 + 128 + inner.len()])
    {
        let reader = VabReader::open(std::io::Cursor::new(bytes[..length].to_vec())).unwrap();
        assert_eq!(reader.sessions(), 0, "cut at {length}");
    }
}
