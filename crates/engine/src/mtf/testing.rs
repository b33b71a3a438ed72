//! Writes small media for tests, from the layout alone: nothing of the reader is used.

use uuid::Uuid;

/// An LSN as its three parts.
pub(crate) type Parts = (u32, u32, u16);

/// A medium to be written. Change what a test is about.
#[derive(Clone, Debug)]
pub(crate) struct Tape {
    pub(crate) media_set: Uuid,
    pub(crate) count: u16,
    pub(crate) number: u16,
    pub(crate) block: usize,
    pub(crate) password: bool,
    pub(crate) sets: Vec<Set>,
}

/// A backup set to be written.
#[derive(Clone, Debug)]
pub(crate) struct Set {
    pub(crate) id: Uuid,
    pub(crate) attributes: u32,
    pub(crate) kind: u8,
    pub(crate) flags: u32,
    pub(crate) first: Parts,
    pub(crate) last: Parts,
    pub(crate) database: String,
    pub(crate) fork: Uuid,
    pub(crate) previous_fork: Option<(Parts, Uuid)>,
    pub(crate) base: Option<(Parts, Uuid)>,
    pub(crate) last_log: Parts,
    pub(crate) chain: Parts,
    pub(crate) checksums: bool,
    pub(crate) data: usize,
    /// The whole database file name, as logical and physical name.
    pub(crate) file: String,
    /// Seconds past 2024-02-29T23:58 at the start; the finish is one second later.
    pub(crate) second: u8,
}

impl Default for Tape {
    fn default() -> Self {
        Self {
            media_set: Uuid::from_u128(0xa),
            count: 1,
            number: 1,
            block: 512,
            password: false,
            sets: vec![Set::default()],
        }
    }
}

impl Default for Set {
    fn default() -> Self {
        Self {
            id: Uuid::from_u128(0xb),
            attributes: 0x4,
            kind: b'D',
            flags: 0x200,
            first: (20, 74, 170),
            last: (20, 144, 1),
            database: "Sales ☃".to_owned(),
            fork: Uuid::from_u128(0xf),
            previous_fork: None,
            base: None,
            last_log: (0, 0, 0),
            chain: (20, 74, 170),
            checksums: false,
            data: 8192,
            file: "data".to_owned(),
            second: 7,
        }
    }
}

impl Tape {
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write_tape(&mut out);
        self.write_mark(&mut out);
        for set in &self.sets {
            self.write_set(&mut out, set);
        }
        out
    }

    fn write_tape(&self, out: &mut Vec<u8>) {
        let mut block = Block::new(out, *b"TAPE", 92 + 4);
        block.text(80, "writer of tests");
        if self.password {
            block.bytes(76, &[16, 0, 94, 0]);
        }
        block.bytes(88, &date(0));
        block.finish();
        let mut family = vec![0; 32];
        family[..16].copy_from_slice(&self.media_set.to_bytes_le());
        family[20..22].copy_from_slice(&self.count.to_le_bytes());
        family[24..26].copy_from_slice(&self.number.to_le_bytes());
        stream(out, *b"RAID", 0, &family);
        pad(out, self.block.max(1024));
    }

    fn write_mark(&self, out: &mut Vec<u8>) {
        let at = out.len();
        let mut block = Block::new(out, *b"SFMB", 72);
        let entries = u32::try_from((self.block - 72) / 8).unwrap();
        block.bytes(52, &entries.to_le_bytes());
        // The length of 64 KiB is written as zero.
        block.first_stream(u16::try_from(self.block % 65_536).unwrap());
        block.finish();
        out.resize(at + self.block, 0);
    }

    fn write_set(&self, out: &mut Vec<u8>, set: &Set) {
        let mut block = Block::new(out, *b"SSET", 124);
        block.bytes(46, &100_u16.to_le_bytes());
        block.bytes(52, &set.attributes.to_le_bytes());
        block.bytes(62, &1_u16.to_le_bytes());
        block.bytes(88, &date(set.second));
        block.bytes(100, &set.id.to_bytes_le());
        block.text(76, "somebody");
        block.finish();
        pad(out, 1024);
        write_config(out, *b"MSCI", set, false);
        if set.data > 0 {
            Block::new(out, *b"MSDA", 60).finish();
            stream(out, *b"APAD", 0x80, &[0; 7]);
            let checked = if set.checksums { 0x100 } else { 0 };
            stream(out, *b"MQDA", 2 | checked, &vec![0x5a; set.data + 2]);
            if set.checksums {
                stream(out, *b"CSUM", 0, &[1, 2, 3, 4]);
            }
            stream(out, *b"MQDA", 6, &[]);
            pad(out, 512);
        }
        write_config(out, *b"MSLS", set, true);
        self.write_mark(out);
        for _ in 0..2 {
            Block::new(out, *b"ESET", 88).finish();
            pad(out, self.block);
        }
        self.write_mark(out);
    }
}

fn write_config(out: &mut Vec<u8>, tag: [u8; 4], set: &Set, last: bool) {
    Block::new(out, tag, 56).finish();
    let mut record = vec![0; 352];
    record[..4].copy_from_slice(b"SCIN");
    let mut put = |at: usize, bytes: &[u8]| record[at..at + bytes.len()].copy_from_slice(bytes);
    put(8, &set.flags.to_le_bytes());
    put(24, &[0x40, 0x06, 50, 10]);
    put(32, &short(set.first));
    put(42, &short(set.last));
    put(52, &short(set.first));
    put(72, &date(0));
    put(77, &date(set.second));
    if last {
        put(82, &date(set.second + 1));
    }
    put(87, &[set.kind]);
    put(91, &[100]);
    put(94, &661_u16.to_le_bytes());
    put(156, &set.fork.to_bytes_le());
    if let Some((point, fork)) = set.previous_fork {
        put(172, &short(point));
        put(184, &fork.to_bytes_le());
    }
    if let Some((lsn, base)) = set.base {
        put(260, &short(lsn));
        put(272, &base.to_bytes_le());
    }
    put(248, &short(set.chain));
    put(332, &short(set.last_log));
    put_text(&mut record, 104, &set.database);
    put_text(&mut record, 108, r"HOST\INSTANCE");
    close_record(&mut record);
    let mut file = vec![0; 64];
    file[..4].copy_from_slice(b"SFIN");
    file[20] = 1;
    file[36] = 1;
    file[40..44].copy_from_slice(&0x0041_0000_u32.to_le_bytes());
    put_text(&mut file, 48, &set.file);
    put_text(&mut file, 52, &format!(r"D:\{}.mdf", set.file));
    close_record(&mut file);
    record.extend(file);
    stream(out, *b"MQCI", 0, &record);
    pad(out, 512);
}

/// Puts a text behind the record and its length and place at `at`.
fn put_text(record: &mut Vec<u8>, at: usize, text: &str) {
    let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let length = u16::try_from(units.len()).unwrap();
    let offset = u16::try_from(record.len()).unwrap();
    record[at..at + 2].copy_from_slice(&length.to_le_bytes());
    record[at + 2..at + 4].copy_from_slice(&offset.to_le_bytes());
    record.extend(units);
}

fn close_record(record: &mut [u8]) {
    let length = u32::try_from(record.len()).unwrap();
    record[4..8].copy_from_slice(&length.to_le_bytes());
}

struct Block<'o> {
    out: &'o mut Vec<u8>,
    bytes: Vec<u8>,
    first_stream: Option<u16>,
}

impl<'o> Block<'o> {
    fn new(out: &'o mut Vec<u8>, tag: [u8; 4], length: usize) -> Self {
        let mut bytes = vec![0; length];
        bytes[..4].copy_from_slice(&tag);
        Self {
            out,
            bytes,
            first_stream: None,
        }
    }

    fn bytes(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn text(&mut self, at: usize, text: &str) {
        put_text(&mut self.bytes, at, text);
    }

    fn first_stream(&mut self, offset: u16) {
        self.first_stream = Some(offset);
    }

    fn finish(mut self) {
        while !self.bytes.len().is_multiple_of(4) {
            self.bytes.push(0);
        }
        let length = u16::try_from(self.bytes.len()).unwrap();
        let first = self.first_stream.unwrap_or(length);
        self.bytes[8..10].copy_from_slice(&first.to_le_bytes());
        let sum = xor(&self.bytes[..50]);
        self.bytes[50..52].copy_from_slice(&sum);
        self.out.extend(self.bytes);
    }
}

/// A stream, from a multiple of four on.
pub(crate) fn stream(out: &mut Vec<u8>, tag: [u8; 4], attributes: u16, bytes: &[u8]) {
    stream_header(out, tag, attributes, bytes.len());
    out.extend(bytes);
}

fn stream_header(out: &mut Vec<u8>, tag: [u8; 4], attributes: u16, length: usize) {
    while !out.len().is_multiple_of(4) {
        out.push(0);
    }
    let at = out.len();
    out.extend(tag);
    out.extend([0; 2]);
    out.extend(attributes.to_le_bytes());
    out.extend(u64::try_from(length).unwrap().to_le_bytes());
    out.extend([0; 4]);
    let sum = xor(&out[at..]);
    out.extend(sum);
}

/// The padding that ends a block.
fn pad(out: &mut Vec<u8>, to: usize) {
    let begin = out.len().next_multiple_of(4) + 22;
    let end = begin.next_multiple_of(to);
    stream_header(out, *b"SPAD", 0, end - begin);
    out.resize(end, 0);
}

fn xor(bytes: &[u8]) -> [u8; 2] {
    let mut sum = [0; 2];
    for (index, byte) in bytes.iter().enumerate() {
        sum[index % 2] ^= byte;
    }
    sum
}

fn short((vlf, block, slot): Parts) -> [u8; 10] {
    let mut bytes = [0; 10];
    bytes[..4].copy_from_slice(&vlf.to_le_bytes());
    bytes[4..8].copy_from_slice(&block.to_le_bytes());
    bytes[8..].copy_from_slice(&slot.to_le_bytes());
    bytes
}

/// 2024-02-29T23:58 and some seconds.
fn date(second: u8) -> [u8; 5] {
    let bits: u64 = 2024 << 26 | 2 << 22 | 29 << 17 | 23 << 12 | 58 << 6 | u64::from(second);
    let [_, _, _, bytes @ ..] = bits.to_be_bytes();
    bytes
}

/// The same medium in a container, as `WITH COMPRESSION` makes it.
pub(crate) fn pack(tape: &Tape) -> Vec<u8> {
    let bytes = tape.write();
    let mut out = b"MSSQLBAK\x02\0\0\0".to_vec();
    out.resize(480, 0);
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let is_mark = |at: &usize| rest[*at..].starts_with(b"SFMB");
        let mark = (0..rest.len())
            .step_by(512)
            .find(is_mark)
            .unwrap_or(rest.len());
        let (packed, after) = rest.split_at(mark);
        for piece in packed.chunks(32_768) {
            pack_record(&mut out, piece);
        }
        // What was in the buffer before is the padding.
        out.resize(out.len().next_multiple_of(512), 0xee);
        let (plain, after) = after.split_at(tape.block.min(after.len()));
        out.extend(plain);
        rest = after;
    }
    out
}

/// A chunk of literals only: all 256 of them have codes of eight bits, which are their values.
fn pack_record(out: &mut Vec<u8>, piece: &[u8]) {
    let mut chunk = vec![0x88; 128];
    chunk.resize(256, 0);
    for pair in piece.chunks(2) {
        chunk.extend(pair.iter().rev());
    }
    let packed = u16::try_from(chunk.len()).unwrap();
    out.extend([0x21, u8::try_from(piece.len() / 512).unwrap()]);
    out.extend(packed.to_le_bytes());
    out.extend([0; 24]);
    out.extend(chunk);
}
