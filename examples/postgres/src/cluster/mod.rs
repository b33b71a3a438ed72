//! One cluster: where its files are, and its server.

mod server;
mod settings;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::archive::Archive;
use crate::error::PostgresError;
use crate::incoming::Incoming;
use crate::programs::{Programs, run};
pub(crate) use server::{Ended, Wait};
pub(crate) use settings::Recover;

/// The longest path of a cluster's folder in bytes: the name of a socket in it must not be longer
/// than the system allows.
const PATH_LIMIT: usize = 80;

/// One PostgreSQL cluster in a folder of its own:
///
/// | in the folder | what it is |
/// |---|---|
/// | `data` | the data directory |
/// | `archive` | WAL that is in no restore point yet |
/// | `incoming` | WAL to recover from, only while the cluster is restored |
/// | `run` | the server's socket; it listens nowhere else |
/// | `server.log` | what the server says |
#[derive(Clone, Debug)]
pub struct Cluster {
    programs: Arc<Programs>,
    folder: PathBuf,
}

/// How a new cluster is made.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ClusterOptions {
    /// Bytes of a WAL segment: a power of two from 1 MiB to 1 GiB; 16 MiB by default.
    pub segment_size: u32,
    /// Whether pages have checksums, which base backups then verify. On by default.
    pub checksums: bool,
}

impl Default for ClusterOptions {
    fn default() -> Self {
        Self {
            segment_size: 16 << 20,
            checksums: true,
        }
    }
}

impl Cluster {
    pub(crate) fn new(programs: Arc<Programs>, folder: PathBuf) -> Result<Self, PostgresError> {
        let text = folder.to_str().filter(|text| {
            text.len() <= PATH_LIMIT && folder.is_absolute() && !text.contains(char::is_control)
        });
        match text {
            Some(_) => Ok(Self { programs, folder }),
            None => Err(PostgresError::Path {
                path: folder,
                limit: PATH_LIMIT,
            }),
        }
    }

    /// Makes the cluster's folders, with an empty data directory.
    pub(crate) fn lay_out(&self) -> Result<(), PostgresError> {
        let incoming = self.incoming();
        let (folder, wal) = (incoming.folder().to_owned(), incoming.wal());
        let parts = [self.data(), self.archive().folder().to_owned(), self.run()];
        for path in [self.folder.clone()]
            .into_iter()
            .chain(parts)
            .chain([folder, wal])
        {
            let made = self.programs.make_folder(&path);
            made.map_err(PostgresError::io("made", &path))?;
        }
        Ok(())
    }

    /// Makes a new database cluster in the empty data directory.
    pub(crate) fn init(&self, options: ClusterOptions) -> Result<(), PostgresError> {
        let mut command = self.programs.command("initdb");
        command.arg("-D").arg(self.data());
        command.args(["-U", "postgres", "--auth=trust", "--encoding=UTF8"]);
        let megabytes = (options.segment_size >> 20).to_string();
        command.args(["--wal-segsize", &megabytes]);
        if options.checksums {
            command.arg("--data-checksums");
        }
        run(&mut command)?;
        let incoming = self.incoming();
        let removed = fs::remove_dir_all(incoming.folder());
        removed.map_err(PostgresError::io("removed", incoming.folder()))?;
        self.write_settings(None)
    }

    pub(crate) fn programs(&self) -> &Programs {
        &self.programs
    }

    /// Where everything of it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The folder of the server's socket: the host to connect to, with port 5432 and the user
    /// `postgres`.
    pub fn run(&self) -> PathBuf {
        self.folder.join("run")
    }

    /// What the server says.
    pub fn log(&self) -> PathBuf {
        self.folder.join("server.log")
    }

    /// Its WAL that is in no restore point yet.
    pub fn archive(&self) -> Archive {
        Archive::new(self.folder.join("archive"))
    }

    pub(crate) fn incoming(&self) -> Incoming {
        Incoming::new(self.folder.join("incoming"))
    }
}
