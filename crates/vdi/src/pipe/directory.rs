//! The folder where both sides meet.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::client::ClientSet;
use super::engine;
use super::place::FILE_NAME;
use super::socket::Socket;
use crate::client::{CreatedSet, Transport};
use crate::config::SetConfig;
use crate::engine::{EngineSet, EngineTransport, OpenSetRequest};
use crate::error::{CreateError, EngineError};

/// The most bytes of a socket's path on the systems there are.
const MAX_SOCKET_PATH: usize = 103;

/// A folder in which clients and engines of one machine find each other.
///
/// Both transports at once, as the [`Hub`](crate::memory::Hub) is inside one process.
#[derive(Debug, Clone)]
pub struct Directory {
    path: PathBuf,
    users: Vec<u32>,
    pub(super) handshake: Duration,
    pub(super) memory: bool,
}

impl Directory {
    /// Uses a folder; makes it if it is not there, for the own user alone.
    ///
    /// # Errors
    /// When it cannot be made, its path is too long for sockets (about 66 bytes), or everybody
    /// may write to it.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, CreateError> {
        let path = path.into();
        let unavailable = |reason| Err(CreateError::Unavailable { reason });
        if path.as_os_str().len() + FILE_NAME > MAX_SOCKET_PATH {
            return unavailable(format!(
                "the path of the folder {} is too long for sockets; take one of at most {} bytes",
                path.display(),
                MAX_SOCKET_PATH - FILE_NAME
            ));
        }
        let io_error = |action| {
            move |error| CreateError::Io {
                action,
                error: Arc::new(error),
            }
        };
        match DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            result => result.map_err(io_error("making the folder for the sockets"))?,
        }
        let found = fs::metadata(&path).map_err(io_error("looking at the folder"))?;
        if !found.is_dir() {
            return unavailable(format!("{} is not a folder", path.display()));
        }
        if found.permissions().mode() & 0o002 != 0 {
            return unavailable(format!(
                "everybody may write to the folder {}; take that right away (chmod o-w)",
                path.display()
            ));
        }
        Ok(Self {
            path,
            users: Vec::new(),
            handshake: Duration::from_secs(5),
            memory: true,
        })
    }

    /// Trusts another user too, by number: an engine that runs under its own account. The folder
    /// has to be open for that user.
    #[must_use]
    pub fn allow_user(mut self, user: u32) -> Self {
        self.users.push(user);
        self
    }

    /// How long a peer may take to introduce itself once it connected; 5 seconds at first.
    #[must_use]
    pub fn handshake_limit(mut self, limit: Duration) -> Self {
        self.handshake = limit;
        self
    }

    /// Sends all data through the sockets, even where memory could be shared.
    #[must_use]
    pub fn without_shared_memory(mut self) -> Self {
        self.memory = false;
        self
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Who may use the sockets, as a file mode.
    pub(super) fn socket_mode(&self) -> u32 {
        if self.users.is_empty() { 0o600 } else { 0o666 }
    }

    /// The user at the other end, if that one is not trusted.
    pub(super) fn stranger(&self, socket: &Socket) -> io::Result<Option<u32>> {
        let own = rustix::process::geteuid().as_raw();
        let user = socket.peer_user()?;
        Ok(user.filter(|&user| user != own && user != 0 && !self.users.contains(&user)))
    }
}

impl Transport for Directory {
    fn create(&self, config: SetConfig) -> Result<CreatedSet, CreateError> {
        let link = ClientSet::create(self.clone(), &config)?;
        Ok(CreatedSet::new(config, Box::new(link)))
    }
}

impl EngineTransport for Directory {
    fn open_set(
        &self,
        request: OpenSetRequest,
        timeout: Duration,
    ) -> Result<EngineSet, EngineError> {
        engine::open(self, request.with_own_buffers(), timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_made_for_the_own_user_alone() {
        let parent = tempfile::tempdir().unwrap();
        let directory = Directory::open(parent.path().join("sets")).unwrap();
        let mode = fs::metadata(directory.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[test]
    fn a_folder_open_to_everybody_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        fs::set_permissions(parent.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let error = Directory::open(parent.path()).unwrap_err();
        assert!(error.to_string().contains("chmod o-w"), "{error}");
    }

    #[test]
    fn a_path_too_long_for_sockets_is_refused_at_once() {
        let error = Directory::open("/tmp/".to_owned() + &"x".repeat(90)).unwrap_err();
        assert!(error.to_string().contains("too long"), "{error}");
    }
}
