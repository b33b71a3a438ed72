//! `BACKUP DATABASE` and `BACKUP LOG`.

use std::num::NonZeroU32;

use vab_chain::BackupKind;
use vab_vdi::{DeviceName, Geometry};

use super::text::{Devices, Writer, is_master, not_tempdb};
use super::{Illegal, Name, ServerPath, Statement, Text};

/// What becomes of a database after its log was backed up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LogTail {
    /// It stays as it is.
    #[default]
    Keep,
    /// It is left restoring.
    NoRecovery,
    /// It is left readable; what is rolled back goes to this file.
    Standby(ServerPath),
}

/// One backup to virtual devices. Set the public fields after [`Backup::new`].
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent options of one statement"
)]
#[non_exhaustive]
pub struct Backup {
    /// The database.
    pub database: Name,
    /// Full, differential or log.
    pub kind: BackupKind,
    /// The devices, 1 to 64; the first one's name is that of the set.
    pub devices: Vec<DeviceName>,
    /// `COPY_ONLY`.
    pub copy_only: bool,
    /// `CHECKSUM` (the default here) or `NO_CHECKSUM`.
    pub checksum: bool,
    /// `CONTINUE_AFTER_ERROR`.
    pub continue_after_error: bool,
    /// `COMPRESSION` or `NO_COMPRESSION`; `None` leaves it to the server's setting.
    pub compression: Option<bool>,
    /// `NORECOVERY` or `STANDBY`, of a log backup.
    pub tail: LogTail,
    /// `NO_TRUNCATE`, of a log backup: of a database that may be damaged.
    pub no_truncate: bool,
    /// `BLOCKSIZE` and `MAXTRANSFERSIZE`.
    pub geometry: Geometry,
    /// `BUFFERCOUNT`; `None` leaves it to the server.
    pub buffers: Option<NonZeroU32>,
    /// `NAME`.
    pub name: Option<Text>,
    /// `DESCRIPTION`.
    pub description: Option<Text>,
    /// `STATS`: how often progress is told, in percent of 1 to 100.
    pub stats: Option<u8>,
}

impl Backup {
    /// A backup with page checksums and progress at every 5 percent.
    pub fn new(database: Name, kind: BackupKind, devices: Vec<DeviceName>) -> Self {
        Self {
            database,
            kind,
            devices,
            copy_only: false,
            checksum: true,
            continue_after_error: false,
            compression: None,
            tail: LogTail::default(),
            no_truncate: false,
            geometry: Geometry::default(),
            buffers: None,
            name: None,
            description: None,
            stats: Some(5),
        }
    }

    /// The statement.
    ///
    /// # Errors
    /// When the options do not go together.
    pub fn statement(&self) -> Result<Statement, Illegal> {
        self.check()?;
        let mut text = Writer::new(match self.kind {
            BackupKind::Log => "BACKUP LOG ",
            BackupKind::Full | BackupKind::Differential => "BACKUP DATABASE ",
        });
        text.put(self.database.bracketed());
        text.put(" TO ");
        text.put(Devices::of(&self.devices)?);
        text.option_if(self.kind == BackupKind::Differential, "DIFFERENTIAL");
        // NO_TRUNCATE is COPY_ONLY and CONTINUE_AFTER_ERROR at once.
        text.option_if(self.copy_only && !self.no_truncate, "COPY_ONLY");
        match &self.tail {
            LogTail::Keep => {}
            LogTail::NoRecovery => text.option("NORECOVERY"),
            LogTail::Standby(undo) => text.option(format_args!("STANDBY = {}", undo.string())),
        }
        text.option_if(self.no_truncate, "NO_TRUNCATE");
        text.checksum(self.checksum);
        text.option_if(
            self.continue_after_error && !self.no_truncate,
            "CONTINUE_AFTER_ERROR",
        );
        if let Some(compression) = self.compression {
            text.option(if compression {
                "COMPRESSION"
            } else {
                "NO_COMPRESSION"
            });
        }
        text.sizes(self.geometry, self.buffers);
        if let Some(name) = &self.name {
            text.option(format_args!("NAME = {}", name.string()));
        }
        if let Some(description) = &self.description {
            text.option(format_args!("DESCRIPTION = {}", description.string()));
        }
        text.stats(self.stats)?;
        Ok(text.done())
    }

    fn check(&self) -> Result<(), Illegal> {
        not_tempdb(&self.database)?;
        let tail = match self.tail {
            LogTail::Keep => None,
            LogTail::NoRecovery => Some("NORECOVERY"),
            LogTail::Standby(_) => Some("STANDBY"),
        };
        if self.kind != BackupKind::Log {
            let option = tail.or(self.no_truncate.then_some("NO_TRUNCATE"));
            if let Some(option) = option {
                return Err(Illegal::LogOnly {
                    option,
                    kind: self.kind,
                });
            }
        }
        if is_master(&self.database) && self.kind != BackupKind::Full {
            return Err(Illegal::Master {
                what: "a differential or log backup",
            });
        }
        match tail {
            _ if self.copy_only && self.kind == BackupKind::Differential => {
                Err(Illegal::CopyOnlyDifferential)
            }
            Some(option) if self.copy_only => Err(Illegal::CopyOnlyTail { option }),
            Some("STANDBY") if self.no_truncate => Err(Illegal::NoTruncateStandby),
            _ => Ok(()),
        }
    }
}
