//! An archive with index segments, which a writer makes of 129 blocks or more, and a reader takes
//! of any number: with few blocks an execution stays short.

use std::sync::Arc;

use vab_format::checksum::crc32c;
use vab_format::record::{Frame, Head, Position};
use vab_format::vab::{Commit, IndexEntry, SegmentRef};
use vab_format::vasm::Vasm;

use super::archive::Archive;
use super::memory::Memory;
use crate::stamp;

const PAGE: usize = 4096;

/// The archive with a segment behind every two blocks of the last session's first stream, and
/// behind every block of the second.
pub(super) fn cut(archive: Archive) -> Archive {
    let Archive {
        mut files,
        data: path,
        metadata,
        encrypted,
    } = archive;
    let vasm = files.get(&metadata).expect("it was written");
    let vasm = Vasm::decode(vasm).expect("it is sound");
    let ordinal = vasm.sessions.len() as u64;
    let position = vasm.commit_position(ordinal).expect("it has sessions");
    let data = files.get_mut(&path).expect("it was written");
    let end = usize::try_from(position.offset).expect("it is short");
    let record = data.get(end..).expect("a commit lies there");
    let commit = Commit::decode(record, &position).expect("it is sound");
    let start = usize::try_from(commit.start).expect("it is short");
    let blocks = data.get(start..end).expect("blocks lie there").to_vec();
    data.truncate(start);
    write_again(data, &blocks, commit, position);
    // Metadata is made anew from the data.
    files.retain(|path, _| !matches!(path.file().split_extension().1, "VASM" | "VACM"));
    let memory = Arc::new(Memory::of(files));
    drop(memory.open_for_writing());
    Archive::of(memory.files(), encrypted)
}

/// Appends a session whose records are a page long each, with segments.
fn write_again(data: &mut Vec<u8>, blocks: &[u8], mut commit: Commit, mut position: Position) {
    let session = commit.session.id;
    for index in &mut commit.streams {
        index.tail.clear();
    }
    for block in blocks.chunks(PAGE) {
        position.offset = data.len() as u64;
        let mut block = block.to_vec();
        stamp::record(&mut block, &position);
        let frame = block.first_chunk().expect("a page is longer");
        let Ok(Head::Block(header)) = Frame::decode(frame).map(|frame| frame.head) else {
            continue;
        };
        data.extend_from_slice(&block);
        let index = commit.streams.get_mut(usize::from(header.stream));
        let index = index.expect("it is one of its streams");
        index.tail.push(IndexEntry::of(&header, position.offset));
        if index.tail.len() + usize::from(header.stream) == 2 {
            position.offset = data.len() as u64;
            let sequence = header.sequence + 1 - index.tail.len() as u64;
            let (record, reference) =
                segment(session, header.stream, sequence, &index.tail, &position);
            data.extend_from_slice(&record);
            index.segments.push(reference);
            index.tail.clear();
        }
    }
    position.offset = data.len() as u64;
    let commit = commit.encode(&position).expect("it is short");
    data.extend_from_slice(&commit);
}

fn segment(
    session: uuid::Uuid,
    stream: u16,
    sequence: u64,
    entries: &[IndexEntry],
    position: &Position,
) -> (Vec<u8>, SegmentRef) {
    let payload: Vec<u8> = entries.iter().flat_map(entry).collect();
    let count = u32::try_from(entries.len()).expect("they are few");
    let mut record = stamp::around(*b"VIDX", session, &payload, position);
    stamp::put(&mut record, 24, &stream.to_le_bytes());
    stamp::put(&mut record, 28, &count.to_le_bytes());
    stamp::put(&mut record, 32, &sequence.to_le_bytes());
    stamp::record(&mut record, position);
    let reference = SegmentRef {
        sequence,
        start: entries.first().map_or(0, |entry| entry.start),
        position: position.offset,
        count,
        crc: crc32c(&payload),
    };
    (record, reference)
}

fn entry(entry: &IndexEntry) -> Vec<u8> {
    let mut bytes = entry.start.to_le_bytes().to_vec();
    bytes.extend_from_slice(&entry.position.to_le_bytes());
    bytes.extend_from_slice(&entry.raw_length.to_le_bytes());
    bytes.extend_from_slice(&entry.stored_length.to_le_bytes());
    bytes.extend_from_slice(&entry.header_crc.to_le_bytes());
    bytes.resize(IndexEntry::LENGTH, 0);
    bytes
}
