//! Data movers: carry backup streams from virtual devices to a repository and back over a network.
//!
//! The *source* mover sits beside the database: it serves the virtual devices of a backup or
//! restore. The *target* mover sits beside the repository: it serves a [`Store`] to any number of
//! sources. Between them travel [`Block`]s, the same bytes that lie in the repository.
//!
//! - A flush of the engine is answered when everything before it is durable at the target.
//! - A backup is committed in two steps: first every stream is over, safe, and found equal by its
//!   end-to-end checksum; then one commit makes the restore point, or nothing is left.
//! - A broken connection does not break a backup: the source keeps what is not durable, comes
//!   back, and goes on with the first block the target does not have. A restore does the same.
//! - Blocks can be compressed and encrypted at the source ([`Encoding`]), once, before they travel,
//!   and are decoded at the source of a restore ([`Secrets`]). The target sees neither keys nor
//!   plaintext.
//! - If one stream fails, all of them end, on both sides, with a message that names the cause.
//!
//! The protocol itself is in [`proto`], without sockets, threads or clocks; `PROTOCOL.md` beside
//! the crate has every byte of it.
//!
//! ```
//! # use std::sync::{Arc, Mutex};
//! # use std::time::Duration;
//! # use vab_mover::{Block, Intake, Outlet, Refusal, RefusalKind, StoreError};
//! # use vab_vdi::{Direction, EngineTransport, Geometry, OpenSetRequest};
//! use vab_mover::target::{self, Exposure, TargetOptions};
//! use vab_mover::{Source, SourceOptions, Store};
//! use vab_vdi::{DeviceName, SetConfig, Transport, Waited, memory::Hub};
//! # type Bytes = Arc<Mutex<Vec<u8>>>;
//! # struct InMemory(Bytes);
//! # struct Session(Bytes);
//! # impl Store for InMemory {
//! #     fn begin(&self, _: &[u8], _: u16) -> Result<Box<dyn Intake>, Refusal> {
//! #         Ok(Box::new(Session(self.0.clone())))
//! #     }
//! #     fn open(&self, _: &[u8]) -> Result<Box<dyn Outlet>, Refusal> {
//! #         Err(Refusal::new(RefusalKind::Unsupported, "this store only takes"))
//! #     }
//! #     fn query(&self, _: &[u8]) -> Result<Vec<u8>, Refusal> { Ok(Vec::new()) }
//! # }
//! # impl Intake for Session {
//! #     fn session(&self) -> uuid::Uuid { uuid::Uuid::from_u128(7) }
//! #     fn write(&self, block: Block) -> Result<(), StoreError> {
//! #         self.0.lock().unwrap().extend_from_slice(&block.payload);
//! #         Ok(())
//! #     }
//! #     fn sync(&self) -> Result<(), StoreError> { Ok(()) }
//! #     fn commit(self: Box<Self>, _: &[u8], _: &[vab_format::stream::StreamEnd])
//! #         -> Result<Vec<u8>, StoreError> { Ok(b"restore point 1".to_vec()) }
//! #     fn abort(self: Box<Self>, _: &str) {}
//! # }
//!
//! # #[tokio::main(flavor = "multi_thread", worker_threads = 2)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let saved = Bytes::default();
//! # let store = Arc::new(InMemory(saved.clone()));
//! // Beside the repository:
//! let listener = target::bind("127.0.0.1:0", Exposure::Loopback).await?;
//! let address = listener.local_addr()?.to_string();
//! tokio::spawn(target::serve(listener, store, TargetOptions::default(), std::future::pending()));
//!
//! // Beside the database:
//! let source = Source::connect(address, SourceOptions::default()).await?;
//! let session = source.begin_backup("what the store needs to know", 1).await?;
//! let hub = Hub::new();
//! let created = hub.create(SetConfig::new(&DeviceName::new("nightly")?, 1)?)?;
//! # let engine = std::thread::spawn(move || -> Result<(), vab_vdi::EngineError> {
//! #     let names = vec![DeviceName::new("nightly").unwrap()];
//! #     let request = OpenSetRequest::new(names, Direction::Backup, Geometry::default());
//! #     let mut set = hub.open_set(request, Duration::from_secs(9))?;
//! #     for mut device in set.devices() {
//! #         device.write(b"all of the database")?;
//! #         device.complete()?;
//! #         device.close()?;
//! #     }
//! #     set.close()
//! # });
//! // ... the engine starts its backup in another thread, and comes ...
//! let Waited::Ready(ready) = created.wait(Duration::from_secs(9))? else { panic!("nobody came") };
//! let (set, devices) = ready.open()?;
//! let streamed = session.run(devices, |progress| println!("{progress:?}")).await?;
//! set.close()?;
//! # engine.join().unwrap()?;
//! let receipt = streamed.commit("what the engine said of its backup").await?;
//! # assert_eq!(receipt, b"restore point 1");
//! # assert_eq!(*saved.lock().unwrap(), b"all of the database");
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod block;
mod checksum;
mod clock;
mod copy;
#[doc(hidden)]
pub mod fuzzing;
mod net;
mod payload;
mod pool;
pub mod proto;
pub mod security;
pub mod source;
mod store;
pub mod target;
#[cfg(test)]
mod testing;

pub use block::Block;
pub use net::Throttle;
pub use payload::Payload;
pub use proto::Rate;
pub use source::{Encoding, Encryption, Secrets, Source, SourceOptions};
pub use store::{Intake, Outlet, Placed, Refusal, RefusalKind, Resumption, Store, StoreError};
/// How blocks are compressed, and what opens what is encrypted.
pub use vab_format::codec::Compression;
