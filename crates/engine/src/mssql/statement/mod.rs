//! T-SQL for backups and restores, built from types.
//!
//! Every name and path comes in as a value of a type that is written quoted; there is no way to
//! paste text into a statement. A combination of options that the server's documentation rules out
//! is refused here, with the rule, before anything is sent.
//!
//! ```
//! use vab_chain::BackupKind;
//! use vab_engine::mssql::statement::{Backup, Name};
//! use vab_vdi::DeviceName;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let devices = vec![DeviceName::new("nightly")?, DeviceName::new("nightly1")?];
//! let backup = Backup::new(Name::new("Sales]2026")?, BackupKind::Differential, devices);
//! assert_eq!(
//!     backup.statement()?.as_str(),
//!     "BACKUP DATABASE [Sales]]2026] TO VIRTUAL_DEVICE = N'nightly', VIRTUAL_DEVICE = N'nightly1' \
//!      WITH DIFFERENTIAL, CHECKSUM, BLOCKSIZE = 65536, MAXTRANSFERSIZE = 1048576, STATS = 5"
//! );
//! # Ok(())
//! # }
//! ```

mod backup;
mod illegal;
mod moment;
mod names;
mod query;
mod read;
mod restore;
#[cfg(test)]
mod tests;
mod text;

pub use crate::look::Look;
pub use backup::{Backup, LogTail};
pub use illegal::Illegal;
pub use names::{Name, NameError, ServerPath, Text};
pub use query::Query;
pub use read::Read;
pub use restore::{After, FileMove, Recover, ReplaceConsent, Restore, Stop};

use std::fmt;

/// One T-SQL statement, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement(String);

impl Statement {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
