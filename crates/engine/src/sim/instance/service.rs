//! Backing up and restoring the databases of an instance.

use std::fs;
use std::io::Read;
use std::sync::Arc;

use vab_chain::{BackupKind, BackupSet};
use vab_vdi::{Direction, EngineTransport, OpenSetRequest};

use super::{Entry, Instance, Place, key};
use crate::engine::{DatabaseInfo, DatabaseState, Engine};
use crate::error::{BackupError, EngineError, RestoreError};
use crate::refusal::Refusal;
use crate::request::{
    BackupRequest, RecoverRequest, Recovery, RestoreRequest, Restored, StopOutcome,
};
use crate::sim::database::{Core, Database, backup, restore_step};
use crate::sim::lock;
use crate::sim::stream::{Inline, Set, SetHead, Source, StripeWriter, Threaded, Threads, stripes};

impl Instance {
    /// Backs up a database to these writers, one stripe each, on the caller's thread. The
    /// request's devices and geometry are not used.
    ///
    /// # Errors
    /// As [`Engine::backup`].
    pub fn backup_to<W: StripeWriter>(
        &self,
        request: &BackupRequest,
        writers: &mut [W],
    ) -> Result<BackupSet, BackupError> {
        let database = self.database(&request.database)?;
        backup(&database, request, || Ok(Inline(writers)))
    }

    /// Backs up a database to nowhere, as somebody else's backup does: it moves the base of
    /// differentials or the log chain, and nobody here has the set.
    ///
    /// # Errors
    /// As [`Engine::backup`].
    pub fn backup_elsewhere(&self, request: &BackupRequest) -> Result<BackupSet, BackupError> {
        self.backup_to(request, &mut [Nowhere])
    }

    /// Restores one set from these readers, one stripe each, in any order. The request's devices
    /// and geometry are not used.
    ///
    /// # Errors
    /// As [`Engine::restore`].
    pub fn restore_from<R: Read>(
        &self,
        request: &RestoreRequest,
        readers: impl IntoIterator<Item = R>,
    ) -> Result<Restored, RestoreError> {
        self.restore_source(request, &mut stripes(readers))
    }

    fn restore_source(
        &self,
        request: &RestoreRequest,
        source: &mut dyn Source,
    ) -> Result<Restored, RestoreError> {
        let set = Set::open(source)?;
        if set.head.kind != request.kind {
            return Err(Refusal::OtherKind {
                expected: request.kind,
                found: set.head.kind,
            }
            .into());
        }
        if request.kind != BackupKind::Full {
            let database = self.database(&request.database).map_err(|_| {
                RestoreError::from(Refusal::NothingToApplyTo {
                    database: request.database.clone(),
                })
            })?;
            return restore_step(&database, set, request);
        }
        self.restore_full(request, set)
    }

    /// Restores a full into a new database, which then takes the place of the old one.
    fn restore_full(
        &self,
        request: &RestoreRequest,
        set: Set<'_>,
    ) -> Result<Restored, RestoreError> {
        let name = request.database.as_str();
        let old = match self.database(name) {
            Ok(database) => {
                check_overwrite(&database.core(), request, &set.head)?;
                Some(database)
            }
            Err(EngineError::Refused(Refusal::NoSuchDatabase { .. })) => {
                self.reserve(name)?;
                None
            }
            Err(error) => return Err(error.into()),
        };
        if let Some(old) = &old {
            old.core().running.restore = true;
        }
        let done = self.restore_new(request, set);
        if let Some(old) = &old {
            old.core().running.restore = false;
        }
        match done {
            Ok((restored, database, folder)) => {
                if let Some(old) = &old {
                    old.core().gone = true;
                }
                self.register(name, database, folder)?;
                Ok(restored)
            }
            Err(error) => {
                if old.is_none() {
                    lock(&self.databases).remove(&key(name));
                }
                Err(error)
            }
        }
    }

    fn restore_new(
        &self,
        request: &RestoreRequest,
        set: Set<'_>,
    ) -> Result<(Restored, Database, Option<String>), RestoreError> {
        let (volume, folder) = self.new_volume()?;
        let done = Core::for_full(&self.host, volume, &request.database, &set.head)
            .map_err(RestoreError::from)
            .and_then(|core| {
                let database = Database::new(Arc::clone(&self.host), core);
                let restored = restore_step(&database, set, request)?;
                Ok((restored, database))
            });
        match done {
            Ok((restored, database)) => Ok((restored, database, folder)),
            Err(error) => {
                if let (Place::Disk { folder: root, .. }, Some(folder)) = (&self.place, &folder) {
                    // What is left is removed when the instance is opened.
                    let _ = fs::remove_dir_all(root.join(folder));
                }
                Err(error)
            }
        }
    }
}

impl Engine for Instance {
    fn databases(&self) -> Result<Vec<DatabaseInfo>, EngineError> {
        let databases = lock(&self.databases);
        let all = databases.values().filter_map(|entry| match entry {
            Entry::Database { database, .. } => Some(database.info()),
            Entry::Coming => None,
        });
        Ok(all.collect())
    }

    fn backup(
        &self,
        request: &BackupRequest,
        transport: &dyn EngineTransport,
    ) -> Result<BackupSet, BackupError> {
        let database = self.database(&request.database)?;
        backup(&database, request, || {
            let open = open_request(&request.devices, Direction::Backup, request.geometry);
            let set = transport
                .open_set(open, request.timeout)
                .map_err(BackupError::Set)?;
            Ok(Threaded::new(set))
        })
    }

    fn restore(
        &self,
        request: &RestoreRequest,
        transport: &dyn EngineTransport,
    ) -> Result<Restored, RestoreError> {
        let open = open_request(&request.devices, Direction::Restore, request.geometry);
        let mut set = transport
            .open_set(open, request.timeout)
            .map_err(RestoreError::Set)?;
        let restored = {
            let mut source = Threads::new(set.devices());
            self.restore_source(request, &mut source)?
        };
        set.close().map_err(RestoreError::Set)?;
        Ok(restored)
    }

    fn recover(&self, request: &RecoverRequest) -> Result<Restored, RestoreError> {
        let database = self.database(&request.database)?;
        let mut core = database.core();
        match request.recovery {
            Recovery::Recovery => core.bring_online(&self.host)?,
            Recovery::Standby => core.stand_by(&self.host)?,
            Recovery::NoRecovery => {
                return Err(Refusal::NotAllowed {
                    what: "a recovery with NORECOVERY does nothing; say RECOVERY or STANDBY",
                    number: 3031,
                }
                .into());
            }
        }
        Ok(core.restored(StopOutcome::NotAsked))
    }
}

fn open_request(
    devices: &[vab_vdi::DeviceName],
    direction: Direction,
    geometry: vab_vdi::Geometry,
) -> OpenSetRequest {
    OpenSetRequest::new(devices.to_vec(), direction, geometry)
}

/// Whether a full may take the place of a database.
fn check_overwrite(core: &Core, request: &RestoreRequest, head: &SetHead) -> Result<(), Refusal> {
    let database = request.database.clone();
    core.require_idle()?;
    core.require_alone()?;
    if request.replace {
        return Ok(());
    }
    let meta = &core.meta;
    if meta.family_id != head.family_id {
        return Err(Refusal::OtherDatabase { database });
    }
    let tail = meta.chain.is_some_and(|chain| core.end() > chain.lsn);
    if meta.state == DatabaseState::Online && tail && request.stop_at.is_none() {
        return Err(Refusal::TailNotBackedUp { database });
    }
    Ok(())
}

/// Takes everything and keeps nothing.
struct Nowhere;

impl StripeWriter for Nowhere {
    fn write(&mut self, _: &[u8]) -> Result<(), BackupError> {
        Ok(())
    }

    fn finish(&mut self) -> Result<(), BackupError> {
        Ok(())
    }
}
