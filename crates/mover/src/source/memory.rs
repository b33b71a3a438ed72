use super::encoding::Encoding;
use super::options::{CodedShares, Shares, SourceOptions};

/// How the memory of a backup is cut for its streams.
#[derive(Clone, Copy, Debug)]
pub(super) enum Memory {
    /// The buffers of the devices are the payloads.
    Plain(Shares),
    /// Payloads are made of them.
    Coded(CodedShares),
}

impl Memory {
    pub(super) fn of(
        options: &SourceOptions,
        streams: u16,
        max_block: u32,
        encoding: &Encoding,
    ) -> Self {
        if encoding.is_plain() {
            Self::Plain(options.shares(streams, max_block))
        } else {
            Self::Coded(options.coded_shares(streams, max_block))
        }
    }

    /// Raw bytes of a block.
    pub(super) const fn block(&self) -> usize {
        match self {
            Self::Plain(shares) => shares.block,
            Self::Coded(shares) => shares.block,
        }
    }

    /// Payload bytes of all streams that can be kept until they are durable.
    pub(super) fn retained(&self, streams: u16) -> u64 {
        let stream = match self {
            Self::Plain(Shares { block, blocks }) => {
                u64::try_from(block.saturating_mul(*blocks)).unwrap_or(u64::MAX)
            }
            Self::Coded(shares) => shares.stream,
        };
        stream.saturating_mul(streams.into())
    }
}
