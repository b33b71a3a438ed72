//! Payloads that lie where an engine of this process put them.

use std::sync::Arc;

use bytes::Bytes;
use vab_vdi::{KeptBuffer, TakenWrite, WriteCommand};

use crate::pool::Pool;

/// The engine's bytes, with the place of the pool's that they take.
struct Lent {
    // Goes first, so that its memory can be kept again when there is a place again.
    bytes: KeptBuffer,
    _place: Place,
}

/// A buffer less that the pool may have out.
struct Place(Arc<Pool>);

/// Keeps the bytes of a command, as soon as the pool has a place for them; gives the command back
/// if its memory cannot be kept, or the pool is closed.
pub(super) fn keep<'d>(
    pool: &Arc<Pool>,
    write: WriteCommand<'d>,
) -> Result<(Bytes, TakenWrite<'d>), WriteCommand<'d>> {
    if !pool.enter() {
        return Err(write);
    }
    let place = Place(Arc::clone(pool));
    let (bytes, taken) = write.keep()?;
    pool.shed();
    let lent = Lent {
        bytes,
        _place: place,
    };
    Ok((Bytes::from_owner(lent), taken))
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.leave();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashSet, VecDeque};
    use std::thread::{self, JoinHandle};
    use std::time::Duration;

    use tokio::sync::mpsc;
    use uuid::Uuid;
    use vab_vdi::memory::Hub;
    use vab_vdi::{
        DeviceName, Direction, EngineError, EngineTransport, Geometry, OpenSet, OpenSetRequest,
        SetConfig, Transport, Waited,
    };

    use super::super::StreamError;
    use super::super::backup_driver::Order;
    use super::super::board::Board;
    use super::super::save::{Saver, Way};
    use crate::Block;
    use crate::proto::Position;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);
    const SIZE: usize = 65_536;

    /// What an engine wrote: the sizes of its commands, and where each lay.
    type Written = Vec<(usize, usize)>;

    /// A backup of one device without a session.
    struct Backup {
        blocks: mpsc::Receiver<Order>,
        saver: JoinHandle<Result<Position, StreamError>>,
        engine: JoinHandle<Result<Written, EngineError>>,
        set: OpenSet,
    }

    /// The bytes of one command.
    fn fill(room: &mut [u8], command: usize) {
        for (at, byte) in room.iter_mut().enumerate() {
            *byte = u8::try_from((at + at / 256 + 7 * command) % 256).unwrap();
        }
    }

    impl Backup {
        /// An engine writes commands of these sizes, and they become blocks of `block_size` bytes.
        fn start(sizes: Vec<usize>, block_size: usize, pool: &Arc<Pool>) -> Self {
            let hub = Hub::new();
            let name = DeviceName::new("set").unwrap();
            let created = hub.create(SetConfig::new(&name, 1).unwrap()).unwrap();
            let engine = thread::spawn(move || {
                let sizes_of = Geometry::new(512, u32::try_from(SIZE).unwrap()).unwrap();
                let request = OpenSetRequest::new(vec![name], Direction::Backup, sizes_of);
                let mut set = hub.open_set(request, LIMIT)?;
                let mut device = set.devices().pop().unwrap();
                let mut written = Vec::new();
                for (command, size) in sizes.into_iter().enumerate() {
                    device.write_with(size, |room| {
                        written.push((room.as_ptr().addr(), size));
                        fill(room, command);
                    })?;
                }
                device.close()?;
                set.close()?;
                Ok(written)
            });
            let Waited::Ready(configured) = created.wait(LIMIT).unwrap() else {
                panic!("the engine did not come")
            };
            let (set, mut devices) = configured.open().unwrap();
            let device = devices.pop().unwrap();
            let (orders, blocks) = mpsc::channel(1);
            let saver = Saver {
                session: Uuid::from_u128(7),
                stream: 0,
                block_size,
                way: Way::Plain {
                    pool: Arc::clone(pool),
                },
                tap: None,
                board: Arc::new(Board::new(1)),
                orders,
                progress: Arc::new(|_| ()),
                at: Position::default(),
                open: None,
            };
            Self {
                blocks,
                saver: thread::spawn(move || saver.run(&device)),
                engine,
                set,
            }
        }

        fn next(&mut self) -> Option<Block> {
            match self.blocks.blocking_recv() {
                Some(Order::Push(block)) => Some(block),
                _ => None,
            }
        }

        /// Where the commands lay, after the end.
        fn end(self) -> Written {
            self.saver.join().unwrap().unwrap();
            let written = self.engine.join().unwrap().unwrap();
            self.set.close().unwrap();
            written
        }
    }

    #[test]
    fn whole_blocks_stay_where_the_engine_put_them() {
        // The small one and what fills its block are copied, and so is what is left at the end.
        let sizes = vec![SIZE, SIZE, 100, SIZE - 100, SIZE, 4096, SIZE, SIZE, 512];
        let mut backup = Backup::start(sizes, SIZE, &Pool::new(100));
        let blocks: Vec<Block> = std::iter::from_fn(|| backup.next()).collect();
        let written = backup.end();
        let places: Vec<usize> = blocks
            .iter()
            .map(|block| block.payload.as_ptr().addr())
            .collect();
        let commands: Vec<usize> = written.iter().map(|(place, _)| *place).collect();
        let lent = |block: usize, command: usize| places[block] == commands[command];
        assert!(lent(0, 0) && lent(1, 1) && lent(3, 4));
        let copied: HashSet<_> = [2, 4, 5, 6].map(|block: usize| places[block]).into();
        assert!(commands.iter().all(|place| !copied.contains(place)));

        let mut expected = Vec::new();
        for (command, (_, size)) in written.into_iter().enumerate() {
            let at = expected.len();
            expected.resize(at + size, 0);
            fill(&mut expected[at..], command);
        }
        let saved: Vec<&[u8]> = blocks.iter().map(|block| &block.payload[..]).collect();
        assert!(saved.concat() == expected);
        for (sequence, block) in (0..).zip(&blocks) {
            let header = &block.header;
            assert_eq!(header.sequence, sequence);
            assert!(header.verify(&block.payload).is_ok());
        }
    }

    #[test]
    fn the_engine_waits_when_all_places_are_taken() {
        const PLACES: usize = 3;
        let mut backup = Backup::start(vec![SIZE; 200], SIZE, &Pool::new(PLACES));
        let (mut held, mut count) = (VecDeque::new(), 0);
        while let Some(block) = backup.next() {
            held.push_back(block);
            count += 1;
            // A further one comes only after one is dropped; were more held, none would come.
            if held.len() == PLACES {
                held.pop_front();
            }
        }
        assert_eq!(count, 200);
        // All places, and the engine's own four buffers.
        let places: HashSet<_> = backup.end().into_iter().collect();
        assert!(places.len() <= PLACES + 4, "{} buffers", places.len());
    }

    #[test]
    fn nothing_is_kept_of_transfers_that_are_larger_than_a_block() {
        let mut backup = Backup::start(vec![4096; 10], 4096, &Pool::new(100));
        let blocks: Vec<Block> = std::iter::from_fn(|| backup.next()).collect();
        let written: HashSet<_> = backup.end().into_iter().map(|it| it.0).collect();
        assert_eq!(blocks.len(), 10);
        let lent = |block: &Block| written.contains(&block.payload.as_ptr().addr());
        assert!(!blocks.iter().any(lent));
    }

    #[test]
    fn a_session_that_is_over_ends_a_stream_that_waits_for_a_place() {
        let pool = Pool::new(1);
        let mut backup = Backup::start(vec![SIZE; 3], SIZE, &pool);
        let block = backup.next().unwrap();
        pool.close();
        assert!(matches!(
            backup.saver.join().unwrap(),
            Err(StreamError::SessionOver)
        ));
        assert!(backup.engine.join().unwrap().is_err());
        assert!(backup.set.close().is_err());
        // What is out stays as it is.
        assert!(block.header.verify(&block.payload).is_ok());
    }
}
