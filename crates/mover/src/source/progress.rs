/// How far a stream has come. Told after each block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// The stream.
    pub stream: u16,
    /// Bytes of the engine's data so far.
    pub bytes: u64,
    /// Blocks so far.
    pub blocks: u64,
}
