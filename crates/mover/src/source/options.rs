use std::time::Duration;

use crate::net::Throttle;
use vab_format::limits::ENCRYPTION_OVERHEAD;

use super::save::cost;
use crate::proto::frame::MAX_PAYLOAD;
use crate::proto::{LivenessConfig, Rate, ResumePolicy};
#[cfg(feature = "tls")]
use crate::security::ClientTls;

/// How a source makes sure of its target, and shows who it is.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Security {
    /// Not at all.
    #[default]
    Plain,
    /// TLS 1.3. A source that asks for it never falls back.
    #[cfg(feature = "tls")]
    Tls(ClientTls),
}

/// Settings of a source mover.
#[derive(Clone, Debug)]
pub struct SourceOptions {
    /// How the target is made sure of.
    pub security: Security,
    /// Time to reach a target and hear its greeting. Default 10 s.
    pub connect_limit: Duration,
    /// How long to go on asking for a backup that a busy target puts off. Default 0: not at all.
    pub busy_limit: Duration,
    /// Time for the answer to a query. Default 5 min.
    pub query_limit: Duration,
    /// When the target counts as gone.
    pub liveness: LivenessConfig,
    /// How to come back after a broken connection.
    pub resume: ResumePolicy,
    /// Memory of one backup for blocks that are not durable at the target, in bytes. Every
    /// stream has its share, of two blocks at least. Default 32 MiB.
    pub backup_memory: u64,
    /// Memory of one restore for blocks that the engine has not asked for yet, in bytes. Every
    /// stream has its share, and may go over it by a block. Default 16 MiB.
    pub restore_memory: u64,
    /// The largest block, in bytes; smaller when the memory is shared by many streams.
    /// Default 1 MiB, at most 4 MiB.
    pub block_size: u32,
    /// Bytes per second of one connection, in both directions together.
    pub session_limit: Option<Rate>,
    /// A limit that is shared with all who have a clone of it.
    pub shared_limit: Option<Throttle>,
    /// Threads of one backup that compress blocks; fewer where they would take more than half of
    /// the memory. Default: one for each processor.
    pub coder_threads: usize,
}

impl Default for SourceOptions {
    fn default() -> Self {
        Self {
            security: Security::Plain,
            connect_limit: Duration::from_secs(10),
            busy_limit: Duration::ZERO,
            query_limit: Duration::from_secs(300),
            liveness: LivenessConfig::default(),
            resume: ResumePolicy::default(),
            backup_memory: 32 * 1024 * 1024,
            restore_memory: 16 * 1024 * 1024,
            block_size: 1024 * 1024,
            session_limit: None,
            shared_limit: None,
            coder_threads: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

/// How the memory of a backup is cut for its streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shares {
    /// Bytes of a block.
    pub(super) block: usize,
    /// Blocks of a stream.
    pub(super) blocks: usize,
}

/// How the memory of a backup is cut when its blocks are compressed or encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CodedShares {
    /// Raw bytes of a block.
    pub(super) block: usize,
    /// Bytes of a stream: blocks being gathered, and payloads that are not durable.
    pub(super) stream: u64,
    /// Coder threads.
    pub(super) threads: usize,
}

impl SourceOptions {
    /// Blocks that a coder works with beside that of the stream: what comes out of the
    /// compressor, what comes out of the decompressor that checks it, and two buffers that are kept.
    const SCRATCH: u64 = 4;

    /// Smallest block that memory is cut into: below that, headers would weigh too much.
    const SMALLEST: u64 = 64 * 1024;

    pub(super) fn shares(&self, streams: u16, max_block: u32) -> Shares {
        let largest = u64::from(self.block_size.min(max_block).min(MAX_PAYLOAD)).max(1);
        let share = self.backup_memory / u64::from(streams.max(1));
        let block = (share / 4).max(Self::SMALLEST).min(largest);
        let blocks = (share / block).max(2);
        Shares {
            block: usize::try_from(block).unwrap_or(1),
            blocks: usize::try_from(blocks).unwrap_or(2),
        }
    }
}

impl SourceOptions {
    pub(super) fn coded_shares(&self, streams: u16, max_block: u32) -> CodedShares {
        let Shares { block, .. } =
            self.shares(streams, max_block.saturating_sub(ENCRYPTION_OVERHEAD));
        let scratch = u64::try_from(block)
            .unwrap_or(u64::MAX)
            .saturating_mul(Self::SCRATCH);
        let most = (self.backup_memory / 2 / scratch.max(1)).max(1);
        let threads = u64::try_from(self.coder_threads)
            .unwrap_or(most)
            .clamp(1, most);
        let rest = self
            .backup_memory
            .saturating_sub(scratch.saturating_mul(threads));
        let stream = rest / u64::from(streams.max(1));
        CodedShares {
            block,
            stream: stream.max(2 * cost(block)),
            threads: usize::try_from(threads).unwrap_or(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_is_kept_whatever_the_number_of_streams() {
        let options = SourceOptions::default();
        for streams in 1..=64 {
            let Shares { block, blocks } = options.shares(streams, MAX_PAYLOAD);
            assert!(blocks >= 2);
            assert!(
                block * blocks * usize::from(streams) <= 32 << 20,
                "{streams} streams"
            );
            assert!((64 << 10..=1 << 20).contains(&block));
        }
        assert_eq!(
            options.shares(4, MAX_PAYLOAD),
            Shares {
                block: 1 << 20,
                blocks: 8
            }
        );
        assert_eq!(
            options.shares(64, MAX_PAYLOAD),
            Shares {
                block: 128 << 10,
                blocks: 4
            }
        );
    }

    #[test]
    fn coders_work_within_the_memory() {
        for processors in [1, 2, 64] {
            let options = SourceOptions {
                coder_threads: processors,
                ..SourceOptions::default()
            };
            for streams in 1..=64_u16 {
                let shares = options.coded_shares(streams, MAX_PAYLOAD);
                let block = cost(shares.block);
                let threads = u64::try_from(shares.threads).unwrap();
                assert!(shares.stream >= 2 * block);
                let total = shares.stream * u64::from(streams) + threads * 4 * block;
                // What encryption adds to each block comes on top where memory is at its shortest.
                let overhead = 32 * (2 * u64::from(streams) + 4 * threads);
                assert!(total <= (32 << 20) + overhead, "{streams} streams: {total}");
            }
        }
    }

    #[test]
    fn an_encrypted_block_still_fits_the_wire() {
        let options = SourceOptions {
            block_size: MAX_PAYLOAD,
            backup_memory: 1 << 30,
            ..SourceOptions::default()
        };
        let shares = options.coded_shares(1, MAX_PAYLOAD);
        assert_eq!(cost(shares.block), u64::from(MAX_PAYLOAD));
    }

    #[test]
    fn a_target_that_takes_smaller_blocks_gets_them() {
        assert_eq!(SourceOptions::default().shares(1, 5000).block, 5000);
    }
}
