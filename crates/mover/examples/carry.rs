//! Carries a file from one process to another through virtual devices and both movers, and back.
//!
//! ```text
//! carry target FOLDER                       # prints its address, serves until its input ends
//! carry save ADDRESS FILE STREAMS           # one stripe per stream; prints time and rate
//! carry load ADDRESS FILE STREAMS           # writes FILE from what was saved
//! ```
//!
//! The store is the simplest possible one: a folder with a file per stream. It is here to measure
//! the movers, not to keep backups.

use std::error::Error;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;
use vab_format::block::BlockHeader;
use vab_format::stream::StreamEnd;
use vab_mover::target::{self, Exposure, TargetOptions};
use vab_mover::{
    Block, Intake, Outlet, Refusal, RefusalKind, Source, SourceOptions, Store, StoreError,
};
use vab_vdi::memory::Hub;
use vab_vdi::{
    DeviceName, Direction, EngineError, EngineTransport, Geometry, OpenSetRequest, SetConfig,
    Transport, Waited,
};

type Failure = Box<dyn Error + Send + Sync>;

const LIMIT: Duration = Duration::from_secs(30);
/// What an engine writes or reads at once, in bytes.
const PIECE: usize = 1024 * 1024;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["target", folder] => serve(folder.into()).await,
        ["save", address, file, streams] => save(address, file.into(), streams.parse()?).await,
        ["load", address, file, streams] => load(address, file.into(), streams.parse()?).await,
        _ => Err(
            "carry target FOLDER | save ADDRESS FILE STREAMS | load ADDRESS FILE STREAMS".into(),
        ),
    }
}

async fn serve(folder: PathBuf) -> Result<(), Failure> {
    let listener = target::bind("127.0.0.1:0", Exposure::Loopback).await?;
    println!("{}", listener.local_addr()?);
    let store = Arc::new(Folder {
        folder,
        saved: Arc::default(),
    });
    let input_ends = async {
        let wait = || std::io::stdin().read_to_end(&mut Vec::new());
        let _ = tokio::task::spawn_blocking(wait).await;
    };
    target::serve(listener, store, TargetOptions::default(), input_ends).await?;
    Ok(())
}

async fn save(address: &str, file: PathBuf, streams: u16) -> Result<(), Failure> {
    let start = Instant::now();
    let source = Source::connect(address, SourceOptions::default()).await?;
    let session = source.begin_backup("carry", streams).await?;
    let hub = Hub::new();
    let name = DeviceName::new("carry")?;
    let created = hub.create(SetConfig::new(&name, streams.into())?)?;
    let length = file.metadata()?.len();
    let engine = thread::spawn(move || {
        engine(&hub, streams, Direction::Backup, move |stream, device| {
            let (mut at, end) = stripe(length, streams, stream);
            let mut file = File::open(&file).map_err(|_| EngineError::Aborted)?;
            file.seek(SeekFrom::Start(at))
                .map_err(|_| EngineError::Aborted)?;
            while at < end {
                let count = usize::try_from(end - at).map_or(PIECE, |left| left.min(PIECE));
                device.write_with(count, |buffer| {
                    let _ = file.read_exact(buffer);
                })?;
                at += count as u64;
            }
            device.complete()
        })
    });
    let devices = match created.wait(LIMIT)? {
        Waited::Ready(ready) => ready.open()?,
        Waited::NotYet(_) => return Err("the engine never came".into()),
    };
    let streamed = session.run(devices.1, |_| ()).await?;
    joined(engine)?;
    devices.0.close()?;
    streamed.commit("carry").await?;
    report("saved", length, start);
    Ok(())
}

async fn load(address: &str, file: PathBuf, streams: u16) -> Result<(), Failure> {
    let start = Instant::now();
    let source = Source::connect(address, SourceOptions::default()).await?;
    let restore = source.open_restore("carry").await?;
    let length: u64 = restore.streams().iter().map(|end| end.bytes).sum();
    let hub = Hub::new();
    let name = DeviceName::new("carry")?;
    let created = hub.create(SetConfig::new(&name, streams.into())?)?;
    File::create(&file)?;
    let path = file.clone();
    let engine = thread::spawn(move || {
        engine(&hub, streams, Direction::Restore, move |stream, device| {
            let (at, _) = stripe(length, streams, stream);
            let mut file = File::options()
                .write(true)
                .open(&path)
                .map_err(|_| EngineError::Aborted)?;
            file.seek(SeekFrom::Start(at))
                .map_err(|_| EngineError::Aborted)?;
            let mut buffer = vec![0; PIECE];
            loop {
                match device.read(&mut buffer)? {
                    0 => return Ok(()),
                    count => file
                        .write_all(buffer.get(..count).unwrap_or_default())
                        .map_err(|_| EngineError::Aborted)?,
                }
            }
        })
    });
    let devices = match created.wait(LIMIT)? {
        Waited::Ready(ready) => ready.open()?,
        Waited::NotYet(_) => return Err("the engine never came".into()),
    };
    restore.run(devices.1, |_| ()).await?;
    joined(engine)?;
    devices.0.close()?;
    File::open(&file)?.sync_all()?;
    report("loaded", length, start);
    Ok(())
}

fn report(done: &str, length: u64, start: Instant) {
    let seconds = start.elapsed();
    let rate = u128::from(length) * 1000 / (1 << 20) / seconds.as_millis().max(1);
    let _ = writeln!(
        std::io::stdout(),
        "{done} {length} bytes in {seconds:.2?}, {rate} MiB/s"
    );
}

/// Where a stream's part of the file begins and ends.
fn stripe(length: u64, streams: u16, stream: u16) -> (u64, u64) {
    let share = length.div_ceil(u64::from(streams));
    let start = share * u64::from(stream);
    (start.min(length), (start + share).min(length))
}

fn engine(
    hub: &Hub,
    streams: u16,
    direction: Direction,
    work: impl Fn(u16, &mut vab_vdi::EngineDevice) -> Result<(), EngineError>
    + Send
    + Sync
    + Clone
    + 'static,
) -> Result<(), Failure> {
    let config = SetConfig::new(&DeviceName::new("carry")?, streams.into())?;
    let names = config.device_names().to_vec();
    let mut set = hub.open_set(
        OpenSetRequest::new(names, direction, Geometry::default()),
        LIMIT,
    )?;
    let threads: Vec<_> = (0..)
        .zip(set.devices())
        .map(|(stream, mut device)| {
            let work = work.clone();
            thread::spawn(move || {
                work(stream, &mut device)?;
                device.close()
            })
        })
        .collect();
    for thread in threads {
        thread
            .join()
            .map_err(|_| "a thread of the engine failed inside")??;
    }
    Ok(set.close()?)
}

fn joined(engine: thread::JoinHandle<Result<(), Failure>>) -> Result<(), Failure> {
    engine.join().map_err(|_| "the engine failed inside")?
}

/// A folder with a file per stream.
struct Folder {
    folder: PathBuf,
    saved: Arc<Mutex<Option<Saved>>>,
}

#[derive(Clone)]
struct Saved {
    ends: Vec<StreamEnd>,
    headers: Vec<Vec<BlockHeader>>,
}

struct Writing {
    files: Vec<Mutex<File>>,
    headers: Mutex<Vec<Vec<BlockHeader>>>,
    saved: Arc<Mutex<Option<Saved>>>,
}

struct Reading {
    files: Vec<Mutex<File>>,
    saved: Saved,
}

const SESSION: Uuid = Uuid::from_u128(1);

impl Store for Folder {
    fn begin(&self, _: &[u8], streams: u16) -> Result<Box<dyn Intake>, Refusal> {
        let files: Result<Vec<_>, _> = (0..streams)
            .map(|stream| {
                File::create(self.folder.join(format!("stream-{stream}"))).map(Mutex::new)
            })
            .collect();
        let files = files.map_err(|error| Refusal::new(RefusalKind::Failed, error.to_string()))?;
        Ok(Box::new(Writing {
            files,
            headers: Mutex::new(vec![Vec::new(); streams.into()]),
            saved: Arc::clone(&self.saved),
        }))
    }

    fn open(&self, _: &[u8]) -> Result<Box<dyn Outlet>, Refusal> {
        let saved = self.saved.lock().ok().and_then(|saved| saved.clone());
        let saved =
            saved.ok_or_else(|| Refusal::new(RefusalKind::NotFound, "nothing was saved"))?;
        let files: Result<Vec<_>, _> = (0..saved.ends.len())
            .map(|stream| File::open(self.folder.join(format!("stream-{stream}"))).map(Mutex::new))
            .collect();
        let files = files.map_err(|error| Refusal::new(RefusalKind::Failed, error.to_string()))?;
        Ok(Box::new(Reading { files, saved }))
    }

    fn query(&self, _: &[u8]) -> Result<Vec<u8>, Refusal> {
        Ok(Vec::new())
    }
}

impl Intake for Writing {
    fn session(&self) -> Uuid {
        SESSION
    }

    fn write(&self, block: Block) -> Result<(), StoreError> {
        let sound = block.header.verify(&block.payload);
        sound.map_err(std::io::Error::other)?;
        let stream = usize::from(block.header.stream);
        // Blocks of a stream come in order, so the file is where it should be.
        if let Some(Ok(mut file)) = self.files.get(stream).map(Mutex::lock) {
            file.write_all(&block.payload)?;
        }
        if let Ok(mut headers) = self.headers.lock()
            && let Some(headers) = headers.get_mut(stream)
        {
            headers.push(block.header);
        }
        Ok(())
    }

    fn sync(&self) -> Result<(), StoreError> {
        for file in &self.files {
            // A handle of its own: blocks are written meanwhile.
            let own = file.lock().map(|file| file.try_clone());
            if let Ok(own) = own {
                own?.sync_data()?;
            }
        }
        Ok(())
    }

    fn commit(self: Box<Self>, _: &[u8], ends: &[StreamEnd]) -> Result<Vec<u8>, StoreError> {
        self.sync()?;
        let headers = self
            .headers
            .lock()
            .map(|headers| headers.clone())
            .unwrap_or_default();
        if let Ok(mut saved) = self.saved.lock() {
            *saved = Some(Saved {
                ends: ends.to_vec(),
                headers,
            });
        }
        Ok(Vec::new())
    }

    fn abort(self: Box<Self>, _: &str) {}
}

impl Outlet for Reading {
    fn session(&self) -> Uuid {
        SESSION
    }

    fn streams(&self) -> &[StreamEnd] {
        &self.saved.ends
    }

    fn read(&self, stream: u16, sequence: u64) -> Result<Block, StoreError> {
        let missing = || StoreError::Failed {
            message: "no such block".into(),
        };
        let index = usize::try_from(sequence).map_err(|_| missing())?;
        let stream = usize::from(stream);
        let header = *self
            .saved
            .headers
            .get(stream)
            .and_then(|headers| headers.get(index))
            .ok_or_else(missing)?;
        let mut payload = vec![0; usize::try_from(header.stored_length).map_err(|_| missing())?];
        if let Some(Ok(mut file)) = self.files.get(stream).map(Mutex::lock) {
            file.seek(SeekFrom::Start(header.offset))?;
            file.read_exact(&mut payload)?;
        }
        Ok(Block {
            header,
            payload: payload.into(),
        })
    }
}
