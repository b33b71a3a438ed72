//! Opening and listing takes a number of reads that grows neither with the sessions in a file nor
//! with its length, finding a block one that does not either, and a job of many files a constant
//! number for each.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test that fails is to end at once"
)]

mod common;
mod disk;

use std::io::{self, Cursor};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{Backup, JOB, at, payload, request};
use disk::workload::storage;
use disk::{Image, MemoryDisk};
use uuid::Uuid;
use vab_chain::BackupKind::Log;
use vab_format::block::BlockHeader;
use vab_format::checksum::crc32c;
use vab_format::io::{VabReader, VabWriter};
use vab_format::limits::MAX_BLOCK_LENGTH;
use vab_format::session::SessionRecord;
use vab_format::vab::{Append, End, VabHeader};
use vab_repository::names::DiskName;
use vab_repository::storage::{
    Access, Entry, FileSystem, HostFileSystem, LocalDirectory, Lock, RawFile, Storage, StoragePath,
};
use vab_repository::{Repository, RepositoryOptions};

/// The reads of opening and listing, of reading one block of the oldest and the newest restore
/// point, and of beginning the next session.
#[derive(Debug, PartialEq, Eq)]
struct Reads {
    open: u64,
    block: u64,
    begin: u64,
}

fn header(number: u64, database: &str) -> VabHeader {
    let id = |kind: u128| Uuid::from_u128(kind << 64 | u128::from(number));
    VabHeader::new(id(1), Uuid::from_u128(2), JOB, database, at(0).as_micros())
}

/// A data file with that many sessions of one block, and its metadata: made with the codec, as
/// the repository writes all metadata with every commit.
fn file(header: &VabHeader, sessions: u64) -> (Vec<u8>, Vec<u8>) {
    let mut writer = VabWriter::create(Cursor::new(Vec::new()), header).unwrap();
    for number in 0..sessions {
        let id =
            Uuid::from_u128(u128::from(header.file.as_u128() as u64) << 64 | u128::from(number));
        let mut session = writer.begin(id, 1);
        let bytes = payload(number, 0, 0, 40);
        let block = BlockHeader::for_raw(id, 0, 0, 0, &bytes);
        session.write(&block, &bytes).unwrap();
        let ends = session.ends();
        let mut record = SessionRecord::opaque(id, JOB, &header.database, ends);
        record.committed = at(1).as_micros() + number.cast_signed();
        session.commit(record).unwrap();
    }
    let mut reader = VabReader::open(writer.into_inner()).unwrap();
    let metadata = reader.vasm().unwrap().encode().unwrap();
    (reader.into_inner().into_inner(), metadata)
}

/// A disk with these data files in the job's folder, and their metadata.
fn disk(files: impl IntoIterator<Item = (String, Vec<u8>, Vec<u8>)>) -> MemoryDisk {
    let folder = DiskName::from_disk("job").unwrap();
    let mut image = Image {
        folders: vec![folder.clone()],
        ..Image::default()
    };
    for (base, data, metadata) in files {
        for (extension, content) in [("VAB", data), ("VASM", metadata)] {
            let name = DiskName::from_disk(&format!("{base}.{extension}")).unwrap();
            let inode = image.files.len();
            image
                .names
                .insert(StoragePath::in_folder(folder.clone(), name), inode);
            image.files.insert(inode, content);
        }
    }
    MemoryDisk::of(image, false)
}

fn measure(disk: &MemoryDisk, count: u64) -> Reads {
    // The first server makes the marker and the metadata of the job.
    drop(Repository::open_on(storage(disk), RepositoryOptions::default(), at(0)).unwrap());
    let before = disk.reads();
    let repository = Repository::open_read_only_on(storage(disk)).unwrap();
    let points = repository.points(None, None);
    let open = disk.reads() - before;
    assert_eq!(points.len() as u64, count);
    let before = disk.reads();
    for point in points.first().into_iter().chain(points.last()) {
        let (_, payload) = repository
            .reader(point.id)
            .unwrap()
            .read_block(0, 0)
            .unwrap();
        assert_eq!(payload.len(), 40);
    }
    let block = disk.reads() - before;
    drop(repository);
    let server = Repository::open_on(storage(disk), RepositoryOptions::default(), at(0)).unwrap();
    let before = disk.reads();
    drop(server.begin(request("Sales", Log, 1, 2)).unwrap());
    Reads {
        open,
        block,
        begin: disk.reads() - before,
    }
}

#[test]
fn opening_and_listing_is_constant_in_sessions() {
    let sessions: u64 = std::env::var("VAB_SESSIONS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(10_000);
    let header = header(1, "Sales");
    let of = |count| {
        let (data, metadata) = file(&header, count);
        let length = metadata.len();
        (disk([("sales".to_owned(), data, metadata)]), length)
    };
    let few = measure(&of(10).0, 10);
    let (disk, metadata) = of(sessions);
    let many = measure(&disk, sessions);
    println!(
        "growth: 10 sessions: {few:?}; {sessions} sessions: {many:?}, their .VASM has {metadata} bytes"
    );
    assert_eq!(few, many);
    // The next commit works as ever, and writes the metadata once.
    let server = Repository::open_on(storage(&disk), RepositoryOptions::default(), at(0)).unwrap();
    let point = Backup::new(7, &[&[40]]).run(&server, request("Sales", Log, 1, 2));
    assert_eq!(point.file.file().as_str(), "sales.VAB");
    drop(server);
    assert_eq!(measure(&disk, sessions + 1), many);
}

#[test]
fn a_file_that_a_repository_grew_is_read_like_one_of_the_codec() {
    let disk = MemoryDisk::of(Image::default(), false);
    let server = Repository::open_on(storage(&disk), RepositoryOptions::default(), at(0)).unwrap();
    let mut reads = Vec::new();
    for number in 0..60 {
        Backup::new(number, &[&[40]]).run(&server, request("Sales", Log, 1, 1));
        if number == 9 || number == 59 {
            reads.push(measure(&MemoryDisk::of(disk.image(), false), number + 1));
        }
    }
    assert_eq!(reads.first(), reads.last());
}

#[test]
fn a_job_of_many_files_is_listed_with_a_constant_number_of_reads_each() {
    const FILES: u64 = 10_000;
    let files = (0..FILES).map(|number| {
        let (data, metadata) = file(&header(number, &format!("db{number}")), 1);
        (format!("db{number}"), data, metadata)
    });
    let disk = disk(files);
    let before = disk.reads();
    let reader = Repository::open_read_only_on(storage(&disk)).unwrap();
    let job = reader.jobs().pop().unwrap();
    assert_eq!((job.points as u64, job.files as u64), (FILES, FILES));
    let reads = disk.reads() - before;
    println!("growth: {FILES} files: {reads} reads");
    assert!(reads <= 5 * FILES + 10, "{reads}");
}

/// A file system of this machine whose reads are counted.
#[derive(Debug)]
struct Counting(HostFileSystem, Arc<AtomicU64>);

#[derive(Debug)]
struct CountingFile(Arc<dyn RawFile>, Arc<AtomicU64>);

impl FileSystem for Counting {
    fn location(&self) -> String {
        self.0.location()
    }
    fn list(&self, folder: Option<&DiskName>) -> io::Result<Vec<Entry>> {
        self.0.list(folder)
    }
    fn create_folder(&self, folder: &DiskName) -> io::Result<()> {
        self.0.create_folder(folder)
    }
    fn sync_folder(&self, folder: Option<&DiskName>) -> io::Result<()> {
        self.0.sync_folder(folder)
    }
    fn create(&self, file: &StoragePath) -> io::Result<Arc<dyn RawFile>> {
        self.0.create(file)
    }
    fn open(&self, file: &StoragePath, access: Access) -> io::Result<Arc<dyn RawFile>> {
        let file = self.0.open(file, access)?;
        Ok(Arc::new(CountingFile(file, Arc::clone(&self.1))))
    }
    fn rename(&self, from: &StoragePath, to: &StoragePath) -> io::Result<()> {
        self.0.rename(from, to)
    }
    fn remove(&self, file: &StoragePath) -> io::Result<()> {
        self.0.remove(file)
    }
    fn lock(&self, file: &StoragePath) -> io::Result<Option<Box<dyn Lock>>> {
        self.0.lock(file)
    }
    fn free_bytes(&self) -> io::Result<Option<u64>> {
        self.0.free_bytes()
    }
}

impl RawFile for CountingFile {
    fn length(&self) -> io::Result<u64> {
        self.0.length()
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.read_at(buffer, offset)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.0.write_at(bytes, offset)
    }
    fn start_write_back(&self, offset: u64, length: u64) {
        self.0.start_write_back(offset, length);
    }
    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }
    fn truncate(&self, length: u64) -> io::Result<()> {
        self.0.truncate(length)
    }
}

/// Writes a data file of one session of so many blocks of 4 MiB of zeros, which are holes: the
/// file is long and whole, and takes little of the disk.
fn sparse(folder: &std::path::Path, blocks: u64) -> u64 {
    let header = header(1, "Sales");
    let id = Uuid::from_u128(5);
    let job = folder.join("job");
    std::fs::create_dir(&job).unwrap();
    let file = std::fs::File::create(job.join("sales.VAB")).unwrap();
    file.write_all_at(&header.encode().unwrap(), 0).unwrap();
    let mut append = Append::begin(End::of_new(&header), id, 1);
    let length = u64::from(MAX_BLOCK_LENGTH);
    let zeros = crc32c(&vec![0; MAX_BLOCK_LENGTH as usize]);
    for sequence in 0..blocks {
        let block = BlockHeader {
            raw_length: MAX_BLOCK_LENGTH,
            stored_length: MAX_BLOCK_LENGTH,
            raw_crc: zeros,
            stored_crc: zeros,
            ..BlockHeader::for_raw(id, 0, sequence, sequence * length, b"x")
        };
        let placed = append.block(&block).unwrap();
        file.write_all_at(&placed.frame, placed.offset).unwrap();
        if let Some(segment) = append.segment() {
            file.write_all_at(&segment.bytes, segment.offset).unwrap();
        }
    }
    let mut record = SessionRecord::opaque(id, JOB, "Sales", append.ends());
    record.committed = at(1).as_micros();
    let closing = append.commit(record).unwrap();
    for record in closing.segments.iter().chain([&closing.commit]) {
        file.write_all_at(&record.bytes, record.offset).unwrap();
    }
    drop(file);
    let mut reader = VabReader::open(std::fs::File::open(job.join("sales.VAB")).unwrap()).unwrap();
    let metadata = reader.vasm().unwrap().encode().unwrap();
    std::fs::write(job.join("sales.VASM"), metadata).unwrap();
    closing.end.committed_length
}

/// The reads of opening and listing, and of one block far behind, found by its place.
fn reads_of(folder: &std::path::Path, blocks: u64) -> (u64, u64) {
    let reads = Arc::new(AtomicU64::new(0));
    let system = Counting(HostFileSystem::new(folder), Arc::clone(&reads));
    let storage: Arc<dyn Storage> = Arc::new(LocalDirectory::over(Arc::new(system)));
    let repository = Repository::open_read_only_on(storage).unwrap();
    let point = repository.points(None, None).pop().unwrap();
    let open = reads.load(Ordering::Relaxed);
    let reader = repository.reader(point.id).unwrap();
    let last = blocks - 1;
    let offset = last * u64::from(MAX_BLOCK_LENGTH) + 77;
    assert_eq!(reader.block_at(0, offset).unwrap(), Some(last));
    let (header, payload) = reader.read_block(0, last).unwrap();
    assert_eq!(payload.len(), header.raw_length as usize);
    (open, reads.load(Ordering::Relaxed) - open)
}

#[test]
fn a_file_of_100_gib_opens_with_the_reads_of_a_small_one() {
    const BLOCKS: u64 = 25 * 1024;
    let (small, large) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    sparse(small.path(), 1);
    let length = sparse(large.path(), BLOCKS);
    assert!(length > 100 << 30);
    let (few, many) = (reads_of(small.path(), 1), reads_of(large.path(), BLOCKS));
    println!(
        "growth: a file of one block: {} reads to open, {} for a block; of {} GiB: {} and {}",
        few.0,
        few.1,
        length >> 30,
        many.0,
        many.1
    );
    assert_eq!(few.0, many.0);
    // One more: the segment of the index that the block stands in.
    assert!(many.1 <= few.1 + 1);
    let overhead = length - BLOCKS * u64::from(MAX_BLOCK_LENGTH);
    assert!(overhead * 200 <= length, "{overhead} bytes of {length}");
}
