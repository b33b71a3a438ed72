//! The folder that a server archives its WAL into, until it is in a restore point.
//!
//! A log backup takes the first run of segments that follow each other, and leaves them where
//! they are: only [`Archive::release`], after the repository has committed, removes them. A
//! backup that came to nothing costs nothing, and one that is repeated overlaps the former.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::PostgresError;
use crate::wal::{History, Position, Segment, SegmentHeader};

/// A folder of archived WAL.
#[derive(Clone, Debug)]
pub struct Archive {
    folder: PathBuf,
}

/// Segments that follow each other on one timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The cluster's system identifier, as every segment says it.
    pub system: u64,
    /// How the timeline of the segments came to be.
    pub history: History,
    /// The segments, in order; at least one.
    segments: Vec<Segment>,
    first: Segment,
    last: Segment,
}

impl Run {
    /// The position of the first byte.
    pub fn start(&self) -> Position {
        self.first.start
    }

    /// The position after the last byte.
    pub fn end(&self) -> Position {
        self.last.end()
    }

    /// The segments, in order.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The last segment.
    pub fn last(&self) -> Segment {
        self.last
    }

    /// The timeline in the names of the segments.
    pub fn timeline(&self) -> u32 {
        self.first.timeline
    }

    /// The names of the files that belong to it.
    pub fn files(&self) -> impl Iterator<Item = String> + '_ {
        let made = self.history.began().is_some();
        let history = made.then(|| History::file_name(self.timeline()));
        let segments = self.segments.iter().map(|segment| segment.name());
        history.into_iter().chain(segments)
    }
}

impl Archive {
    /// The archive in this folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// All runs: by timeline, then by position. Between two of the same timeline, segments are
    /// missing.
    ///
    /// # Errors
    /// When the folder cannot be read, or a segment is not what its name says.
    pub fn runs(&self) -> Result<Vec<Run>, PostgresError> {
        let mut runs: Vec<Run> = Vec::new();
        let mut histories = BTreeMap::new();
        for (segment, system) in self.segments()? {
            let follows = |run: &&mut Run| {
                run.timeline() == segment.timeline
                    && run.end() == segment.start
                    && run.system == system
            };
            if let Some(run) = runs.last_mut().filter(follows) {
                run.segments.push(segment);
                run.last = segment;
                continue;
            }
            let history = match histories.get(&segment.timeline) {
                Some(history) => History::clone(history),
                None => self.history(segment.timeline)?,
            };
            histories.insert(segment.timeline, history.clone());
            runs.push(Run {
                system,
                history,
                segments: vec![segment],
                first: segment,
                last: segment,
            });
        }
        Ok(runs)
    }

    /// Removes the segments of `timeline` that end at `until` or before: they are in a restore
    /// point. Histories stay.
    ///
    /// # Errors
    /// When the folder cannot be read, or a file not be removed.
    pub fn release(&self, timeline: u32, until: Position) -> Result<usize, PostgresError> {
        let mut removed = 0;
        for (segment, _) in self.segments()? {
            if segment.timeline == timeline && segment.end() <= until {
                let path = self.folder.join(segment.name());
                fs::remove_file(&path).map_err(PostgresError::io("removed", &path))?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Whether a file of this name is there.
    pub(crate) fn holds(&self, name: &str) -> bool {
        self.folder.join(name).exists()
    }

    /// The segments by timeline and position, each with the system it is of. Each has said
    /// itself that it is what its name says.
    fn segments(&self) -> Result<Vec<(Segment, u64)>, PostgresError> {
        let mut segments = Vec::new();
        let read = PostgresError::io("read", &self.folder);
        let entries = fs::read_dir(&self.folder).map_err(read)?;
        for entry in entries {
            let entry = entry.map_err(PostgresError::io("read", &self.folder))?;
            let name = entry.file_name();
            let name = name.to_str().unwrap_or_default();
            // Any size will do to know a segment's name.
            if Segment::from_name(name, 1 << 20).is_some() {
                segments.push(check(&entry.path(), name)?);
            }
        }
        segments.sort_unstable();
        Ok(segments)
    }

    fn history(&self, timeline: u32) -> Result<History, PostgresError> {
        let path = self.folder.join(History::file_name(timeline));
        match fs::read_to_string(&path) {
            Ok(text) => History::parse(timeline, &text),
            Err(_) if timeline == 1 => Ok(History::first()),
            Err(_) => Err(PostgresError::NoHistory {
                timeline,
                folder: self.folder.clone(),
            }),
        }
    }
}

fn check(path: &Path, name: &str) -> Result<(Segment, u64), PostgresError> {
    let io = |error| PostgresError::io("read", path)(error);
    let refuse = |reason: String| Err(PostgresError::segment(path, reason));
    let mut file = File::open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    let mut bytes = [0; SegmentHeader::LEN];
    if length < 1 << 20 {
        return refuse(format!("it has only {length} bytes"));
    }
    file.read_exact(&mut bytes).map_err(io)?;
    let Some(header) = SegmentHeader::read(&bytes) else {
        return refuse("it does not begin as one".to_owned());
    };
    let Some(segment) = Segment::from_name(name, header.size) else {
        return refuse(format!("no segment of {} bytes has that name", header.size));
    };
    if length != u64::from(header.size) {
        return refuse(format!("it has {length} of {} bytes", header.size));
    }
    if header.start != segment.start || header.timeline > segment.timeline {
        return refuse(format!(
            "it holds {} of timeline {}",
            header.start, header.timeline
        ));
    }
    Ok((segment, header.system))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const SIZE: u32 = 1 << 20;

    /// Writes a segment that says what `segment` says.
    pub(crate) fn write(folder: &Path, segment: Segment, system: u64) -> PathBuf {
        let mut bytes = vec![0; segment.size as usize];
        bytes[2] = 2;
        bytes[4..8].copy_from_slice(&segment.timeline.to_le_bytes());
        bytes[8..16].copy_from_slice(&segment.start.0.to_le_bytes());
        bytes[24..32].copy_from_slice(&system.to_le_bytes());
        bytes[32..36].copy_from_slice(&segment.size.to_le_bytes());
        let path = folder.join(segment.name());
        fs::write(&path, bytes).unwrap();
        path
    }

    fn segment(timeline: u32, number: u64) -> Segment {
        Segment {
            timeline,
            start: Position(number * u64::from(SIZE)),
            size: SIZE,
        }
    }

    fn archive(segments: &[(u32, u64)]) -> (tempfile::TempDir, Archive) {
        let folder = tempfile::tempdir().unwrap();
        for (timeline, number) in segments {
            write(folder.path(), segment(*timeline, *number), 7);
        }
        let archive = Archive::new(folder.path());
        (folder, archive)
    }

    fn places(runs: &[Run]) -> Vec<(u32, u64, u64)> {
        let number = |position: Position| position.0 / u64::from(SIZE);
        let place = |run: &Run| (run.timeline(), number(run.start()), number(run.end()));
        runs.iter().map(place).collect()
    }

    #[test]
    fn a_missing_segment_ends_a_run() {
        let (_folder, archive) = archive(&[(1, 5), (1, 3), (1, 4), (1, 7), (1, 8)]);
        assert_eq!(places(&archive.runs().unwrap()), [(1, 3, 6), (1, 7, 9)]);
    }

    #[test]
    fn a_timeline_begins_a_run_and_brings_its_history() {
        let (folder, archive) = archive(&[(1, 3), (2, 3), (2, 4)]);
        fs::write(folder.path().join("00000002.history"), "1\t0/300100\tx").unwrap();
        let runs = archive.runs().unwrap();
        assert_eq!(places(&runs), [(1, 3, 4), (2, 3, 5)]);
        assert_eq!(runs[1].files().count(), 3);
        assert_eq!(runs[1].history.owner(runs[1].start()), 1);
    }

    #[test]
    fn a_timeline_without_history_is_refused() {
        let (_folder, archive) = archive(&[(2, 4)]);
        assert!(matches!(
            archive.runs(),
            Err(PostgresError::NoHistory { timeline: 2, .. })
        ));
    }

    #[test]
    fn a_segment_that_is_not_what_it_is_called_is_refused_by_name() {
        let (folder, archive) = archive(&[(1, 3)]);
        let path = folder.path().join(segment(1, 3).name());
        fs::rename(&path, folder.path().join(segment(1, 4).name())).unwrap();
        let error = archive.runs().unwrap_err().to_string();
        assert!(error.contains("it holds 0/300000"), "{error}");
    }

    #[test]
    fn half_a_segment_is_refused() {
        let (folder, archive) = archive(&[(1, 3)]);
        let path = folder.path().join(segment(1, 3).name());
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(1 << 19)
            .unwrap();
        assert!(matches!(archive.runs(), Err(PostgresError::Segment { .. })));
    }

    #[test]
    fn only_what_is_in_a_restore_point_is_released() {
        let (_folder, archive) = archive(&[(1, 3), (1, 4), (1, 5)]);
        assert_eq!(archive.release(1, segment(1, 5).start).unwrap(), 2);
        assert_eq!(places(&archive.runs().unwrap()), [(1, 5, 6)]);
        assert_eq!(archive.release(2, segment(1, 9).start).unwrap(), 0);
    }
}
