//! The configuration record (stream `MQCI`): what SQL Server knows about a backup set. It is
//! written twice, at the beginning, and with the finish time and the final size at the end.

use uuid::Uuid;
use vab_chain::{Lsn, ServerTime};

use super::MtfError;
use super::data_file::DataFile;
use super::fields::Fields;

/// The longest configuration record that is read. One file of the database takes about 1.2 kB.
pub(super) const MAX_CONFIG: u64 = 16 << 20;

/// The fields of the first part take this many bytes; texts follow.
const FIXED: usize = 352;

const CONFIG_TAG: [u8; 4] = *b"SCIN";
const FILE_TAG: [u8; 4] = *b"SFIN";

/// What a configuration record says.
///
/// Meanings marked *likely* fit every backup that was at hand but are not written down anywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigRecord {
    /// `BackupType` as a letter: `D` full, `I` differential, `L` log; SQL Server also has `F`,
    /// `G`, `P` and `Q` for backups of single files and partial ones.
    pub kind: u8,
    /// `Flags` of `RESTORE HEADERONLY`.
    pub flags: u32,
    /// Major, minor and build number of the server.
    pub version: (u8, u8, u16),
    /// `FirstLSN`.
    pub first_lsn: Lsn,
    /// `LastLSN`: the record after the last one.
    pub last_lsn: Lsn,
    /// `CheckpointLSN`.
    pub checkpoint_lsn: Lsn,
    /// `DatabaseBackupLSN`.
    pub database_backup_lsn: Lsn,
    /// When the database was created, on the server's clock.
    pub database_created: Option<ServerTime>,
    /// When the backup started, on the server's clock.
    pub started: ServerTime,
    /// When the backup finished, on the server's clock. Only in the last record.
    pub finished: Option<ServerTime>,
    /// `CompatibilityLevel`.
    pub compatibility_level: u8,
    /// `DatabaseVersion`: 661 is 2008 R2, 706 is 2012, 782 is 2014, 852 is 2016.
    pub database_version: u16,
    /// `BackupSize` (*likely*): bytes over all stripes. Final only in the last record.
    pub size: u64,
    /// `DatabaseName`.
    pub database: String,
    /// `ServerName`.
    pub server: String,
    /// *Likely* `BindingID`, which is `database_guid`: it changed where a database had been
    /// restored under another name.
    pub database_id: Option<Uuid>,
    /// `RecoveryForkID`: the fork that the database is on.
    pub fork: Option<Uuid>,
    /// *Likely* the fork before, and the LSN where it was left. `None` if there was none.
    pub previous_fork: Option<(Uuid, Lsn)>,
    /// The full that differentials made at this time are a difference to.
    pub current_base: Option<Uuid>,
    /// *Likely* where the log chain began; `None` if there is none, as under the SIMPLE recovery
    /// model.
    pub log_chain_began: Option<Lsn>,
    /// `DifferentialBaseGUID` and `DifferentialBaseLSN`; only of a differential.
    pub differential_base: Option<(Uuid, Lsn)>,
    /// Where the last log backup before this one ended; [`Lsn::ZERO`] if there was none.
    pub last_log_backup_lsn: Lsn,
    /// The database's files.
    pub files: Vec<DataFile>,
}

impl ConfigRecord {
    pub(super) fn decode(stream: &[u8], at: u64) -> Result<Self, MtfError> {
        let (first, mut rest) = split_record(stream, at)?;
        let fields = first.fields;
        if first.tag != CONFIG_TAG {
            return Err(fields.wrong(
                "the configuration record's tag",
                first.tag.escape_ascii().to_string(),
            ));
        }
        let mut record = Self::decode_first(fields)?;
        while !rest.bytes.is_empty() {
            let (next, after) = split_record(rest.bytes, rest.at)?;
            if next.tag == FILE_TAG {
                record.files.push(DataFile::decode(next.fields)?);
            }
            rest = after;
        }
        Ok(record)
    }

    fn decode_first(fields: Fields<'_>) -> Result<Self, MtfError> {
        fields.bytes("the configuration record", 0, FIXED)?;
        Ok(Self {
            flags: fields.u32("the flags", 8)?,
            version: (
                fields.u8("the major version", 27)?,
                fields.u8("the minor version", 26)?,
                fields.u16("the build", 24)?,
            ),
            first_lsn: fields.lsn("first_lsn", 32)?,
            last_lsn: fields.lsn("last_lsn", 42)?,
            checkpoint_lsn: fields.lsn("checkpoint_lsn", 52)?,
            database_backup_lsn: fields.lsn("database_backup_lsn", 62)?,
            database_created: fields.time("the time of the database's creation", 72)?,
            started: fields
                .time("the start time", 77)?
                .ok_or_else(|| fields.wrong("the start time", "not set".to_owned()))?,
            finished: fields.time("the finish time", 82)?,
            kind: fields.u8("the backup type", 87)?,
            compatibility_level: fields.u8("the compatibility level", 91)?,
            database_version: fields.u16("the database version", 94)?,
            size: fields.u64("the backup size", 96)?,
            database: fields.text("the database name", 104)?,
            server: fields.text("the server name", 108)?,
            database_id: fields.guid("the database's identity", 124)?,
            fork: fields.guid("the recovery fork", 156)?,
            previous_fork: fields
                .guid("the fork before", 184)?
                .map(|fork| Ok::<_, MtfError>((fork, fields.lsn("the fork point", 172)?)))
                .transpose()?,
            current_base: fields.guid("the current differential base", 200)?,
            log_chain_began: Some(fields.lsn("the beginning of the log chain", 248)?)
                .filter(|lsn| !lsn.is_zero()),
            differential_base: fields
                .guid("the differential base", 272)?
                .map(|base| Ok::<_, MtfError>((base, fields.lsn("differential_base_lsn", 260)?)))
                .transpose()?,
            last_log_backup_lsn: fields.lsn("last_log_backup_lsn", 332)?,
            files: Vec::new(),
        })
    }
}

struct Part<'b> {
    tag: [u8; 4],
    fields: Fields<'b>,
}

struct Rest<'b> {
    bytes: &'b [u8],
    at: u64,
}

/// Takes one part, which begins with a tag and its own length, from the front.
fn split_record(bytes: &[u8], at: u64) -> Result<(Part<'_>, Rest<'_>), MtfError> {
    let whole = Fields::new(bytes, at);
    let tag = whole.array("the tag of a configuration record", 0)?;
    let length = whole.u32("the length of a configuration record", 4)?;
    let split = usize::try_from(length)
        .ok()
        .filter(|length| *length >= 8)
        .and_then(|length| bytes.split_at_checked(length));
    let Some((part, rest)) = split else {
        return Err(whole.wrong(
            "the length of a configuration record",
            format!("{length} where {} bytes are left", bytes.len()),
        ));
    };
    Ok((
        Part {
            tag,
            fields: Fields::new(part, at),
        },
        Rest {
            bytes: rest,
            at: at.saturating_add(u64::from(length)),
        },
    ))
}
