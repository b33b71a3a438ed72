//! Virtual devices for SQL Server backup and restore: both ends of the transport, with the
//! command life cycle as types.
//!
//! A backup program (the *client*) creates a set of virtual devices and serves the commands
//! that arrive on them; the database (the *engine*) opens the set by its name, writes its backup
//! stream to the devices or reads it from them, and closes them.
//!
//! ```
//! use std::time::Duration;
//! use vab_vdi::memory::Hub;
//! use vab_vdi::{Command, DeviceName, Direction, EngineTransport, Event, Geometry};
//! use vab_vdi::{OpenSetRequest, SetConfig, Transport, Waited};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (hub, second) = (Hub::new(), Duration::from_secs(1));
//! let set = hub.create(SetConfig::new(&DeviceName::new("nightly")?, 1)?)?;
//! let engine_hub = hub.clone();
//! let engine = std::thread::spawn(move || -> Result<(), vab_vdi::EngineError> {
//!     let names = vec![DeviceName::new("nightly").expect("a legal name")];
//!     let request = OpenSetRequest::new(names, Direction::Backup, Geometry::default());
//!     let mut set = engine_hub.open_set(request, second)?;
//!     for mut device in set.devices() {
//!         device.write(b"all of the database")?;
//!         device.complete()?;
//!         device.close()?;
//!     }
//!     set.close()
//! });
//! let Waited::Ready(set) = set.wait(second)? else { panic!("the engine never came") };
//! let (set, devices) = set.open()?;
//! let mut saved = Vec::new();
//! while let Event::Command(command) = devices[0].next_command(Some(second))? {
//!     match command {
//!         Command::Write(write) => {
//!             saved.extend_from_slice(write.data());
//!             write.complete()?;
//!         }
//!         Command::Read(read) => read.complete_end_of_data(0)?,
//!         Command::Flush(flush) => flush.complete()?, // only once all of `saved` is durable
//!         Command::Complete(complete) => complete.complete()?,
//!     }
//! }
//! set.close()?;
//! engine.join().expect("the engine's thread")?;
//! assert_eq!(saved, b"all of the database");
//! # Ok(())
//! # }
//! ```
//!
//! # Back ends
//!
//! The program above is the same over all of them, up to the value that creates the set.
//!
//! | back end | the engine is | both sides here |
//! |---|---|---|
//! | [`memory::Hub`] | a thread of this process | yes |
//! | [`pipe::Directory`] (Unix, Windows) | another process: Unix-domain sockets or named pipes; on Linux and Windows with shared memory | yes |
//! | [`raw`] over any of these two | a program that writes or reads a plain stream | yes |
//! | `linux::Library` (Linux) | SQL Server, through its `libsqlvdi.so` | the client |
//! | `windows::Sqlvdi` (Windows) | SQL Server, through its COM library | the client |
//!
//! # Rules that the types keep
//!
//! * A set goes from [`CreatedSet`] over [`ConfiguredSet`] to [`OpenSet`]; a call in the wrong
//!   state does not compile.
//! * A command's bytes can be reached only before it is completed; completing consumes it. A
//!   dropped command is completed with an error, never silently.
//! * A write command's memory can be kept beyond it without a copy ([`WriteCommand::keep`]) where it
//!   is this process's: with [`memory::Hub`]. Other back ends say no, and the caller copies.
//! * A [`Device`] moves between threads, and one thread at a time serves it. Serve all devices of
//!   a set at once: the engine spreads its stream over all of them.
//! * `ClearError` is answered inside. What a pipe-like device does not have is answered with
//!   [`CompletionCode::NOT_SUPPORTED`] and counted in [`Device::refused`].
//!
//! Rules that the program keeps: complete a [`FlushCommand`] and a [`CompleteCommand`] only after
//! everything before it is durable where the backup is kept ([`gate`] helps); at a restore, give
//! the same stream in whatever sizes are asked for ([`rechunk`] does it); look after the result of
//! the engine's statement too, because only that says whether the backup succeeded.
//!
//! # How things end
//!
//! | what happens | the client's devices give | the engine's devices give |
//! |---|---|---|
//! | all went well | [`Event::Ended`] | `Ok` from [`EngineDevice::close`] |
//! | somebody aborts | [`DeviceError::Aborted`] | [`EngineError::Aborted`] |
//! | the client fails a command | [`DeviceError::Aborted`] | [`EngineError::Failed`] with the code, the others `Aborted` |
//! | the client drops a command | the same | [`EngineError::Failed`] with code 995 |
//! | the client goes away | | [`EngineError::ClientLost`] |
//! | the engine goes away | [`DeviceError::EngineLost`] | |
//! | a command takes longer than the engine's limit | [`DeviceError::Aborted`] | [`EngineError::Timeout`], the others `Aborted` |
//! | the engine sends nothing for the client's limit | [`Event::TimedOut`]; nothing ends | |
//! | the engine never comes | [`Waited::NotYet`]; nothing ends | |
//!
//! SQL Server's own interface knows no difference between an abort and a loss: with `linux` and
//! `windows` both are `Aborted`. [`OpenSet::close`] is `Ok` only if every device ended normally.
//!
//! # Asynchronous programs
//!
//! With the feature `async`, `asynchronous::Device` serves a device from a task of any runtime.
//!
//! # Time
//!
//! Every wait has its limit as a parameter; nothing here has a limit of its own, but for the
//! introduction of two processes to each other ([`pipe::Directory::handshake_limit`]).

#[cfg(feature = "async")]
pub mod asynchronous;
mod buffer;
mod client;
#[cfg(any(unix, windows))]
mod clock;
mod code;
mod config;
mod configuration;
#[cfg(test)]
mod effort;
mod engine;
mod error;
pub mod gate;
mod geometry;
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "SQL Server's own library is C++")]
pub mod linux;
pub mod memory;
mod name;
#[cfg(any(target_os = "linux", windows))]
#[expect(
    unsafe_code,
    reason = "commands and buffers are in memory that the server shares"
)]
mod native;
mod patience;
#[cfg(any(unix, windows))]
pub mod pipe;
pub mod raw;
pub mod rechunk;
mod seam;
pub mod serve;
mod sync;
#[cfg(windows)]
#[expect(unsafe_code, reason = "SQL Server's own library is COM")]
pub mod windows;

pub use client::{
    AbortHandle, Command, CompleteCommand, ConfiguredSet, CreatedSet, Device, Event, FlushCommand,
    OpenSet, ReadCommand, Refused, TakenWrite, Transport, Waited, WriteCommand,
};
pub use code::{CommandCode, CompletionCode, Features, VdCode};
pub use config::{MAX_DEVICES, SetConfig};
pub use configuration::{Configuration, Direction};
pub use engine::{EngineAbortHandle, EngineDevice, EngineSet, EngineTransport, OpenSetRequest};
pub use error::{
    CloseError, ConfigError, CreateError, DeviceError, EngineError, GeometryError, NameError,
    OpenError, WaitError,
};
pub use geometry::Geometry;
pub use memory::KeptBuffer;
pub use name::DeviceName;
