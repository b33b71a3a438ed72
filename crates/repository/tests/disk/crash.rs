//! Everything a crash may leave of a recorded workload.
//!
//! At each point of the log there are changes that are durable and changes that are not. A change
//! that is not may be there or not, in any combination; a write may be torn at sectors of 512 or
//! 4096 bytes, or have grown its file without its bytes having come: zeros, or what lay there
//! before. Names and contents are independent until they are synced.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use vab_repository::names::DiskName;

use super::{Change, Image, write};

/// What a crash left of one change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Left {
    Nothing,
    Whole,
    /// The first so many bytes.
    Head(usize),
    /// All but the first so many bytes.
    Tail(usize),
    /// Sectors of this length, each there or not by a bit of the number.
    Sectors(usize, u64),
    /// The file grew, and there are zeros.
    Zeros,
    /// The file grew, and there is what another file had.
    Stale,
}

/// The changes up to a point of a log, as far as they are durable.
#[derive(Clone, Debug, Default)]
pub struct Crash {
    durable: Image,
    /// Changes that a crash may lose, in order, by where they are made durable.
    contents: BTreeMap<usize, Vec<Pending>>,
    names: BTreeMap<Option<DiskName>, Vec<(u64, Change)>>,
    /// Changes so far, to number them.
    count: u64,
    /// A number for what is durable.
    settled: u64,
}

#[derive(Clone, Debug)]
struct Pending {
    number: u64,
    change: Change,
    state: Durability,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Durability {
    /// Synced, behind a change that a failed sync dropped.
    Durable,
    /// Not synced yet.
    Open,
    /// Dropped by a failed sync; no later sync brings it back, and it may be there all the same.
    Dropped,
}

impl Crash {
    /// A disk that has this, durably.
    pub fn of(durable: Image) -> Self {
        Self {
            durable,
            ..Self::default()
        }
    }

    /// Goes one change further.
    pub fn step(&mut self, change: &Change) {
        self.count += 1;
        let number = self.count;
        match change {
            Change::Write { inode, .. } | Change::Truncate { inode, .. } => {
                self.contents.entry(*inode).or_default().push(Pending {
                    number,
                    change: change.clone(),
                    state: Durability::Open,
                })
            }
            Change::Sync { inode } => self.sync(*inode),
            Change::Dropped { inode } => {
                for pending in self.contents.entry(*inode).or_default() {
                    if pending.state == Durability::Open {
                        pending.state = Durability::Dropped;
                    }
                }
            }
            Change::CreateFolder(_) => self
                .names
                .entry(None)
                .or_default()
                .push((number, change.clone())),
            Change::Create { path, .. }
            | Change::Remove { path }
            | Change::Rename { from: path, .. } => {
                self.names
                    .entry(path.folder().cloned())
                    .or_default()
                    .push((number, change.clone()));
            }
            Change::SyncFolder(folder) => {
                for (number, change) in self.names.remove(folder).unwrap_or_default() {
                    self.settled ^= mark(number, Left::Whole);
                    self.durable.apply(&change);
                }
            }
        }
    }

    fn sync(&mut self, inode: usize) {
        let Some(list) = self.contents.get_mut(&inode) else {
            return;
        };
        for pending in list.iter_mut() {
            if pending.state == Durability::Open {
                pending.state = Durability::Durable;
            }
        }
        if list
            .iter()
            .all(|pending| pending.state == Durability::Durable)
        {
            for pending in self.contents.remove(&inode).unwrap_or_default() {
                self.settled ^= mark(pending.number, Left::Whole);
                self.durable.apply(&pending.change);
            }
        }
    }

    /// A number by which two crashes are told apart without building them.
    pub fn signature(&self, left: &[Left]) -> u64 {
        let mut left = left.iter().copied();
        let mut signature = self.settled;
        for pending in self.contents.values().flatten() {
            let what = match pending.state {
                Durability::Durable => Left::Whole,
                _ => left.next().unwrap_or(Left::Nothing),
            };
            signature ^= mark(pending.number, what);
        }
        for (number, _) in self.names.values().flatten() {
            signature ^= mark(*number, left.next().unwrap_or(Left::Nothing));
        }
        signature
    }

    /// How many changes a crash may lose now, and for each how many bytes it wrote; `None` for a
    /// change that wrote none.
    fn open(&self) -> Vec<Option<usize>> {
        let contents = self
            .contents
            .values()
            .flatten()
            .filter(|p| p.state != Durability::Durable);
        let contents = contents.map(|pending| match &pending.change {
            Change::Write { data, .. } => Some(data.len()),
            _ => None,
        });
        contents
            .chain(self.names.values().flatten().map(|_| None))
            .collect()
    }

    /// The disk after a crash that left this of each open change.
    pub fn image(&self, left: &[Left]) -> Image {
        let mut left = left.iter().copied();
        let mut image = self.durable.clone();
        for pending in self.contents.values().flatten() {
            let what = match pending.state {
                Durability::Durable => Left::Whole,
                _ => left.next().unwrap_or(Left::Nothing),
            };
            apply(&mut image, &pending.change, what);
        }
        for (_, change) in self.names.values().flatten() {
            if left.next() == Some(Left::Whole) {
                image.apply(change);
            }
        }
        image
    }

    /// What crashes at this point are tried: all single and ordered ones, torn ones, and
    /// `random` mixed ones from `seed`.
    pub fn choices(&self, random: usize, seed: u64) -> Vec<Vec<Left>> {
        let open = self.open();
        let count = open.len();
        let mut all = vec![vec![Left::Nothing; count]];
        if count == 0 {
            return all;
        }
        all.push(vec![Left::Whole; count]);
        for at in 0..count {
            // Everything up to here, only this, everything but this.
            all.push(
                (0..count)
                    .map(|i| if i <= at { Left::Whole } else { Left::Nothing })
                    .collect(),
            );
            all.push(
                (0..count)
                    .map(|i| if i == at { Left::Whole } else { Left::Nothing })
                    .collect(),
            );
            all.push(
                (0..count)
                    .map(|i| if i == at { Left::Nothing } else { Left::Whole })
                    .collect(),
            );
            let Some(length) = open[at] else {
                continue;
            };
            for torn in tears(length) {
                for rest in [Left::Nothing, Left::Whole] {
                    all.push(
                        (0..count)
                            .map(|i| if i == at { torn } else { rest })
                            .collect(),
                    );
                }
                all.push(
                    (0..count)
                        .map(|i| match i.cmp(&at) {
                            std::cmp::Ordering::Less => Left::Whole,
                            std::cmp::Ordering::Equal => torn,
                            std::cmp::Ordering::Greater => Left::Nothing,
                        })
                        .collect(),
                );
            }
        }
        let mut dice = Dice(seed);
        for _ in 0..random {
            all.push(open.iter().map(|length| dice.left(*length)).collect());
        }
        all
    }
}

fn apply(image: &mut Image, change: &Change, left: Left) {
    let Change::Write {
        inode,
        offset,
        data,
    } = change
    else {
        if left == Left::Whole {
            image.apply(change);
        }
        return;
    };
    let stale = match left {
        Left::Stale => image
            .files
            .iter()
            .filter(|(other, _)| *other != inode)
            .map(|(_, content)| content)
            .max_by_key(|content| content.len())
            .map(|content| {
                content
                    .iter()
                    .copied()
                    .cycle()
                    .skip(*offset as usize % 4096)
                    .take(data.len())
                    .collect()
            })
            .filter(|content: &Vec<u8>| content.len() == data.len())
            .unwrap_or_else(|| vec![0xA5; data.len()]),
        _ => Vec::new(),
    };
    let file = image.files.entry(*inode).or_default();
    let mut piece = |from: usize, to: usize| {
        let to = to.min(data.len());
        if from < to {
            write(file, *offset + from as u64, &data[from..to]);
        }
    };
    match left {
        Left::Nothing => {}
        Left::Whole => piece(0, data.len()),
        Left::Head(length) => piece(0, length),
        Left::Tail(from) => piece(from, data.len()),
        Left::Sectors(sector, bits) => {
            for (number, from) in (0..data.len()).step_by(sector).enumerate() {
                if bits >> (number % 64) & 1 == 1 {
                    piece(from, from + sector);
                }
            }
        }
        Left::Zeros => grow(file, *offset, &vec![0; data.len()]),
        Left::Stale => grow(file, *offset, &stale),
    }
}

/// Fills only what the write added to the file: what was there before stays.
fn grow(file: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let from = file.len().saturating_sub(offset as usize);
    if from < bytes.len() {
        write(file, offset + from as u64, &bytes[from..]);
    }
}

fn tears(length: usize) -> Vec<Left> {
    let mut tears = vec![Left::Zeros, Left::Stale];
    for sector in [512, 4096] {
        let mut cuts = vec![
            sector,
            length / 2 / sector * sector,
            (length - 1) / sector * sector,
        ];
        cuts.dedup();
        for cut in cuts.into_iter().filter(|cut| *cut > 0 && *cut < length) {
            tears.push(Left::Head(cut));
            tears.push(Left::Tail(cut));
        }
        if length > 2 * sector {
            tears.push(Left::Sectors(sector, 0x5555_5555_5555_5555));
            tears.push(Left::Sectors(sector, 0xAAAA_AAAA_AAAA_AAAA));
        }
    }
    tears
}

fn mark(number: u64, left: Left) -> u64 {
    if left == Left::Nothing {
        return 0;
    }
    let mut hasher = std::hash::DefaultHasher::new();
    (number, left).hash(&mut hasher);
    hasher.finish()
}

/// A small generator of numbers that can be repeated.
#[derive(Clone, Debug)]
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    fn left(&mut self, length: Option<usize>) -> Left {
        let Some(length) = length else {
            return if self.below(2) == 0 {
                Left::Nothing
            } else {
                Left::Whole
            };
        };
        let sector = if self.below(2) == 0 { 512 } else { 4096 };
        match self.below(10) {
            0..=2 => Left::Nothing,
            3..=5 => Left::Whole,
            6 => Left::Head(self.below(length / sector + 1) * sector),
            7 => Left::Sectors(sector, self.next()),
            8 => Left::Zeros,
            _ => Left::Stale,
        }
    }
}

/// A number by which two images are told apart.
pub fn fingerprint(image: &Image) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    image.folders.hash(&mut hasher);
    for (path, inode) in &image.names {
        path.hash(&mut hasher);
        let content = &image.files[inode];
        content.len().hash(&mut hasher);
        vab_format::checksum::crc32c(content).hash(&mut hasher);
        // A second, different sum: 32 bits alone would call different images the same.
        content
            .chunks_exact(8)
            .fold(0_u64, |sum, eight| {
                sum.rotate_left(5) ^ u64::from_le_bytes(eight.try_into().unwrap_or_default())
            })
            .hash(&mut hasher);
    }
    hasher.finish()
}
