//! What an instance is made with.

use std::sync::Arc;

use crate::sim::clock::Clock;
use crate::sim::database::Host;
use crate::sim::ids::Ids;

/// What an instance is made with.
pub struct Options {
    clock: Arc<dyn Clock>,
    ids: Ids,
    server: String,
    utc_offset: Option<i16>,
    sync_commits: bool,
}

impl Options {
    /// A server that reads its time from this clock, with random GUIDs, whose commits wait for
    /// the disk.
    pub fn new(clock: impl Clock + 'static) -> Self {
        Self::with_clock(Arc::new(clock))
    }

    /// As [`Options::new`], with a clock that others hold as well.
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            ids: Ids::random(),
            server: "SIM".to_owned(),
            utc_offset: None,
            sync_commits: true,
        }
    }

    /// Where GUIDs come from.
    #[must_use]
    pub fn ids(mut self, ids: Ids) -> Self {
        self.ids = ids;
        self
    }

    /// The name of the server, as backups say it.
    #[must_use]
    pub fn server(mut self, name: impl Into<String>) -> Self {
        self.server = name.into();
        self
    }

    /// The offset of the clock from UTC in minutes, as backups say it.
    #[must_use]
    pub fn utc_offset(mut self, minutes: i16) -> Self {
        self.utc_offset = Some(minutes);
        self
    }

    /// Commits that do not wait for the disk: faster, and the last ones may be lost with the
    /// power (delayed durability). What a checkpoint or a backup saw is durable either way.
    #[must_use]
    pub fn delayed_durability(mut self) -> Self {
        self.sync_commits = false;
        self
    }

    pub(super) fn host(self, vlf_size: u32) -> Arc<Host> {
        Arc::new(Host {
            clock: self.clock,
            ids: self.ids,
            server: self.server,
            utc_offset: self.utc_offset,
            vlf_size,
            sync_commits: self.sync_commits,
        })
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}
