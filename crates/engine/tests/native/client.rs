//! A backup program as small as it can be: it keeps streams in memory.

use std::thread::{self, Scope};
use std::time::Duration;

use vab_vdi::memory::Hub;
use vab_vdi::{Command, CreatedSet, Device, DeviceName, Event, SetConfig, Transport, Waited};

const LONG: Duration = Duration::from_secs(60);

/// What came over one device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Saved {
    pub(crate) bytes: Vec<u8>,
    /// `W` with its size, `F`, `C`.
    pub(crate) commands: Vec<(char, usize)>,
}

pub(crate) fn names(name: &str, count: usize) -> Vec<DeviceName> {
    let first = DeviceName::new(name).unwrap();
    (0..count)
        .map(|index| first.numbered(index).unwrap())
        .collect()
}

/// Takes a backup over `count` devices while `engine` runs; `Err` if it did not end normally.
pub(crate) fn save<T: Send>(
    hub: &Hub,
    name: &str,
    count: usize,
    engine: impl FnOnce() -> T + Send,
) -> (T, Result<Vec<Saved>, String>) {
    serve(hub, name, count, engine, |_, device| {
        let mut saved = Saved::default();
        while let Event::Command(command) = next(device)? {
            let text = |error: vab_vdi::DeviceError| error.to_string();
            match command {
                Command::Write(write) => {
                    saved.bytes.extend_from_slice(write.data());
                    saved.commands.push(('W', write.data().len()));
                    write.complete().map_err(text)?;
                }
                Command::Flush(flush) => {
                    saved.commands.push(('F', 0));
                    flush.complete().map_err(text)?;
                }
                Command::Complete(complete) => {
                    saved.commands.push(('C', 0));
                    complete.complete().map_err(text)?;
                }
                Command::Read(_) => return Err("a read in a backup".to_owned()),
            }
        }
        Ok(saved)
    })
}

/// Gives streams back while `engine` runs, and the sizes that were asked for.
pub(crate) fn give<T: Send>(
    hub: &Hub,
    name: &str,
    streams: &[Vec<u8>],
    engine: impl FnOnce() -> T + Send,
) -> (T, Result<Vec<Vec<usize>>, String>) {
    serve(hub, name, streams.len(), engine, |index, device| {
        let mut rest = streams[index].as_slice();
        let mut sizes = Vec::new();
        while let Event::Command(command) = next(device)? {
            let Command::Read(mut read) = command else {
                return Err("not a read in a restore".to_owned());
            };
            sizes.push(read.size());
            let count = read.size().min(rest.len());
            let (now, later) = rest.split_at(count);
            read.buffer()[..count].copy_from_slice(now);
            rest = later;
            let done = if rest.is_empty() {
                read.complete_end_of_data(count)
            } else {
                read.complete(count)
            };
            done.map_err(|error| error.to_string())?;
        }
        Ok(sizes)
    })
}

fn next(device: &Device) -> Result<Event<'_>, String> {
    device
        .next_command(Some(LONG))
        .map_err(|error| error.to_string())
}

fn serve<T: Send, S: Send>(
    hub: &Hub,
    name: &str,
    count: usize,
    engine: impl FnOnce() -> T + Send,
    work: impl Fn(usize, &Device) -> Result<S, String> + Sync,
) -> (T, Result<Vec<S>, String>) {
    let config = SetConfig::with_names(names(name, count)).unwrap();
    let created = hub.create(config).unwrap();
    let work = &work;
    thread::scope(|scope| {
        let engine = scope.spawn(engine);
        let served = serve_devices(scope, created, work);
        let result = engine.join().unwrap();
        (result, served)
    })
}

fn serve_devices<'scope, S: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    created: CreatedSet,
    work: &'scope (impl Fn(usize, &Device) -> Result<S, String> + Sync),
) -> Result<Vec<S>, String> {
    let waited = created.wait(LONG).map_err(|error| error.to_string())?;
    let Waited::Ready(set) = waited else {
        panic!("the engine never came");
    };
    let (set, devices) = set.open().map_err(|error| error.to_string())?;
    let threads: Vec<_> = devices
        .into_iter()
        .enumerate()
        .map(|(index, device)| scope.spawn(move || work(index, &device)))
        .collect();
    let joined = threads.into_iter().map(|thread| thread.join().unwrap());
    let served = joined.collect::<Result<Vec<S>, String>>();
    let closed = set.close().map_err(|error| error.to_string());
    served.and_then(|served| closed.map(|()| served))
}
