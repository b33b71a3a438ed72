//! Files that were cut short or damaged are refused, whatever was done to them.

use std::io::Cursor;

use vab_engine::mtf::{self, Medium, MtfError, StreamingReader};

use crate::manifest::{Entry, entries};

fn native_bytes() -> impl Iterator<Item = (Entry, Vec<u8>)> {
    entries()
        .into_iter()
        .filter(|entry| !entry.is_compressed())
        .map(|entry| {
            let bytes = entry.bytes();
            (entry, bytes)
        })
}

/// Reads up to `length` bytes in both ways; they must agree.
fn read_cut(bytes: &[u8], length: usize) -> Result<Medium, MtfError> {
    let cut = &bytes[..length];
    let whole = mtf::read_bytes(cut);
    let sought = match mtf::read(&mut Cursor::new(cut)) {
        Ok(medium) => Ok(medium),
        Err(mtf::ReadError::Format(error)) => Err(error),
        Err(other) => panic!("{other}"),
    };
    assert_eq!(whole, sought, "cut to {length}");
    whole
}

fn assert_cut_short(entry: &Entry, bytes: &[u8], length: usize) {
    let error = read_cut(bytes, length).unwrap_err();
    let path = entry.path.display();
    match error {
        MtfError::NotABackup { .. } => assert_eq!(length, 0, "{path} cut to {length}"),
        MtfError::Truncated {
            offset,
            needed,
            found,
            ..
        } => {
            assert_eq!(offset + found, length as u64, "{path} cut to {length}");
            assert!(
                needed > found,
                "{path} cut to {length}: {needed} and {found}"
            );
        }
        other => panic!("{path} cut to {length}: {other}"),
    }
}

/// The offsets where a reader begins to look at something.
fn boundaries(bytes: &[u8]) -> Vec<usize> {
    let mut reader = StreamingReader::new();
    let mut found = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        found.push(bytes.len() - rest.len());
        let skipped = reader.skip(rest.len() as u64);
        rest = &rest[usize::try_from(skipped).unwrap()..];
        if rest.is_empty() {
            break;
        }
        found.push(bytes.len() - rest.len());
        let (now, later) = rest.split_at(reader.wanted().min(rest.len()));
        reader.push(now).unwrap();
        rest = later;
    }
    found
}

const SMALL: &str = "test_LOG_20160629_141500.trn";

/// A small file, one of 4096-byte blocks, one with a password and one with checksums.
fn is_sample(entry: &Entry) -> bool {
    [
        "141500.trn",
        "pubs.bak",
        "passwd.bak",
        "FULL_20170518_041740.bak",
    ]
    .iter()
    .any(|end| entry.path.to_string_lossy().ends_with(end))
}

#[test]
fn a_file_cut_anywhere_in_its_first_and_last_blocks_is_cut_short() {
    for (entry, bytes) in native_bytes() {
        let step = if is_sample(&entry) { 19 } else { 601 };
        let tail = bytes.len() - 9_000;
        for length in (0..9_000)
            .step_by(step)
            .chain((tail..bytes.len()).step_by(step))
        {
            assert_cut_short(&entry, &bytes, length);
        }
    }
}

#[test]
fn a_file_cut_at_every_boundary_is_cut_short() {
    for (entry, bytes) in native_bytes() {
        let boundaries = boundaries(&bytes);
        assert!(boundaries.len() > 40);
        for at in boundaries {
            for length in [at.saturating_sub(1), at, at + 1] {
                assert_cut_short(&entry, &bytes, length.min(bytes.len() - 1));
            }
        }
    }
}

#[test]
fn a_file_cut_anywhere_is_cut_short() {
    for (entry, bytes) in native_bytes() {
        for length in (0..bytes.len()).step_by(20_011) {
            assert_cut_short(&entry, &bytes, length);
        }
    }
}

/// Only what the reader looks at can change anything; that is what is damaged here.
#[test]
fn a_flipped_bit_never_panics_and_headers_notice() {
    for (entry, mut bytes) in native_bytes().filter(|(entry, _)| is_sample(entry)) {
        let original = mtf::read_bytes(&bytes).unwrap();
        let path = entry.path.display();
        for at in (0..16_384)
            .chain(bytes.len() - 19_456..bytes.len())
            .step_by(3)
        {
            bytes[at] ^= 1 << (at % 8);
            let read = mtf::read(&mut Cursor::new(&bytes));
            if at < 50 {
                assert!(read.is_err(), "{path}: a flip at {at}");
            }
            bytes[at] ^= 1 << (at % 8);
        }
        assert_eq!(mtf::read_bytes(&bytes).unwrap(), original);
    }
}

#[test]
fn what_follows_the_last_set_is_counted() {
    for (_, mut bytes) in native_bytes().filter(|(_, bytes)| bytes.len() < 20_000) {
        for (more, expected) in [(&b"\0\0\0\0\0"[..], 5), (b"SSE?", 4), (b"x", 1)] {
            let length = bytes.len();
            bytes.extend_from_slice(more);
            let Ok(Medium::Native(medium)) = read_cut(&bytes, bytes.len()) else {
                panic!("not read");
            };
            assert_eq!(medium.trailing, expected);
            bytes.truncate(length);
        }
    }
}

/// SQL Server appends sets to a medium in the same form; the second one here is a copy.
#[test]
fn a_second_set_is_read_and_its_end_is_required() {
    for (entry, mut bytes) in native_bytes().filter(|(entry, _)| entry.path.ends_with(SMALL)) {
        let first = bytes.len();
        let set = bytes[0x600..].to_vec();
        bytes.extend_from_slice(&set);
        let Ok(Medium::Native(medium)) = read_cut(&bytes, bytes.len()) else {
            panic!("{}: not read", entry.path.display());
        };
        assert_eq!(medium.sets.len(), 2);
        assert_eq!(medium.sets[1].offset, first as u64);
        assert_eq!(medium.sets[1].first, medium.sets[0].first);
        for length in (first + 1..bytes.len()).step_by(29) {
            let error = read_cut(&bytes, length).unwrap_err();
            assert!(matches!(error, MtfError::Truncated { .. }), "{error}");
        }
    }
}

#[test]
fn a_compressed_container_cut_anywhere_is_cut_short() {
    for entry in entries().into_iter().filter(Entry::is_compressed) {
        let bytes = entry.bytes();
        let boundaries = boundaries(&bytes);
        assert!(boundaries.len() > 100);
        let lengths = boundaries
            .into_iter()
            .flat_map(|at| [at.saturating_sub(1), at, at + 1])
            .chain((1..bytes.len()).step_by(9_973));
        for length in lengths.filter(|length| (1..bytes.len()).contains(length)) {
            assert_cut_short(&entry, &bytes, length);
        }
    }
}

/// What is not understood is kept as it is; nothing of it makes the reader stumble.
#[test]
fn a_damaged_container_never_panics() {
    for entry in entries().into_iter().filter(Entry::is_compressed) {
        let mut bytes = entry.bytes();
        let original = mtf::read_bytes(&bytes).unwrap();
        let tail = bytes.len() - 2_000;
        for at in (8..2_700).chain(tail..bytes.len()).step_by(13) {
            bytes[at] ^= 1 << (at % 8);
            let whole = mtf::read_bytes(&bytes);
            if let Ok(Medium::Compressed(container)) = &whole {
                assert_eq!(container.length, bytes.len() as u64);
            }
            bytes[at] ^= 1 << (at % 8);
        }
        assert_eq!(mtf::read_bytes(&bytes).unwrap(), original);
    }
}
