//! The client's devices for asynchronous programs, on any runtime.
//!
//! A device blocks, and every device has a thread that serves it: here that is a thread of its
//! own, which ends with the device. What the program awaits are bounded channels to that thread.
//!
//! ```
//! use std::time::Duration;
//! # use vab_vdi::memory::Hub;
//! use vab_vdi::asynchronous::{Command, Device, Event};
//! # use vab_vdi::{DeviceName, Direction, EngineTransport, Geometry, OpenSetRequest, SetConfig};
//! # use vab_vdi::{Transport, Waited};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (hub, second) = (Hub::new(), Duration::from_secs(1));
//! # let names = vec![DeviceName::new("nightly")?];
//! # let set = hub.create(SetConfig::new(&names[0], 1)?)?;
//! # let engine = std::thread::spawn(move || -> Result<(), vab_vdi::EngineError> {
//! #     let request = OpenSetRequest::new(names, Direction::Backup, Geometry::default());
//! #     let mut set = hub.open_set(request, second)?;
//! #     for mut device in set.devices() {
//! #         device.write(b"all of the database")?;
//! #         device.complete()?;
//! #         device.close()?;
//! #     }
//! #     set.close()
//! # });
//! # let Waited::Ready(set) = set.wait(second)? else { panic!("the engine never came") };
//! let (set, devices) = set.open()?;
//! # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
//! # runtime.block_on(async {
//! // One task per device; here there is one device.
//! for device in devices {
//!     let mut device = Device::new(device)?;
//!     let mut saved = Vec::new();
//!     while let Event::Command(command) = device.next_command().await? {
//!         match command {
//!             Command::Write(write) => {
//!                 saved.extend_from_slice(write.data());
//!                 write.complete().await?;
//!             }
//!             Command::Read(read) => read.complete_end_of_data(0).await?,
//!             Command::Flush(flush) => flush.complete().await?,
//!             Command::Complete(complete) => complete.complete().await?,
//!         }
//!     }
//! #   assert_eq!(saved, b"all of the database");
//! }
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # })?;
//! set.close()?;
//! # engine.join().expect("the engine's thread")?;
//! # Ok(())
//! # }
//! ```
//!
//! # Rules
//!
//! * A command is a value, and its bytes can be reached only while it lives; completing consumes
//!   it. It borrows its device, so that there is one at a time.
//! * Completing takes effect when it is called, whether or not its future is awaited; the future
//!   only tells whether the device is dead. A dropped command fails the operation.
//! * Every future can be dropped at any time: no command is lost, and none comes twice. Limits of
//!   time are the caller's, with what the runtime has for them.
//! * Dropping a device that has not ended aborts its set.

mod command;
mod device;
mod worker;

pub use command::{Command, CompleteCommand, FlushCommand, ReadCommand, TakenWrite, WriteCommand};
pub use device::{Device, Event};
