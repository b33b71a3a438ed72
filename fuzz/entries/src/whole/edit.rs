//! Edits of a sound archive.

use uuid::Uuid;
use vab_format::record::Position;

use super::archive::Archive;
use crate::input::Input;
use crate::stamp;

const PAGE: usize = 4096;

/// The data file and its metadata (`None` when it is lost) after the edits of the input. Bit 0 of
/// `right` makes the records of the data right, bit 1 the checksum of the metadata.
pub(super) fn edited(
    archive: &Archive,
    right: u8,
    input: &mut Input<'_>,
) -> (Vec<u8>, Option<Vec<u8>>) {
    let data = archive.files.get(&archive.data).cloned();
    let metadata = archive.files.get(&archive.metadata).cloned();
    let (mut data, mut metadata) = all(data.unwrap_or_default(), metadata, input);
    if right % 2 == 1 {
        restamp(&mut data);
    }
    if right % 4 >= 2
        && let Some(metadata) = &mut metadata
    {
        stamp::metadata(metadata);
    }
    (data, metadata)
}

/// The data file and a file beside it after at most 16 edits.
pub(super) fn all(
    mut data: Vec<u8>,
    mut beside: Option<Vec<u8>>,
    input: &mut Input<'_>,
) -> (Vec<u8>, Option<Vec<u8>>) {
    for _ in 0..16 {
        if input.is_empty() {
            break;
        }
        edit(&mut data, &mut beside, input);
    }
    (data, beside)
}

fn edit(data: &mut Vec<u8>, metadata: &mut Option<Vec<u8>>, input: &mut Input<'_>) {
    let pages = data.len() / PAGE;
    match input.byte() % 16 {
        0..=2 => {
            // A field of a head or placement, often at an edge of its range.
            let at = input.below(pages) * PAGE + input.below(128);
            let value = input.number().to_le_bytes();
            let width = [1, 2, 4, 8].get(input.below(4)).copied().unwrap_or(8);
            stamp::put(data, at, value.get(..width).unwrap_or_default());
        }
        3 | 4 => {
            // A field of a payload.
            let at = input.below(pages) * PAGE + 128 + input.below(640);
            let value = input.number().to_le_bytes();
            let width = [1, 2, 4, 8].get(input.below(4)).copied().unwrap_or(8);
            stamp::put(data, at, value.get(..width).unwrap_or_default());
        }
        5 => {
            let at = input.below(pages) * PAGE + input.below(PAGE);
            let length = input.below(64);
            stamp::put(data, at, input.take(length));
        }
        6 => {
            let from = input.below(pages) * PAGE;
            let to = input.below(pages + 1) * PAGE;
            if let Some(page) = data.get(from..from + PAGE).map(<[u8]>::to_vec) {
                if data.len() < to + PAGE {
                    data.resize(to + PAGE, 0);
                }
                stamp::put(data, to, &page);
            }
        }
        7 => {
            let at = input.below(pages) * PAGE;
            stamp::put(data, at, &[0; PAGE]);
        }
        8 => data.truncate(input.below(pages + 1) * PAGE + input.below(PAGE)),
        9 => data.resize(data.len() + input.below(2 * PAGE), 0),
        10 => {
            let (a, b) = (input.below(pages) * PAGE, input.below(pages) * PAGE);
            let page = |at: usize| data.get(at..at + PAGE).map(<[u8]>::to_vec);
            if let (Some(one), Some(other)) = (page(a), page(b)) {
                stamp::put(data, a, &other);
                stamp::put(data, b, &one);
            }
        }
        11 => {
            // One record made right where it lies now, as that of the ordinal it says.
            let at = input.below(pages) * PAGE;
            restamp_at(data, at);
        }
        12 => *metadata = None,
        _ => {
            if let Some(metadata) = metadata {
                let at = input.below(metadata.len());
                let value = input.number().to_le_bytes();
                let width = [1, 2, 4, 8].get(input.below(4)).copied().unwrap_or(8);
                stamp::put(metadata, at, value.get(..width).unwrap_or_default());
                if input.byte().is_multiple_of(16) {
                    metadata.truncate(at);
                }
            }
        }
    }
}

/// Makes the header, the key slots and every record right where it lies.
pub(super) fn restamp(data: &mut [u8]) {
    if let Some(header) = data.get_mut(..PAGE) {
        stamp::seal(header, PAGE - 4);
    }
    let mut at = PAGE;
    while at + PAGE <= data.len() {
        at += restamp_at(data, at);
    }
}

fn restamp_at(data: &mut [u8], at: usize) -> usize {
    let file = data.get(40..).and_then(|rest| rest.first_chunk());
    let file = Uuid::from_bytes(file.copied().unwrap_or_default());
    let Some(bytes) = data.get_mut(at..) else {
        return PAGE;
    };
    if bytes.starts_with(b"VABSLOT") {
        stamp::seal(bytes, PAGE - 4);
        return PAGE;
    }
    let kinds: [&[u8]; 3] = [b"VBLK", b"VIDX", b"VCMT"];
    if !kinds.iter().any(|kind| bytes.starts_with(kind)) {
        return PAGE;
    }
    let position = Position {
        file,
        offset: at as u64,
        ordinal: stamp::ordinal(bytes),
    };
    stamp::record(bytes, &position)
}
