//! Properties of all values and of all bytes.

#![cfg(test)]

mod common;

use std::io::{Cursor, Read};

use common::Plan;
use proptest::prelude::*;
use uuid::Uuid;
use vab_format::block::{BlockHeader, Codecs};
use vab_format::checksum;
use vab_format::features::Features;
use vab_format::io::{VabReader, VabWriter};
use vab_format::record::{Frame, Position, Trailer};
use vab_format::session::{Base, Facts, LogPosition, SessionRecord, SetFacts, SetKind, SetMarks};
use vab_format::stream::StreamEnd;
use vab_format::vab::{Commit, VabHeader};
use vab_format::vacm::{FileSummary, Vacm};
use vab_format::vasm::{StoredSession, Vasm};

fn id() -> impl Strategy<Value = Uuid> {
    any::<u128>().prop_map(Uuid::from_u128)
}

fn lsn() -> impl Strategy<Value = LogPosition> {
    any::<(u32, u32, u16)>().prop_map(|(vlf, block, slot)| LogPosition { vlf, block, slot })
}

fn kind() -> impl Strategy<Value = SetKind> {
    prop_oneof![
        Just(SetKind::Full),
        Just(SetKind::Differential),
        Just(SetKind::Log)
    ]
}

fn marks() -> impl Strategy<Value = SetMarks> {
    any::<[bool; 6]>().prop_map(|[a, b, c, d, e, f]| SetMarks {
        begins_log_chain: a,
        bulk_logged: b,
        tail: c,
        damaged: d,
        incomplete_metadata: e,
        checksums: f,
    })
}

fn option_id() -> impl Strategy<Value = Option<Uuid>> {
    proptest::option::of(id())
}

prop_compose! {
    fn known()(
        (set_id, kind, marks) in (id(), kind(), marks()),
        [first_lsn, last_lsn, checkpoint_lsn, database_backup_lsn] in [lsn(), lsn(), lsn(), lsn()],
        base in proptest::option::of((option_id(), lsn())),
        [first_fork, last_fork, database_id, family_id]
            in [option_id(), option_id(), option_id(), option_id()],
        fork_point in proptest::option::of(lsn()),
        (started, finished, utc_offset, stripes) in any::<(i64, i64, Option<i16>, u16)>(),
    ) -> SetFacts {
        SetFacts {
            set_id, kind, first_lsn, last_lsn, checkpoint_lsn, database_backup_lsn,
            differential_base: base.map(|(id, lsn)| Base { id, lsn }),
            first_fork, last_fork, fork_point, database_id, family_id, marks,
            started, finished, utc_offset, stripes,
        }
    }
}

fn facts() -> impl Strategy<Value = Facts> {
    prop_oneof![
        known().prop_map(Facts::Known),
        proptest::option::of(kind()).prop_map(|kind| Facts::Opaque { kind }),
    ]
}

fn streams() -> impl Strategy<Value = Vec<StreamEnd>> {
    let end = (any::<u64>(), any::<u64>(), any::<u64>(), any::<u32>());
    proptest::collection::vec(end, 0..=64).prop_map(|ends| {
        let numbered = (0..).zip(ends);
        let end = |(stream, (a, b, stored_bytes, crc)): (u16, (u64, u64, u64, u32))| StreamEnd {
            stream,
            blocks: a.min(b),
            bytes: a.max(b),
            stored_bytes,
            crc,
        };
        numbered.map(end).collect()
    })
}

prop_compose! {
    fn session()(
        id in id(),
        [job, database, server] in [".{0,200}", ".{0,200}", ".{0,200}"],
        (started, committed, copy_only, encrypted) in any::<(i64, i64, bool, bool)>(),
        (lz4, zstd) in any::<(bool, bool)>(),
        facts in facts(),
        streams in streams(),
        names in proptest::collection::vec(".{0,50}", 0..64),
    ) -> SessionRecord {
        SessionRecord {
            id, job, database, server, started, committed, copy_only, encrypted, facts, streams,
            names, codecs: Codecs { lz4, zstd },
        }
    }
}

prop_compose! {
    fn header()(
        (file, job_id) in (id(), id()),
        [job, database] in [".{0,200}", ".{0,200}"],
        created in any::<i64>(),
        pages in 1..=256_u64,
        (compatible, read_only_compatible, encrypted) in any::<(u64, u64, bool)>(),
    ) -> VabHeader {
        // An encrypted file has room for its key slots.
        let data_start = if encrypted { pages.max(17) * 4096 } else { pages * 4096 };
        let features = Features { compatible, read_only_compatible, incompatible: encrypted.into() };
        VabHeader { file, job_id, job, database, created, data_start, features }
    }
}

prop_compose! {
    fn vasm()(
        header in header(),
        sessions in proptest::collection::vec((session(), 0..9_u64, 1..9_u64), 0..6),
    ) -> Vasm {
        let mut vasm = Vasm::of_new(header);
        for (record, gap, length) in sessions {
            let commit_offset = vasm.committed_length() + gap * 4096;
            let commit_length = length * 4096;
            vasm.sessions.push(StoredSession { commit_offset, commit_length, record });
        }
        vasm
    }
}

prop_compose! {
    fn vacm()(
        job_id in id(),
        job in ".{0,200}",
        files in proptest::collection::vec(
            (id(), ".{0,99}", ".{0,99}", any::<(i64, bool, u16, u64, u64)>()), 0..20),
    ) -> Vacm {
        let files = files.into_iter().map(|(file, name, database, rest)| FileSummary {
            file, name, database, created: rest.0, encrypted: rest.1, format_version: rest.2,
            committed_length: rest.3, sessions: rest.4,
        });
        Vacm { job_id, job, files: files.collect() }
    }
}

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    let streams = proptest::collection::vec(0..9000_usize, 1..5);
    proptest::collection::vec((streams, 1..4000_usize), 0..5).prop_map(|all| {
        let numbered = (1..).zip(all);
        let plan = |(number, (streams, block)): (u32, (Vec<usize>, usize))| {
            // Small blocks of long streams only cost time.
            Plan::new(number, &streams, block.max(300))
        };
        numbered.map(plan).collect()
    })
}

/// Calls every decoder there is with these bytes.
fn decode_as_everything(bytes: &[u8]) {
    let position = Position {
        file: Uuid::from_u128(1),
        offset: 4096,
        ordinal: 1,
    };
    let _ = VabHeader::decode(bytes);
    let _ = Vasm::decode(bytes);
    let _ = Vacm::decode(bytes);
    let _ = SessionRecord::decode(bytes);
    let _ = Commit::decode(bytes, &position);
    let _ = bytes.first_chunk().map(BlockHeader::decode);
    let _ = bytes.first_chunk().map(Trailer::decode);
    let _ = bytes.first_chunk().map(StreamEnd::decode);
    if let Some((first, rest)) = bytes.split_first_chunk()
        && let Ok(frame) = Frame::decode(first)
    {
        let _ = frame.payload(rest);
    }
    if let Ok(mut reader) = VabReader::open(Cursor::new(bytes)) {
        let _ = reader.verify_all();
        let _ = reader.vasm();
    }
}

/// Puts the checksum of everything before it at the end.
fn seal(bytes: &mut [u8]) {
    if let Some((covered, crc)) = bytes.split_last_chunk_mut() {
        *crc = checksum::crc32c(covered).to_le_bytes();
    }
}

proptest! {
    #[test]
    fn a_session_record_goes_both_ways(record in session()) {
        let bytes = record.encode().unwrap();
        prop_assert!(bytes.len() <= vab_format::limits::MAX_SESSION_RECORD_LENGTH);
        prop_assert_eq!(SessionRecord::decode(&bytes), Ok(record));
    }

    #[test]
    fn a_header_goes_both_ways(header in header()) {
        prop_assert_eq!(VabHeader::decode(&header.encode().unwrap()), Ok(header));
    }

    #[test]
    fn a_vasm_goes_both_ways(vasm in vasm()) {
        prop_assert_eq!(Vasm::decode(&vasm.encode().unwrap()), Ok(vasm));
    }

    #[test]
    fn a_vacm_goes_both_ways(vacm in vacm()) {
        prop_assert_eq!(Vacm::decode(&vacm.encode().unwrap()), Ok(vacm));
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..9000)) {
        decode_as_everything(&bytes);
    }

    #[test]
    fn no_field_of_a_sealed_vasm_makes_the_decoder_panic(
        vasm in vasm(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
    ) {
        let mut bytes = vasm.encode().unwrap();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        seal(&mut bytes);
        if let Ok(read) = Vasm::decode(&bytes) {
            // What could be read can be written and read again.
            prop_assert_eq!(Vasm::decode(&read.encode().unwrap()), Ok(read));
        }
    }

    #[test]
    fn no_field_of_a_sealed_commit_makes_the_decoder_panic(
        changes in proptest::collection::vec((128..700_usize, any::<u8>()), 1..4),
    ) {
        let plan = Plan::new(1, &[50, 70], 7);
        let mut bytes = common::file(std::slice::from_ref(&plan));
        let mut reader = common::open(&bytes);
        let session = reader.session(1).unwrap();
        let start = usize::try_from(session.position.offset).unwrap();
        let record = &mut bytes[start..];
        for (at, value) in changes {
            record[at] = value;
        }
        // Payload, head, placement and trailer are sealed again, one after the other.
        let length = u32::from_le_bytes(record[48..52].try_into().unwrap()) as usize;
        let payload = checksum::crc32c(&record[128..128 + length]);
        record[52..56].copy_from_slice(&payload.to_le_bytes());
        seal(&mut record[..64]);
        seal(&mut record[..128]);
        let end = record.len();
        record[end - 16..end - 12].copy_from_slice(&payload.to_le_bytes());
        seal(&mut record[end - 64..]);
        if let Ok(mut reader) = VabReader::open(Cursor::new(&bytes)) {
            let _ = reader.verify_all();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_was_written_is_read(plans in plans()) {
        let mut reader = common::open(&common::file(&plans));
        reader.verify_all().unwrap();
        prop_assert_eq!(reader.sessions(), plans.len() as u64);
        for (ordinal, plan) in (1..).zip(&plans) {
            let session = reader.session(ordinal).unwrap();
            for end in plan.ends() {
                let mut raw = Vec::new();
                reader.stream(&session, end.stream).read_to_end(&mut raw).unwrap();
                prop_assert_eq!(raw, plan.raw(end.stream));
            }
        }
    }

    #[test]
    fn a_torn_tail_is_cut_and_the_next_session_goes_on(
        plans in plans(),
        torn in any::<prop::sample::Index>(),
        garbage in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let whole = common::file(&plans);
        let mut bytes = whole[..4096 + torn.index(whole.len() - 4095)].to_vec();
        bytes.extend_from_slice(&garbage);
        let reader = common::open(&bytes);
        // A cut within the zero bytes behind a header or a trailer's end cuts nothing.
        let kept = usize::try_from(reader.sessions()).unwrap();
        let ends: Vec<_> = (0..=plans.len()).map(|n| common::file(&plans[..n]).len()).collect();
        let due = ends.iter().filter(|end| **end <= bytes.len() - garbage.len()).count() - 1;
        prop_assert_eq!(kept, due);

        let mut writer = VabWriter::open(reader).unwrap();
        let next = Plan::new(77, &[5000, 1], 2000);
        next.write(&mut writer);
        let mut reader = writer.into_reader().unwrap();
        reader.verify_all().unwrap();
        let mut all = plans[..kept].to_vec();
        all.push(next);
        let records: Vec<_> = all.iter().map(Plan::record).collect();
        let found: Vec<_> = reader.vasm().unwrap().sessions.into_iter().map(|s| s.record).collect();
        prop_assert_eq!(found, records);
    }
}
