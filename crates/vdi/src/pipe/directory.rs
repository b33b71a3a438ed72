//! The folder where both sides meet.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::client::ClientSet;
use super::engine;
use super::sys::{self, Socket, User};
use crate::client::{CreatedSet, Transport};
use crate::config::SetConfig;
use crate::engine::{EngineSet, EngineTransport, OpenSetRequest};
use crate::error::{CreateError, EngineError};

/// A folder in which clients and engines of one machine find each other.
///
/// Both transports at once, as the [`Hub`](crate::memory::Hub) is inside one process.
#[derive(Debug, Clone)]
pub struct Directory {
    path: PathBuf,
    pub(super) users: Vec<User>,
    pub(super) handshake: Duration,
    pub(super) memory: bool,
}

impl Directory {
    /// Uses a folder; makes it if it is not there, for the own user alone.
    ///
    /// # Errors
    /// When it cannot be made, everybody may write to it, or, on Unix, its path is too long for
    /// sockets (about 66 bytes).
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, CreateError> {
        let path = path.into();
        sys::prepare(&path)?;
        Ok(Self {
            path,
            users: Vec::new(),
            handshake: Duration::from_secs(5),
            memory: true,
        })
    }

    /// Trusts another user too: an engine that runs under its own account. The folder has to be
    /// open for that user. A user can be read from text: the number on Unix, the security
    /// identifier (`S-1-5-…`) on Windows.
    #[must_use]
    pub fn allow_user(mut self, user: impl Into<User>) -> Self {
        self.users.push(user.into());
        self
    }

    /// How long a peer may take to introduce itself once it connected; 5 seconds at first.
    #[must_use]
    pub fn handshake_limit(mut self, limit: Duration) -> Self {
        self.handshake = limit;
        self
    }

    /// Sends all data through the connections, even where memory could be shared.
    #[must_use]
    pub fn without_shared_memory(mut self) -> Self {
        self.memory = false;
        self
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The user at the other end, if that one is not trusted.
    pub(super) fn stranger(&self, socket: &Socket) -> io::Result<Option<User>> {
        sys::stranger(socket, &self.users)
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
