//! Writes a backup from virtual devices to files, as an engine's restore would read it.

use std::collections::HashSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::NamedTempFile;
use vab_chain::BackupSetId;
use vab_vdi::{DeviceName, Direction, EngineDevice, EngineTransport, Geometry, OpenSetRequest};

use super::names;
use super::sizes::ReadSizes;
use super::stripes::{self, Tally};
use super::write_back::WriteBack;
use crate::mtf::{Medium, MtfError, StreamingReader};
use crate::request::ProgressSink;

/// Where to write a backup. Set the public fields after [`ExportRequest::new`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ExportRequest {
    /// The devices, one for each stripe. The first name is the device set's name.
    pub devices: Vec<DeviceName>,
    /// The folder; it is created if it is not there.
    pub folder: PathBuf,
    /// The name of each stripe's file, as [`file_names`](super::file_names) gives them.
    pub names: Vec<String>,
    /// What to do about a file of that name.
    pub existing: Existing,
    /// The SQL Server backup set that the stripes have to be. `None` takes any bytes.
    pub expected: Option<BackupSetId>,
    /// Sizes of the device set. A small block size lets the reads differ more.
    pub geometry: Geometry,
    /// How long to wait for the device set to appear.
    pub timeout: Duration,
    /// Bytes that will come, for the progress; 0 when not known.
    pub total: u64,
    /// Is told how far it is.
    pub progress: ProgressSink,
}

impl ExportRequest {
    /// From these devices to files of these names in `folder`, none of which may exist.
    pub fn new(devices: Vec<DeviceName>, folder: impl Into<PathBuf>, names: Vec<String>) -> Self {
        let greatest = Geometry::default().max_transfer();
        Self {
            devices,
            folder: folder.into(),
            names,
            existing: Existing::Refuse,
            expected: None,
            geometry: Geometry::new(Geometry::MIN_BLOCK_SIZE, greatest).unwrap_or_default(),
            timeout: Duration::from_secs(30),
            total: 0,
            progress: ProgressSink::default(),
        }
    }
}

/// What to do about a file that exists already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Existing {
    /// Write nothing and fail.
    #[default]
    Refuse,
    /// Take another name: `name (2).bak`.
    Number,
    /// Put the new file in its place, once the new one is whole and durable.
    Replace,
}

/// All stripes were written, durably, under their names.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exported {
    /// The files, in the order of the devices.
    pub files: Vec<ExportedFile>,
}

/// One stripe that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExportedFile {
    /// The file.
    pub path: PathBuf,
    /// Its length in bytes.
    pub bytes: u64,
    /// What it says; `None` when it is no SQL Server backup.
    pub medium: Option<Medium>,
}

/// Why a backup was not written. What had been written is removed again; the other side sees an
/// abort unless all bytes had come.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The names are not as many as the devices.
    #[error("{names} file names were given for {devices} devices; each needs one")]
    NameCount {
        /// Names in the request.
        names: usize,
        /// Devices in the request.
        devices: usize,
    },
    /// A name is not that of a file in the folder.
    #[error("`{name}` cannot be the name of a file")]
    Name {
        /// The name.
        name: String,
    },
    /// Two stripes would have the same name, or names that differ only in case.
    #[error("two files would be called `{name}`; each needs its own name")]
    SameName {
        /// The name.
        name: String,
    },
    /// A file of that name exists.
    #[error("{} exists already; choose another folder, or allow to replace it", .path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The system refused.
    #[error("{action} {} failed", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The device set did not open, or could not be closed normally.
    #[error("the device set failed")]
    Set(#[source] vab_vdi::EngineError),
    /// A device failed.
    #[error("device {device} failed")]
    Device {
        /// The device.
        device: DeviceName,
        /// How.
        #[source]
        error: vab_vdi::EngineError,
    },
    /// What came is not a whole SQL Server backup.
    #[error("what came for `{name}` is not a whole backup")]
    Format {
        /// The name of the file.
        name: String,
        /// What is wrong with it.
        source: MtfError,
    },
    /// What came is another backup.
    #[error("what came for `{name}` is backup set {found:?}, not {expected}")]
    OtherSet {
        /// The name of the file.
        name: String,
        /// The set that was expected.
        expected: BackupSetId,
        /// The set that came; `None` where that is not known.
        found: Option<BackupSetId>,
    },
}

impl stripes::Failure for ExportError {
    fn set(error: vab_vdi::EngineError) -> Self {
        Self::Set(error)
    }

    fn device(device: DeviceName, error: vab_vdi::EngineError) -> Self {
        Self::Device { device, error }
    }

    fn is_consequence(&self) -> bool {
        matches!(self, Self::Device { error, .. } if stripes::is_consequence(error))
    }
}

/// Writes what comes from the devices to files, each stripe to its own, all at once.
///
/// The bytes are asked for in `Read` commands of changing sizes, whole blocks up to the greatest
/// transfer. They go to temporary files in the folder; only when all devices ended normally and
/// all bytes are durable do the files get their names. On failure nothing is left behind; only
/// [`Existing::Replace`] may have replaced the first of several files before the next one failed.
///
/// # Errors
/// When a file exists that may not be replaced, a device or the disk fails, or the bytes are not
/// the backup that was expected.
pub fn export(
    request: &ExportRequest,
    transport: &dyn EngineTransport,
) -> Result<Exported, ExportError> {
    let targets = Target::all(request)?;
    let open = OpenSetRequest::new(
        request.devices.clone(),
        Direction::Restore,
        request.geometry,
    );
    let mut set = transport
        .open_set(open, request.timeout)
        .map_err(ExportError::Set)?;
    let tally = Tally::new(&request.progress, request.total);
    let jobs = set.devices().into_iter().zip(targets).zip(0..);
    let written = stripes::at_once(jobs, |((mut device, target), stripe)| {
        let sizes = ReadSizes::new(request.geometry, stripe);
        let written = target.fill(&mut device, sizes, &tally, request.expected);
        written.map(|written| (device, written))
    })?;
    let (devices, written): (Vec<_>, Vec<_>) = written.into_iter().unzip();
    stripes::close::<ExportError>(devices, set)?;
    keep(written, request)
}

/// A file before it has its name; it goes away when it is dropped.
struct Target {
    name: String,
    file: NamedTempFile,
}

struct Written {
    name: String,
    file: NamedTempFile,
    bytes: u64,
    medium: Option<Medium>,
}

impl Target {
    fn all(request: &ExportRequest) -> Result<Vec<Self>, ExportError> {
        let (names, devices) = (request.names.len(), request.devices.len());
        if names != devices {
            return Err(ExportError::NameCount { names, devices });
        }
        let mut taken = HashSet::new();
        if let Some(name) = request
            .names
            .iter()
            .find(|it| !taken.insert(it.to_lowercase()))
        {
            return Err(ExportError::SameName { name: name.clone() });
        }
        let folder = &request.folder;
        std::fs::create_dir_all(folder).map_err(failed("creating", folder))?;
        let targets = request.names.iter().map(|name| {
            let path = folder.join(name);
            if Path::new(name).file_name() != Some(name.as_ref()) {
                return Err(ExportError::Name { name: name.clone() });
            }
            if request.existing == Existing::Refuse && path.symlink_metadata().is_ok() {
                return Err(ExportError::Exists { path });
            }
            let file = temporary(folder).map_err(failed("creating a file in", folder))?;
            Ok(Self {
                name: name.clone(),
                file,
            })
        });
        targets.collect()
    }

    fn fill(
        mut self,
        device: &mut EngineDevice,
        mut sizes: ReadSizes,
        tally: &Tally<'_>,
        expected: Option<BackupSetId>,
    ) -> Result<Written, ExportError> {
        let mut reader = StreamingReader::new();
        let mut bytes = 0_u64;
        let mut write_back = WriteBack::default();
        loop {
            let written = device.read_with(sizes.next_size(), |data| {
                // What it is, is asked at the end.
                let _ = reader.push(data);
                self.file.write_all(data).map(|()| data.len())
            });
            let written = written.map_err(|error| ExportError::Device {
                device: device.name().clone(),
                error,
            })?;
            let Some(written) = written else {
                break;
            };
            let count = written.map_err(failed("writing", self.file.path()))?;
            bytes = bytes.saturating_add(u64::try_from(count).unwrap_or_default());
            write_back.grown(self.file.as_file(), bytes);
            tally.add(count);
        }
        let medium = self.check(reader, expected)?;
        let file = self.file.as_file();
        file.sync_all()
            .map_err(failed("making durable", self.file.path()))?;
        Ok(Written {
            name: self.name,
            file: self.file,
            bytes,
            medium,
        })
    }

    fn check(
        &self,
        reader: StreamingReader,
        expected: Option<BackupSetId>,
    ) -> Result<Option<Medium>, ExportError> {
        let medium = reader.finish();
        let Some(expected) = expected else {
            return Ok(medium.ok());
        };
        let medium = medium.map_err(|source| ExportError::Format {
            name: self.name.clone(),
            source,
        })?;
        let set = medium.native().and_then(|native| native.sets.first());
        let found = set.map(|set| BackupSetId(set.start.id));
        if found == Some(expected) {
            return Ok(Some(medium));
        }
        Err(ExportError::OtherSet {
            name: self.name.clone(),
            expected,
            found,
        })
    }
}

/// Gives all files their names, or none.
fn keep(written: Vec<Written>, request: &ExportRequest) -> Result<Exported, ExportError> {
    let mut files: Vec<ExportedFile> = Vec::new();
    for stripe in written {
        match name_file(stripe, request) {
            Ok(file) => files.push(file),
            Err(error) => {
                if request.existing != Existing::Replace {
                    for file in &files {
                        // The error that matters is the one that led here.
                        let _ = std::fs::remove_file(&file.path);
                    }
                }
                return Err(error);
            }
        }
    }
    sync_folder(&request.folder).map_err(failed("making durable", &request.folder))?;
    Ok(Exported { files })
}

fn name_file(written: Written, request: &ExportRequest) -> Result<ExportedFile, ExportError> {
    let mut file = written.file;
    let mut path = request.folder.join(&written.name);
    let mut number = 1;
    loop {
        let named = match request.existing {
            Existing::Replace => file.persist(&path),
            Existing::Refuse | Existing::Number => file.persist_noclobber(&path),
        };
        let Err(error) = named else { break };
        if error.error.kind() != io::ErrorKind::AlreadyExists {
            return Err(failed("naming", &path)(error.error));
        }
        if request.existing != Existing::Number {
            return Err(ExportError::Exists { path });
        }
        number += 1;
        file = error.file;
        path = request.folder.join(names::numbered(&written.name, number));
    }
    Ok(ExportedFile {
        path,
        bytes: written.bytes,
        medium: written.medium,
    })
}

fn temporary(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".").suffix(".part");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As any new file: what the user's mask leaves of it.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

/// A name is durable when its folder is; Windows has no such call and needs none.
fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    std::fs::File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ExportError {
    let path = path.to_owned();
    move |source| ExportError::Io {
        action,
        path,
        source,
    }
}
