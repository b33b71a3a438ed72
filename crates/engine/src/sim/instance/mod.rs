//! An instance: a folder with databases in it, used by one process at a time.

mod options;
mod service;

pub use options::Options;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use fs4::fs_std::FileExt;

use crate::engine::{DatabaseState, RecoveryModel};
use crate::error::EngineError;
use crate::refusal::Refusal;
use crate::sim::database::{Core, Database, Host};
use crate::sim::lock;
use crate::sim::registry::Registry;
use crate::sim::volume::{Volume, io_error};

const LOCK_FILE: &str = "instance.lock";

/// Why an instance was not created or opened.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstanceError {
    /// Another process has it open.
    #[error("the instance in {} is in use by another process; end that first", folder.display())]
    InUse {
        /// The instance's folder.
        folder: PathBuf,
    },
    /// There is one already.
    #[error("there is an instance in {} already; open it, or choose another folder", folder.display())]
    Exists {
        /// The instance's folder.
        folder: PathBuf,
    },
    /// There is none.
    #[error("there is no instance in {}; create it first", folder.display())]
    NotFound {
        /// The folder.
        folder: PathBuf,
    },
    /// The system refused.
    #[error("the instance in {} cannot be used", folder.display())]
    Io {
        /// The instance's folder.
        folder: PathBuf,
        /// The system's error.
        #[source]
        error: Arc<io::Error>,
    },
    /// One of its databases cannot be read.
    #[error("a database of the instance cannot be opened")]
    Database(#[from] EngineError),
}

/// Virtual log files on disk and in memory, in bytes.
const DISK_VLF: u32 = 4 << 20;
const MEMORY_VLF: u32 = 256 << 10;

/// A server with databases. Names of databases are the same in any case.
#[derive(Debug)]
pub struct Instance {
    host: Arc<Host>,
    place: Place,
    databases: Mutex<BTreeMap<String, Entry>>,
}

#[derive(Debug)]
enum Place {
    Disk {
        folder: PathBuf,
        registry: Mutex<Registry>,
        /// Holds the lock as long as the instance is open.
        _lock: File,
    },
    Memory,
}

#[derive(Debug)]
enum Entry {
    Database {
        database: Database,
        folder: Option<String>,
    },
    /// The name is taken by a restore that runs.
    Coming,
}

impl Instance {
    /// Creates an instance in a folder, which is made if it is not there.
    ///
    /// # Errors
    /// When there is an instance already, or the folder cannot be used.
    pub fn create(folder: impl AsRef<Path>, options: Options) -> Result<Self, InstanceError> {
        let folder = folder.as_ref();
        let failed = in_folder(folder);
        fs::create_dir_all(folder).map_err(&failed)?;
        let lock = lock_folder(folder)?;
        if Registry::exists(folder) {
            return Err(InstanceError::Exists {
                folder: folder.to_owned(),
            });
        }
        let registry = Registry::default();
        registry.save(folder).map_err(&failed)?;
        Ok(Self::on_disk(folder, options, registry, lock))
    }

    /// Opens an instance and recovers its databases.
    ///
    /// # Errors
    /// When there is none, another process has it, or the state of a database cannot be read. A
    /// database whose pages or log are damaged is there as [`DatabaseState::Suspect`]: it can be
    /// restored over or dropped.
    pub fn open(folder: impl AsRef<Path>, options: Options) -> Result<Self, InstanceError> {
        let folder = folder.as_ref();
        let failed = in_folder(folder);
        if !Registry::exists(folder) {
            return Err(InstanceError::NotFound {
                folder: folder.to_owned(),
            });
        }
        let held = lock_folder(folder)?;
        let registry = Registry::load(folder).map_err(&failed)?;
        registry.clean(folder).map_err(&failed)?;
        let names = registry.folders.clone();
        let instance = Self::on_disk(folder, options, registry, held);
        for name in names {
            let volume = Volume::Disk {
                folder: folder.join(&name),
            };
            let mut core = Core::load(&instance.host, volume)?;
            match core.recover(&instance.host) {
                Ok(()) => {}
                Err(error @ EngineError::Damaged { .. }) => {
                    let name = &core.meta.name;
                    tracing::error!(%error, database = %name, "a database cannot be recovered");
                    core.meta.state = DatabaseState::Suspect;
                }
                Err(error) => return Err(error.into()),
            }
            let key = key(&core.meta.name);
            let database = Database::new(Arc::clone(&instance.host), core);
            let folder = Some(name);
            lock(&instance.databases).insert(key, Entry::Database { database, folder });
        }
        Ok(instance)
    }

    /// Opens the instance in a folder, or creates it if there is none.
    ///
    /// # Errors
    /// As [`Instance::open`] and [`Instance::create`].
    pub fn open_or_create(
        folder: impl AsRef<Path>,
        options: Options,
    ) -> Result<Self, InstanceError> {
        if Registry::exists(folder.as_ref()) {
            Self::open(folder, options)
        } else {
            Self::create(folder, options)
        }
    }

    /// An instance in memory: nothing is written to disk, nothing stays.
    pub fn memory(options: Options) -> Self {
        Self {
            host: options.host(MEMORY_VLF),
            place: Place::Memory,
            databases: Mutex::default(),
        }
    }

    fn on_disk(folder: &Path, options: Options, registry: Registry, lock: File) -> Self {
        Self {
            host: options.host(DISK_VLF),
            place: Place::Disk {
                folder: folder.to_owned(),
                registry: Mutex::new(registry),
                _lock: lock,
            },
            databases: Mutex::default(),
        }
    }

    /// Creates an empty database.
    ///
    /// # Errors
    /// When there is one of this name, or the folder cannot be written.
    pub fn create_database(
        &self,
        name: &str,
        model: RecoveryModel,
    ) -> Result<Database, EngineError> {
        self.reserve(name)?;
        let made = self.new_volume().and_then(|(volume, folder)| {
            let core = Core::create(&self.host, volume, name, model)?;
            Ok((Database::new(Arc::clone(&self.host), core), folder))
        });
        match made {
            Ok((database, folder)) => {
                self.register(name, database.clone(), folder)?;
                Ok(database)
            }
            Err(error) => {
                lock(&self.databases).remove(&key(name));
                Err(error)
            }
        }
    }

    /// A database by its name, in any case.
    ///
    /// # Errors
    /// When there is none.
    pub fn database(&self, name: &str) -> Result<Database, EngineError> {
        match lock(&self.databases).get(&key(name)) {
            Some(Entry::Database { database, .. }) => Ok(database.clone()),
            Some(Entry::Coming) => Err(busy(name).into()),
            None => Err(no_such(name).into()),
        }
    }

    /// Removes a database and its files.
    ///
    /// # Errors
    /// When there is none, it is in use, or its files cannot be removed.
    pub fn drop_database(&self, name: &str) -> Result<(), EngineError> {
        let database = self.database(name)?;
        {
            let mut core = database.core();
            core.require_idle()?;
            core.require_alone()?;
            core.gone = true;
        }
        let entry = lock(&self.databases).remove(&key(name));
        if let Some(Entry::Database { database, folder }) = entry {
            // Closes its files, which some systems cannot remove before.
            drop(database);
            self.remove_folder(folder.as_deref(), None)?;
        }
        Ok(())
    }

    /// Gives a database another name. Its backups so far keep the old one.
    ///
    /// # Errors
    /// When there is none, it is not online, or the new name is taken.
    pub fn rename_database(&self, from: &str, to: &str) -> Result<(), EngineError> {
        check_name(to)?;
        let mut databases = lock(&self.databases);
        if key(from) != key(to) && databases.contains_key(&key(to)) {
            return Err(exists(to).into());
        }
        let Some(entry) = databases.remove(&key(from)) else {
            return Err(no_such(from).into());
        };
        let renamed = match &entry {
            Entry::Coming => Err(busy(from).into()),
            Entry::Database { database, .. } => rename(database, to),
        };
        let name = if renamed.is_ok() { to } else { from };
        databases.insert(key(name), entry);
        renamed
    }

    /// Takes a name for a database that is coming.
    fn reserve(&self, name: &str) -> Result<(), Refusal> {
        check_name(name)?;
        let mut databases = lock(&self.databases);
        match databases.get(&key(name)) {
            Some(Entry::Database { .. }) => Err(exists(name)),
            Some(Entry::Coming) => Err(busy(name)),
            None => {
                databases.insert(key(name), Entry::Coming);
                Ok(())
            }
        }
    }

    /// Puts a database under its name; one that was there before goes.
    fn register(
        &self,
        name: &str,
        database: Database,
        folder: Option<String>,
    ) -> Result<(), EngineError> {
        let new = folder.clone();
        let entry = Entry::Database { database, folder };
        let before = lock(&self.databases).insert(key(name), entry);
        let old = match before {
            // Closes its files, which some systems cannot remove before.
            Some(Entry::Database { database, folder }) => {
                drop(database);
                folder
            }
            _ => None,
        };
        self.remove_folder(old.as_deref(), new.as_deref())
    }

    fn new_volume(&self) -> Result<(Volume, Option<String>), EngineError> {
        let Place::Disk {
            folder, registry, ..
        } = &self.place
        else {
            return Ok((Volume::Memory, None));
        };
        let failed = io_error("making the folder of a database");
        let name = lock(registry).new_folder();
        let path = folder.join(&name);
        fs::create_dir_all(&path).map_err(failed)?;
        Ok((Volume::Disk { folder: path }, Some(name)))
    }

    /// Writes down that one folder went and another came, then removes the one that went.
    fn remove_folder(&self, old: Option<&str>, new: Option<&str>) -> Result<(), EngineError> {
        let Place::Disk {
            folder, registry, ..
        } = &self.place
        else {
            return Ok(());
        };
        let mut registry = lock(registry);
        registry.folders.retain(|name| Some(name.as_str()) != old);
        registry.folders.extend(new.map(str::to_owned));
        registry
            .save(folder)
            .map_err(io_error("saving the list of databases"))?;
        if let Some(old) = old {
            match fs::remove_dir_all(folder.join(old)) {
                // Somebody still holds the database, and Windows its files; the next opening of
                // the instance removes them.
                Err(error) if cfg!(windows) => {
                    tracing::debug!(%error, folder = old, "files of a database are still in use");
                }
                result => result.map_err(io_error("removing the files of a database"))?,
            }
        }
        Ok(())
    }
}

fn rename(database: &Database, to: &str) -> Result<(), EngineError> {
    let mut core = database.core();
    core.require_online()?;
    core.require_idle()?;
    to.clone_into(&mut core.meta.name);
    core.save()
}

/// A name has 1 to 128 characters.
fn check_name(name: &str) -> Result<(), Refusal> {
    if (1..=128).contains(&name.chars().count()) {
        return Ok(());
    }
    Err(Refusal::NotAllowed {
        what: "the name of a database has 1 to 128 characters",
        number: 103,
    })
}

fn key(name: &str) -> String {
    name.to_lowercase()
}

fn no_such(name: &str) -> Refusal {
    Refusal::NoSuchDatabase {
        database: name.to_owned(),
    }
}

fn exists(name: &str) -> Refusal {
    Refusal::Exists {
        database: name.to_owned(),
    }
}

fn busy(name: &str) -> Refusal {
    Refusal::Busy {
        database: name.to_owned(),
    }
}

fn in_folder(folder: &Path) -> impl Fn(io::Error) -> InstanceError {
    move |error| InstanceError::Io {
        folder: folder.to_owned(),
        error: Arc::new(error),
    }
}

fn lock_folder(folder: &Path) -> Result<File, InstanceError> {
    let failed = in_folder(folder);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join(LOCK_FILE))
        .map_err(&failed)?;
    match FileExt::try_lock_exclusive(&file) {
        Ok(true) => Ok(file),
        Ok(false) => Err(InstanceError::InUse {
            folder: folder.to_owned(),
        }),
        Err(error) => Err(failed(error)),
    }
}
