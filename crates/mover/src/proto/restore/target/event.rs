/// What the driver of a [`Target`](super::Target) has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Read a block, then call [`Target::loaded`](super::Target::loaded). The reads of one stream end in order.
    Read {
        /// The stream.
        stream: u16,
        /// The block.
        sequence: u64,
    },
    /// Nothing more will come; close the connection once everything is sent.
    Over {
        /// Why, if it was not the source that closed.
        reason: Option<String>,
    },
}
