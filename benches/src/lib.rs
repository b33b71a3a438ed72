//! An engine for benches: it writes as fast as its devices take it.

#![forbid(unsafe_code)]

use std::thread;

use uuid::Uuid;
use vab_chain::{BackupSet, Lsn, ServerTime};
use vab_engine::{
    BackupError, BackupRequest, DatabaseInfo, Engine, EngineError, RecoverRequest, RestoreError,
    RestoreRequest, Restored,
};
use vab_vdi::{Direction, EngineDevice, EngineTransport, OpenSetRequest};

/// Writes the same pages again and again, over all devices of a set at once.
#[derive(Debug)]
pub struct Flood {
    /// Bytes of one backup, over all devices; a multiple of 64 MiB divides well.
    pub bytes: u64,
}

impl Flood {
    fn pour(&self, device: &mut EngineDevice, devices: usize) -> Result<(), vab_vdi::EngineError> {
        let transfer = device.configuration().geometry.max_transfer();
        let mut left = self.bytes / u64::try_from(devices).unwrap_or(1);
        while left > 0 {
            let length = u64::from(transfer).min(left);
            device.write_with(usize::try_from(length).unwrap_or_default(), |page| {
                page.fill(0x5a);
            })?;
            left -= length;
        }
        device.flush()?;
        device.complete()
    }
}

impl Engine for Flood {
    fn databases(&self) -> Result<Vec<DatabaseInfo>, EngineError> {
        Ok(Vec::new())
    }

    fn backup(
        &self,
        request: &BackupRequest,
        transport: &dyn EngineTransport,
    ) -> Result<BackupSet, BackupError> {
        let open =
            OpenSetRequest::new(request.devices.clone(), Direction::Backup, request.geometry);
        let mut set = transport
            .open_set(open, request.timeout)
            .map_err(BackupError::Set)?;
        let devices = set.devices();
        let count = devices.len();
        let poured: Vec<Result<(), BackupError>> = thread::scope(|scope| {
            let pour = |mut device: EngineDevice| {
                let name = device.name().clone();
                let done = self.pour(&mut device, count).and_then(|()| device.close());
                done.map_err(|error| BackupError::Device {
                    device: name,
                    error,
                })
            };
            let threads: Vec<_> = devices
                .into_iter()
                .map(|device| scope.spawn(move || pour(device)))
                .collect();
            threads
                .into_iter()
                .filter_map(|thread| thread.join().ok())
                .collect()
        });
        poured.into_iter().collect::<Result<Vec<()>, _>>()?;
        set.close().map_err(BackupError::Set)?;
        let (lsns, now) = (
            Lsn::new(1, 1, 1)..Lsn::new(1, 2, 1),
            ServerTime::from_micros(0),
        );
        Ok(BackupSet::new(
            Uuid::new_v4().into(),
            &request.database,
            request.kind,
            lsns,
            now,
            now,
        ))
    }

    fn restore(
        &self,
        _: &RestoreRequest,
        _: &dyn EngineTransport,
    ) -> Result<Restored, RestoreError> {
        Err(EngineError::Unsupported { what: "restore" }.into())
    }

    fn recover(&self, _: &RecoverRequest) -> Result<Restored, RestoreError> {
        Err(EngineError::Unsupported { what: "recover" }.into())
    }
}
