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

mod buffer;
mod client;
#[cfg(unix)]
mod clock;
mod code;
mod config;
mod configuration;
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
#[cfg(unix)]
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
    OpenSet, ReadCommand, Refused, Transport, Waited, WriteCommand,
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
pub use name::DeviceName;
