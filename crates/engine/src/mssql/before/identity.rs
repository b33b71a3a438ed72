//! What a server is, and whether it lets us back up.

use crate::mssql::connection::{Row, RowError};
use crate::mssql::statement::{Query, Statement};

/// What a server says of itself and of who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Identity {
    /// `ProductVersion`, such as `16.0.4135.4`.
    pub version: String,
    /// `Edition`, such as `Developer Edition (64-bit)`.
    pub edition: String,
    /// `ServerName`: the machine, and the instance if it has a name.
    pub server: String,
    /// The system it runs on.
    pub platform: Platform,
    /// Who is logged in.
    pub login: String,
    /// Whether that one is in the role `sysadmin`.
    pub sysadmin: bool,
    /// Where data files of new databases go.
    pub data_path: Option<String>,
    /// Where log files of new databases go.
    pub log_path: Option<String>,
}

/// The system a server runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// Windows.
    Windows,
    /// Linux, also in a container.
    Linux,
}

impl Platform {
    /// What stands between the folders of a path.
    pub(in crate::mssql) const fn separator(self) -> char {
        match self {
            Self::Windows => '\\',
            Self::Linux => '/',
        }
    }
}

pub(in crate::mssql) fn identity() -> Statement {
    Query::new(
        "SELECT CONVERT(nvarchar(128), SERVERPROPERTY('ProductVersion')) AS version, \
         CONVERT(nvarchar(128), SERVERPROPERTY('Edition')) AS edition, \
         CONVERT(nvarchar(256), SERVERPROPERTY('ServerName')) AS server, \
         CONVERT(nvarchar(400), @@VERSION) AS banner, \
         SUSER_SNAME() AS login, \
         CONVERT(int, IS_SRVROLEMEMBER('sysadmin')) AS sysadmin, \
         CONVERT(nvarchar(520), SERVERPROPERTY('InstanceDefaultDataPath')) AS data_path, \
         CONVERT(nvarchar(520), SERVERPROPERTY('InstanceDefaultLogPath')) AS log_path",
    )
    .statement()
}

impl Identity {
    pub(in crate::mssql) fn of_row(row: &Row) -> Result<Self, RowError> {
        let banner = row.some_text("banner")?;
        let path = |column| Ok(row.text(column)?.filter(|path| !path.is_empty()));
        Ok(Self {
            version: row.some_text("version")?,
            edition: row.some_text("edition")?,
            server: row.some_text("server")?,
            platform: if banner.contains(" on Linux") {
                Platform::Linux
            } else {
                Platform::Windows
            },
            login: row.text("login")?.unwrap_or_default(),
            sysadmin: row.bit("sysadmin")?,
            data_path: path("data_path")?,
            log_path: path("log_path")?,
        })
    }
}
