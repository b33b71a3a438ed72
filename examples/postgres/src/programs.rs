//! PostgreSQL's programs, and the user they run as.

use std::env;
use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use vab_vdi::raw;

/// Bytes of what a failing program said that are kept.
const SAID: u64 = 4096;

/// Users to run as when this process is the superuser, as which the server refuses to run.
const USERS: [&str; 2] = ["postgres", "nobody"];

/// Where PostgreSQL's programs are, and the user they run as.
#[derive(Clone, Debug)]
pub struct Programs {
    folder: PathBuf,
    user: Option<User>,
}

#[derive(Clone, Copy, Debug)]
struct User {
    user: u32,
    group: u32,
}

/// Why a program did not do what it was started for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProgramError {
    /// No PostgreSQL server here.
    #[error(
        "there is no PostgreSQL server here: neither is `pg_ctl` on the PATH, nor is there /usr/lib/postgresql/*/bin; install the package `postgresql`"
    )]
    NoPostgres,
    /// A program cannot be started.
    #[error("{program} cannot be started")]
    Start {
        /// The program.
        program: String,
        /// The system's error.
        #[source]
        error: io::Error,
    },
    /// A program failed.
    #[error("{program} failed: {said}")]
    Failed {
        /// The program.
        program: String,
        /// The end of what it wrote to its error output.
        said: String,
        /// How it ended.
        #[source]
        error: io::Error,
    },
}

impl Programs {
    /// Looks on the PATH, then where Debian has them. As the superuser, the programs will run as
    /// the user `postgres`, or `nobody`.
    ///
    /// # Errors
    /// When there is no server.
    pub fn find() -> Result<Self, ProgramError> {
        let folder = on_path().or_else(packaged);
        let user = rustix::process::geteuid().is_root().then(|| {
            let known = USERS.iter().find_map(|name| User::named(name));
            known.unwrap_or(User::NOBODY)
        });
        Ok(Self {
            folder: folder.ok_or(ProgramError::NoPostgres)?,
            user,
        })
    }

    /// One of the server's programs.
    pub(crate) fn command(&self, program: &str) -> Command {
        self.prepare(Command::new(self.folder.join(program)))
    }

    /// A program of the system.
    pub(crate) fn tool(&self, program: &str) -> Command {
        self.prepare(Command::new(program))
    }

    /// Makes a folder that only the server's user can look into.
    pub(crate) fn make_folder(&self, path: &Path) -> io::Result<()> {
        use std::os::unix::fs::DirBuilderExt;
        fs::DirBuilder::new().mode(0o700).create(path)?;
        self.give(path)
    }

    /// Gives a file or folder to the server's user.
    pub(crate) fn give(&self, path: &Path) -> io::Result<()> {
        match self.user {
            Some(user) => chown(path, Some(user.user), Some(user.group)),
            None => Ok(()),
        }
    }

    fn prepare(&self, mut command: Command) -> Command {
        // Nothing of the caller's own connections; messages in English.
        for (name, _) in env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"PG") {
                command.env_remove(name);
            }
        }
        command.env("LC_ALL", "C").env("TZ", "UTC");
        command.current_dir("/").stdin(Stdio::null());
        if let Some(user) = self.user {
            command.uid(user.user).gid(user.group);
        }
        command
    }
}

impl User {
    const NOBODY: Self = Self {
        user: 65534,
        group: 65534,
    };

    fn named(name: &str) -> Option<Self> {
        let number = |flag: &str| {
            let output = Command::new("id").args([flag, name]).output().ok()?;
            String::from_utf8(output.stdout).ok()?.trim().parse().ok()
        };
        Some(Self {
            user: number("-u")?,
            group: number("-g")?,
        })
    }
}

/// The folder of the `pg_ctl` on the PATH. Wrappers are often links to where the rest is.
fn on_path() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let mut folders = env::split_paths(&path);
    folders.find_map(|folder| {
        let program = folder.join("pg_ctl").canonicalize().ok()?;
        let folder = program.parent()?;
        folder.join("initdb").exists().then(|| folder.to_owned())
    })
}

/// The newest server of Debian's packages.
fn packaged() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let newest = versions
        .filter_map(|entry| {
            let version: u32 = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, folder)| folder.join("pg_ctl").exists());
    newest
        .max_by_key(|(version, _)| *version)
        .map(|(_, folder)| folder)
}

/// Runs a program to its end; gives what it wrote.
pub(crate) fn run(command: &mut Command) -> Result<String, ProgramError> {
    let mut running = Running::start(command.stdout(Stdio::piped()))?;
    let mut wrote = String::new();
    if let Some(mut stdout) = running.stdout() {
        let read = stdout.read_to_string(&mut wrote);
        read.map_err(|error| running.failed(error))?;
    }
    running.finish()?;
    Ok(wrote)
}

/// A program that runs. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Running {
    program: String,
    child: Child,
    said: File,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Result<Self, ProgramError> {
        let program = Path::new(command.get_program());
        let program = program.file_name().unwrap_or_default();
        let program = program.to_string_lossy().into_owned();
        let start = || -> io::Result<(Child, File)> {
            let said = tempfile::tempfile()?;
            Ok((command.stderr(said.try_clone()?).spawn()?, said))
        };
        match { start }() {
            Ok((child, said)) => Ok(Self {
                program,
                child,
                said,
            }),
            Err(error) => Err(ProgramError::Start { program, error }),
        }
    }

    pub(crate) fn stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    pub(crate) fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Waits for its end.
    pub(crate) fn finish(&mut self) -> Result<(), ProgramError> {
        raw::succeeded(&mut self.child).map_err(|error| self.failed(error))
    }

    fn failed(&mut self, error: io::Error) -> ProgramError {
        let mut said = Vec::new();
        let length = self.said.metadata().map_or(0, |file| file.len());
        let from = io::SeekFrom::Start(length.saturating_sub(SAID));
        // Without its words, the way it ended has to do.
        let _ = self.said.seek(from);
        let _ = (&mut self.said).take(SAID).read_to_end(&mut said);
        ProgramError::Failed {
            program: self.program.clone(),
            said: String::from_utf8_lossy(&said).trim().to_owned(),
            error,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // It may have ended in between.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
