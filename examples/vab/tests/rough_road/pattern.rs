//! An engine with one database of bytes that follow from a seed.

use std::sync::atomic::{AtomicU64, Ordering};

use vab_manager::chain::{BackupSet, BackupSetId, Lsn};
use vab_manager::engine::{
    BackupError, BackupRequest, DatabaseInfo, DatabaseState, Engine, EngineError, RecoverRequest,
    RecoveryModel, RestoreError, RestoreRequest, Restored, StopOutcome,
};
use vab_vdi::{Direction, EngineDevice, EngineTransport, OpenSetRequest};

use crate::road::Random;

/// Bytes that are written at once; a multiple of eight, and not of the sizes of blocks.
const PIECE: usize = 200 * 1024;

#[derive(Debug)]
pub(crate) struct Pattern {
    seed: u64,
    bytes: u64,
    streams: u16,
    equal: AtomicU64,
}

impl Pattern {
    /// `bytes` in all, in equal parts of `streams` streams.
    pub(crate) fn new(seed: u64, bytes: u64, streams: u16) -> Self {
        Self {
            seed,
            bytes,
            streams,
            equal: AtomicU64::new(0),
        }
    }

    /// Bytes that a restore gave back as they were.
    pub(crate) fn equal_bytes(&self) -> u64 {
        self.equal.load(Ordering::Relaxed)
    }

    fn share(&self) -> usize {
        (self.bytes / u64::from(self.streams)) as usize
    }

    fn stream(&self, stream: usize) -> Bytes {
        Bytes(Random::new(self.seed + 1 + stream as u64))
    }

    fn with_devices(
        &self,
        request: OpenSetRequest,
        timeout: std::time::Duration,
        transport: &dyn EngineTransport,
        serve: impl Fn(usize, &mut EngineDevice) + Sync,
    ) {
        let mut set = transport.open_set(request, timeout).unwrap();
        let devices = set.devices();
        assert_eq!(devices.len(), usize::from(self.streams));
        std::thread::scope(|scope| {
            for (stream, mut device) in devices.into_iter().enumerate() {
                let serve = &serve;
                scope.spawn(move || {
                    serve(stream, &mut device);
                    device.close().unwrap();
                });
            }
        });
        set.close().unwrap();
    }
}

/// The bytes of a stream in order.
struct Bytes(Random);

impl Bytes {
    fn fill(&mut self, piece: &mut [u8]) {
        for word in piece.chunks_mut(8) {
            word.copy_from_slice(&self.0.next().to_le_bytes()[..word.len()]);
        }
    }
}

impl Engine for Pattern {
    fn databases(&self) -> Result<Vec<DatabaseInfo>, EngineError> {
        let mut info = DatabaseInfo::new("Pattern", DatabaseState::Online, RecoveryModel::Full);
        info.data_bytes = self.bytes;
        Ok(vec![info])
    }

    fn backup(
        &self,
        request: &BackupRequest,
        transport: &dyn EngineTransport,
    ) -> Result<BackupSet, BackupError> {
        let open =
            OpenSetRequest::new(request.devices.clone(), Direction::Backup, request.geometry);
        self.with_devices(open, request.timeout, transport, |stream, device| {
            let mut bytes = self.stream(stream);
            let mut piece = vec![0; PIECE];
            let mut left = self.share();
            while left > 0 {
                let piece = &mut piece[..PIECE.min(left)];
                bytes.fill(piece);
                device.write(piece).unwrap();
                left -= piece.len();
            }
            device.flush().unwrap();
            device.complete().unwrap();
        });
        let time = "2026-01-01T00:00:00".parse().unwrap();
        Ok(BackupSet::new(
            BackupSetId::from(uuid::Uuid::from_u64_pair(self.seed, 1)),
            "Pattern",
            request.kind,
            Lsn::new(1, 1, 1)..Lsn::new(1, 2, 1),
            time,
            time,
        ))
    }

    fn restore(
        &self,
        request: &RestoreRequest,
        transport: &dyn EngineTransport,
    ) -> Result<Restored, RestoreError> {
        let open = OpenSetRequest::new(
            request.devices.clone(),
            Direction::Restore,
            request.geometry,
        );
        self.with_devices(open, request.timeout, transport, |stream, device| {
            let mut bytes = self.stream(stream);
            let (mut expected, mut found) = (vec![0; PIECE], vec![0; PIECE]);
            let mut at = 0;
            while at < self.share() {
                let length = PIECE.min(self.share() - at);
                bytes.fill(&mut expected[..length]);
                let mut filled = 0;
                while filled < length {
                    let count = device.read(&mut found[filled..length]).unwrap();
                    assert!(
                        count > 0,
                        "stream {stream} ends after {at} bytes and {filled}"
                    );
                    filled += count;
                }
                assert!(
                    found[..length] == expected[..length],
                    "stream {stream} differs after {at} bytes"
                );
                at += length;
            }
            assert_eq!(device.read(&mut found).unwrap(), 0, "more than there was");
            self.equal.fetch_add(at as u64, Ordering::Relaxed);
        });
        Ok(Restored::new(
            DatabaseState::Online,
            StopOutcome::NotAsked,
            Lsn::new(1, 2, 1),
        ))
    }

    fn recover(&self, _request: &RecoverRequest) -> Result<Restored, RestoreError> {
        Ok(Restored::new(
            DatabaseState::Online,
            StopOutcome::NotAsked,
            Lsn::new(1, 2, 1),
        ))
    }
}
