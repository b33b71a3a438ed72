//! One restore point, read from its first record to its commit.

use vab_format::checksum;
use vab_format::stream::StreamEnd;
use vab_format::vab::{IndexEntry, SegmentRef, StreamIndex};

use super::{Finding, PointReport, VerifyEvent};
use crate::point::StoredPoint;
use crate::repository::Repository;
use crate::session::SessionReader;

/// Findings that are kept of one restore point.
const KEPT: usize = 100;

pub(super) fn check(
    repository: &Repository,
    point: StoredPoint,
    sample: u64,
    events: &mut dyn FnMut(VerifyEvent<'_>),
) -> PointReport {
    let mut report = PointReport {
        point,
        findings: Vec::new(),
        state: None,
        more: 0,
        bytes: 0,
    };
    let reader = match repository.reader(report.point.id) {
        Ok(reader) => reader,
        Err(error) => {
            report.add(Finding::Commit {
                reason: error.to_string(),
            });
            return report;
        }
    };
    let committed = StoredPoint::new(&reader.commit().session, &report.point.file);
    if committed != report.point {
        report.add(Finding::Metadata);
    }
    let mut pass = Pass::new(&reader, sample);
    pass.run(&mut report, events);
    report
}

impl PointReport {
    fn add(&mut self, finding: Finding) {
        if self.findings.len() < KEPT {
            self.findings.push(finding);
        } else {
            self.more += 1;
        }
    }
}

/// One pass over a session in the order of the file, so that the disk is read forward.
struct Pass<'a> {
    reader: &'a SessionReader,
    sample: u64,
    streams: Vec<Cursor<'a>>,
    /// Where the next record is due.
    due: u64,
}

/// How far a stream was read.
struct Cursor<'a> {
    index: &'a StreamIndex,
    stream: u16,
    /// The next segment, and the next entry in it.
    segment: usize,
    entry: usize,
    entries: Option<Vec<IndexEntry>>,
    /// The sequence number of the next block.
    sequence: u64,
    totals: StreamEnd,
    /// Some blocks could not be found; the totals say nothing then.
    incomplete: bool,
}

/// The next record of a stream.
enum Next<'a> {
    Block(IndexEntry),
    Segment(&'a SegmentRef),
}

impl Next<'_> {
    fn position(&self) -> u64 {
        match self {
            Self::Block(entry) => entry.position,
            Self::Segment(reference) => reference.position,
        }
    }

    fn length(&self) -> u64 {
        match self {
            Self::Block(entry) => entry.record_length(),
            Self::Segment(reference) => reference.record_length(),
        }
    }
}

impl<'a> Pass<'a> {
    fn new(reader: &'a SessionReader, sample: u64) -> Self {
        let streams = (0..).zip(&reader.commit().streams);
        Self {
            streams: streams
                .map(|(stream, index)| Cursor::new(stream, index))
                .collect(),
            due: reader.commit().start,
            reader,
            sample: sample.max(1),
        }
    }

    fn run(&mut self, report: &mut PointReport, events: &mut dyn FnMut(VerifyEvent<'_>)) {
        while let Some((stream, next)) = self.next(report) {
            if next.position() != self.due {
                let (expected, found) = (self.due, next.position());
                report.add(Finding::Layout { expected, found });
            }
            let bytes = next.length();
            self.due = next.position().saturating_add(bytes);
            match next {
                Next::Block(entry) => self.block(stream, &entry, report),
                // It was read and checked when its blocks were looked for.
                Next::Segment(_) => {}
            }
            report.bytes = report.bytes.saturating_add(bytes);
            events(VerifyEvent::Read { bytes });
        }
        let commit = self.reader.commit_offset();
        let complete = self.streams.iter().all(|cursor| !cursor.incomplete);
        if complete && self.due != commit {
            report.add(Finding::Layout {
                expected: self.due,
                found: commit,
            });
        }
        for (cursor, end) in self.streams.iter().zip(self.reader.streams()) {
            if !cursor.incomplete {
                compare(&cursor.totals, end, self.sample == 1, report);
            }
        }
    }

    /// The next record in the order of the file.
    fn next(&mut self, report: &mut PointReport) -> Option<(usize, Next<'a>)> {
        let mut first: Option<(usize, Next<'a>)> = None;
        for (at, cursor) in self.streams.iter_mut().enumerate() {
            if let Some(next) = cursor.peek(self.reader, report)
                && first
                    .as_ref()
                    .is_none_or(|(_, other)| next.position() < other.position())
            {
                first = Some((at, next));
            }
        }
        let (at, next) = first?;
        self.streams.get_mut(at)?.advance(&next);
        Some((at, next))
    }

    fn block(&mut self, at: usize, entry: &IndexEntry, report: &mut PointReport) {
        let Some(cursor) = self.streams.get_mut(at) else {
            return;
        };
        let sequence = cursor.sequence - 1;
        if sequence % self.sample != 0 {
            cursor.totals.blocks += 1;
            cursor.totals.bytes = entry.end();
            cursor.totals.stored_bytes += u64::from(entry.stored_length);
            return;
        }
        match self.reader.read_entry(cursor.stream, sequence, entry) {
            Ok((header, payload)) => {
                let totals = &mut cursor.totals;
                totals.blocks += 1;
                totals.bytes = header.end();
                totals.stored_bytes += payload.len() as u64;
                totals.crc =
                    checksum::combine(totals.crc, header.raw_crc, header.raw_length.into());
            }
            Err(error) => {
                cursor.incomplete = true;
                report.add(Finding::Block {
                    stream: cursor.stream,
                    sequence,
                    offset: entry.start,
                    length: entry.raw_length.into(),
                    reason: error.to_string(),
                });
            }
        }
    }
}

impl<'a> Cursor<'a> {
    fn new(stream: u16, index: &'a StreamIndex) -> Self {
        let totals = StreamEnd {
            stream,
            blocks: 0,
            bytes: 0,
            stored_bytes: 0,
            crc: 0,
        };
        Self {
            index,
            stream,
            segment: 0,
            entry: 0,
            entries: None,
            sequence: 0,
            totals,
            incomplete: false,
        }
    }

    /// The next record: the blocks of a segment, then the segment, and so on, then the tail.
    fn peek(&mut self, reader: &SessionReader, report: &mut PointReport) -> Option<Next<'a>> {
        while let Some(reference) = self.index.segments.get(self.segment) {
            if self.entries.is_none() {
                match reader.segment(self.stream, reference) {
                    Ok(segment) => self.entries = Some(segment.entries.clone()),
                    Err(error) => {
                        self.incomplete = true;
                        report.add(Finding::Index {
                            stream: self.stream,
                            sequence: reference.sequence,
                            reason: error.to_string(),
                        });
                        self.segment += 1;
                        self.entry = 0;
                        self.sequence = reference.end();
                        continue;
                    }
                }
            }
            let entries = self.entries.as_deref().unwrap_or_default();
            return Some(match entries.get(self.entry) {
                Some(entry) => Next::Block(*entry),
                None => Next::Segment(reference),
            });
        }
        self.index
            .tail
            .get(self.entry)
            .map(|entry| Next::Block(*entry))
    }

    fn advance(&mut self, next: &Next<'_>) {
        match next {
            Next::Block(_) => {
                self.entry += 1;
                self.sequence += 1;
            }
            Next::Segment(_) => {
                self.segment += 1;
                self.entry = 0;
                self.entries = None;
            }
        }
    }
}

fn compare(found: &StreamEnd, end: &StreamEnd, whole: bool, report: &mut PointReport) {
    let encrypted = report.point.encrypted;
    for (what, expected, found) in [
        ("number of blocks", end.blocks, found.blocks),
        ("number of bytes", end.bytes, found.bytes),
        (
            "number of stored bytes",
            end.stored_bytes,
            found.stored_bytes,
        ),
    ] {
        if expected != found {
            report.add(Finding::Stream {
                stream: end.stream,
                what,
                expected,
                found,
            });
        }
    }
    // Encrypted blocks have no checksum of their raw bytes.
    if whole && !encrypted && found.crc != end.crc {
        report.add(Finding::Stream {
            stream: end.stream,
            what: "checksum of all bytes",
            expected: end.crc.into(),
            found: found.crc.into(),
        });
    }
}
