use vab_format::stream::StreamEnd;

use crate::Block;

/// What the driver of a [`Target`](super::Target) has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Check and write a block, then call [`Target::written`](super::Target::written). Blocks of one stream in order.
    Write(Block),
    /// Make durable what was written so far, then call [`Target::synced`](super::Target::synced).
    Sync,
    /// Commit, then call [`Target::committed`](super::Target::committed).
    Commit {
        /// The manager's bytes.
        facts: Vec<u8>,
        /// Totals of every stream.
        ends: Vec<StreamEnd>,
    },
    /// Leave nothing, then call [`Target::aborted`](super::Target::aborted).
    Abort {
        /// Why.
        reason: String,
    },
    /// Close the connection; nothing more is expected of it.
    Disconnect,
    /// Nothing more will come.
    Over,
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// There is a restore point.
    Committed {
        /// The store's bytes for the manager.
        receipt: Vec<u8>,
    },
    /// Nothing is left.
    Aborted {
        /// Why.
        reason: String,
    },
}
