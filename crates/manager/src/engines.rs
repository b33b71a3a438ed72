//! Engines by the text that a person types.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use vab_chain::ServerTime;
#[cfg(feature = "mssql")]
use vab_engine::mssql;
use vab_engine::{Engine, sim};

use crate::clock::{Clock, SystemClock};

/// Which engine is meant, such as `mssql://backup@db1` or `sim:/var/lib/demo`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EngineAddress {
    /// The embedded engine in this folder.
    Sim(PathBuf),
    /// A SQL Server, and how it is to be told what to do.
    #[cfg(feature = "mssql")]
    Mssql(Box<mssql::Address>, mssql::Options),
}

#[cfg(feature = "mssql")]
const FORMS: &str = "`mssql://USER@HOST`, a SQL Server, or ";
#[cfg(not(feature = "mssql"))]
const FORMS: &str = "";

/// Why an engine cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineAddressError {
    /// Not the form of an engine.
    #[error(
        "`{text}` is not an engine: expected {FORMS}`sim:DIR`, the folder of an embedded engine"
    )]
    Unknown {
        /// What was found.
        text: String,
    },
    /// The engine does not start.
    #[error("the embedded engine in `{}` cannot be used", .folder.display())]
    Sim {
        /// Its folder.
        folder: PathBuf,
        /// Why.
        #[source]
        error: sim::InstanceError,
    },
    /// Options of a SQL Server for another engine.
    #[error(
        "buffers, compression by the server, progress in percent, KEEP_CDC and KEEP_REPLICATION are options of a SQL Server (`mssql://USER@HOST`); leave them out for the embedded engine"
    )]
    Options,
    /// A thread died.
    #[error("the thread that opened the engine died")]
    Died,
    /// Not the form of a SQL Server.
    #[cfg(feature = "mssql")]
    #[error(transparent)]
    MssqlAddress(#[from] mssql::AddressError),
    /// A SQL Server that cannot be used.
    #[cfg(feature = "mssql")]
    #[error("SQL Server at {address} cannot be used")]
    Mssql {
        /// The server.
        address: Box<mssql::Address>,
        /// Why.
        #[source]
        error: vab_engine::EngineError,
    },
}

impl FromStr for EngineAddress {
    type Err = EngineAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        #[cfg(feature = "mssql")]
        if text.starts_with("mssql:") {
            return Ok(Self::Mssql(
                Box::new(text.parse()?),
                mssql::Options::default(),
            ));
        }
        match text.strip_prefix("sim:") {
            Some(folder) if !folder.is_empty() => Ok(Self::Sim(Path::new(folder).to_owned())),
            _ => Err(EngineAddressError::Unknown {
                text: text.to_owned(),
            }),
        }
    }
}

impl EngineAddress {
    /// The same engine, told to do its work with these options.
    ///
    /// # Errors
    /// When it is not a SQL Server, which has no such options.
    #[cfg(feature = "mssql")]
    pub fn with_options(self, options: mssql::Options) -> Result<Self, EngineAddressError> {
        match self {
            Self::Mssql(address, _) => Ok(Self::Mssql(address, options)),
            Self::Sim(_) if options == mssql::Options::default() => Ok(self),
            Self::Sim(_) => Err(EngineAddressError::Options),
        }
    }

    /// Opens the engine. Blocks while a server is asked.
    ///
    /// # Errors
    /// When it is not there, another process has it open, or a server does not let us in.
    pub fn open(&self) -> Result<Arc<dyn Engine>, EngineAddressError> {
        match self {
            Self::Sim(folder) => in_folder(folder, sim::Instance::open(folder, sim_options())),
            #[cfg(feature = "mssql")]
            Self::Mssql(address, options) => server(address, options),
        }
    }

    /// Opens the engine to restore into, which an embedded one is made for where there is none.
    ///
    /// # Errors
    /// When it cannot be made, or another process has it open.
    pub fn open_or_create(&self) -> Result<Arc<dyn Engine>, EngineAddressError> {
        match self {
            Self::Sim(folder) => {
                let instance = sim::Instance::open_or_create(folder, sim_options());
                in_folder(folder, instance)
            }
            #[cfg(feature = "mssql")]
            Self::Mssql(address, options) => server(address, options),
        }
    }
}

fn in_folder(
    folder: &Path,
    instance: Result<sim::Instance, sim::InstanceError>,
) -> Result<Arc<dyn Engine>, EngineAddressError> {
    match instance {
        Ok(instance) => Ok(Arc::new(instance)),
        Err(error) => Err(EngineAddressError::Sim {
            folder: folder.to_owned(),
            error,
        }),
    }
}

#[cfg(feature = "mssql")]
fn server(
    address: &mssql::Address,
    options: &mssql::Options,
) -> Result<Arc<dyn Engine>, EngineAddressError> {
    match mssql::Server::open(address) {
        Ok(server) => Ok(Arc::new(server.with_options(options.clone()))),
        Err(error) => Err(EngineAddressError::Mssql {
            address: Box::new(address.clone()),
            error,
        }),
    }
}

/// An embedded server has its clock in UTC, so that a machine's time zone changes nothing.
fn sim_options() -> sim::Options {
    let clock = || ServerTime::from_micros(SystemClock.now().as_micros());
    sim::Options::new(clock).utc_offset(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_named_by_kind_and_place() {
        assert_eq!(
            "sim:a b".parse::<EngineAddress>().unwrap(),
            EngineAddress::Sim("a b".into())
        );
    }

    #[test]
    fn what_is_no_engine_is_refused_with_the_form() {
        for text in ["", "sim:", "mysql://x", "/var/lib", "MSSQL://x"] {
            let error = text.parse::<EngineAddress>().unwrap_err().to_string();
            assert!(error.contains("sim:DIR"), "{error}");
        }
    }

    #[cfg(feature = "mssql")]
    #[test]
    fn a_sql_server_is_named_by_its_address_without_a_password() {
        let address = "mssql://sa@db1:1444/PROD".parse::<EngineAddress>().unwrap();
        let EngineAddress::Mssql(address, _) = address else {
            panic!("{address:?}");
        };
        assert_eq!(address.to_string(), "db1:1444/PROD");
        let error = "mssql://sa:secret@db1"
            .parse::<EngineAddress>()
            .unwrap_err();
        assert!(error.to_string().contains("VAB_MSSQL_PASSWORD"));
    }
}
