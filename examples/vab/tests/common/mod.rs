//! The real program, run as a user would run it.
#![allow(dead_code, reason = "each test file uses a part of this")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and the lints know only test functions"
)]

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use serde_json::Value;

/// A job as the documented product names it.
pub(crate) const JOB: &str = "SRV01 MSSQL backup (Backup Vol 01)";

/// The program with these arguments.
pub(crate) fn vab<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vab"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// What a run of the program left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

/// Runs the program to its end.
pub(crate) fn run<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Ran {
    let Output {
        status,
        stdout,
        stderr,
    } = vab(arguments).output().unwrap();
    Ran {
        status,
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}

impl Ran {
    /// The program succeeded; its standard output.
    #[track_caller]
    pub(crate) fn success(self) -> String {
        assert!(self.status.success(), "{self:?}");
        self.stdout
    }

    /// The program failed with `code`; its standard error, which is never empty.
    #[track_caller]
    pub(crate) fn failure(self, code: i32) -> String {
        assert_eq!(self.status.code(), Some(code), "{self:?}");
        assert!(!self.stderr.contains("panicked"), "{self:?}");
        assert!(!self.stderr.is_empty(), "{self:?}");
        self.stderr
    }
}

/// `vab serve` on a free port. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub address: String,
    pub repository: PathBuf,
}

impl Server {
    pub(crate) fn start(repository: &Path) -> Self {
        Self::start_with(repository, "127.0.0.1:0", &[])
    }

    /// The same, past the page cache.
    pub(crate) fn start_direct(repository: &Path) -> Self {
        Self::start_with(repository, "127.0.0.1:0", &["--direct-io".to_owned()])
    }

    /// The same, listening where another one did.
    pub(crate) fn start_at(repository: &Path, address: &str) -> Self {
        Self::start_with(repository, address, &[])
    }

    pub(crate) fn start_with(repository: &Path, address: &str, more: &[String]) -> Self {
        let mut child = vab(["serve", "--listen", address, "--repository"])
            .arg(repository)
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines.find_map(|line| {
            let line = line.unwrap();
            let (_, rest) = line.split_once("listening on ")?;
            Some(rest.split(';').next().unwrap().to_owned())
        });
        let Some(address) = address else {
            let mut said = String::new();
            child
                .stderr
                .take()
                .unwrap()
                .read_to_string(&mut said)
                .unwrap();
            panic!("the server did not start: {said}");
        };
        // What it says later must not fill the pipe.
        let mut stderr = child.stderr.take().unwrap();
        std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
        Self {
            child,
            address,
            repository: repository.to_owned(),
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it as Ctrl-C would, and waits.
    #[cfg(unix)]
    pub(crate) fn interrupt(mut self) -> ExitStatus {
        signal("INT", self.id());
        self.child.wait().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped_already = self.child.wait();
    }
}

/// Sends a signal to a process.
#[cfg(unix)]
pub(crate) fn signal(name: &str, id: u32) {
    let status = Command::new("kill")
        .args(["-s", name, &id.to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}

/// An empty folder that is made into a repository by the first server.
pub(crate) fn empty_repository() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let repository = folder.path().join("repository");
    std::fs::create_dir(&repository).unwrap();
    (folder, repository)
}

/// A file system of its own, of this size. Unmounted when dropped.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub(crate) struct SmallDisk {
    folder: tempfile::TempDir,
}

/// Mounts a small disk; `None` where that is not allowed.
#[cfg(target_os = "linux")]
pub(crate) fn small_disk(size: &str) -> Option<SmallDisk> {
    let folder = tempfile::tempdir().unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
        .arg(folder.path())
        .stderr(Stdio::null())
        .status();
    mounted
        .is_ok_and(|status| status.success())
        .then_some(SmallDisk { folder })
}

#[cfg(target_os = "linux")]
impl SmallDisk {
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

#[cfg(target_os = "linux")]
impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _gone_with_the_machine = Command::new("umount")
            .arg("-l")
            .arg(self.folder.path())
            .status();
    }
}

/// The restore points that `vab list --json` shows.
pub(crate) fn list(source: [&str; 2]) -> Vec<Value> {
    let text = run(["list", source[0], source[1], "--json"]).success();
    serde_json::from_str(&text).unwrap()
}

/// A field of a restore point as text; empty when it is null.
pub(crate) fn text<'r>(row: &'r Value, field: &str) -> &'r str {
    row.get(field)
        .unwrap_or_else(|| panic!("{field} is missing in {row}"))
        .as_str()
        .unwrap_or_default()
}

/// The folder of real native backups, or `None` after saying that the test is skipped.
pub(crate) fn native_backups() -> Option<PathBuf> {
    let folder = std::env::var_os("VAB_BAK_DIR").map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: VAB_BAK_DIR does not name a folder of native SQL Server backups");
    }
    folder
}
