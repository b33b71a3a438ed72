//! The block that a backup set begins with (`SSET`).

use uuid::Uuid;
use vab_chain::ServerTime;

use super::MtfError;
use super::fields::Fields;

/// `SSET` attribute: a copy-only backup.
const COPY_ONLY: u32 = 0x2;

/// What the block says that a backup set begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SetStart {
    /// `backup_set_uuid`.
    pub id: Uuid,
    /// The position of the set in its media set, from 1.
    pub number: u16,
    /// `BackupName`; empty where none was given.
    pub name: String,
    /// `BackupDescription`; empty where none was given.
    pub description: String,
    /// Who made the backup.
    pub user: String,
    /// Whether the format's "copy" attribute is set. *Likely* the mark of a copy-only backup; no
    /// copy-only backup was at hand to see it on.
    pub copy_only: bool,
    /// Whether a password was set for this backup set.
    pub password_protected: bool,
    /// When the block was written, on the server's clock.
    pub written: Option<ServerTime>,
}

impl SetStart {
    pub(super) fn decode(block: &[u8], at: u64) -> Result<Self, MtfError> {
        let fields = Fields::new(block, at);
        let specific = usize::from(fields.u16("the place of the set's identity", 46)?);
        let id = fields
            .guid("the backup set's identity", specific)?
            .ok_or_else(|| fields.wrong("the backup set's identity", "zero".to_owned()))?;
        Ok(Self {
            id,
            number: fields.u16("the backup set's number", 62)?,
            name: fields.text("the backup name", 64)?,
            description: fields.text("the backup description", 68)?,
            password_protected: fields.u16("the length of the set's password", 72)? != 0,
            user: fields.text("the user name", 76)?,
            copy_only: fields.u32("the set's attributes", 52)? & COPY_ONLY != 0,
            written: fields.time("the time of the set", 88)?,
        })
    }
}
