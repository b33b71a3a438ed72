//! Sees the bytes of a stream before anything is done to them.

/// Is called with the raw bytes of one stream, each once and in order, in the thread of its device
/// and before the device is answered: it must not block.
pub type Tap = Box<dyn FnMut(&[u8]) + Send>;
