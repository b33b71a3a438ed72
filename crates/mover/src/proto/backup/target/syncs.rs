use super::config::TargetConfig;
use super::stream::TargetStream;
use crate::proto::moment::Moment;
use crate::proto::streams::Streams;

/// When what was written is made durable: one sync at a time, for all streams of a session.
#[derive(Debug, Default)]
pub(super) struct Syncs {
    /// Blocks per stream that the running sync covers.
    running: Option<Vec<u64>>,
    /// When the oldest bytes that are not durable were written.
    oldest: Option<Moment>,
}

impl Syncs {
    /// A block was written.
    pub(super) fn written(&mut self, now: Moment) {
        self.oldest.get_or_insert(now);
    }

    /// When bytes have waited long enough to be made durable unasked.
    pub(super) fn timeout(&self, config: &TargetConfig) -> Option<Moment> {
        match self.running {
            None => self.oldest.map(|since| since.after(config.sync_age)),
            Some(_) => None,
        }
    }

    /// Whether a sync has to begin now; it has begun then.
    #[must_use]
    pub(super) fn begin_if_due(
        &mut self,
        now: Moment,
        config: &TargetConfig,
        retain: u64,
        streams: &mut Streams<TargetStream>,
    ) -> bool {
        if self.running.is_some() {
            return false;
        }
        let share = Self::share(config, retain, streams);
        let old = self.timeout(config).is_some_and(|due| now >= due);
        if !old && !streams.iter().any(|stream| stream.waits_for_sync(share)) {
            return false;
        }
        self.running = Some(streams.iter_mut().map(TargetStream::sync_begins).collect());
        true
    }

    /// The sync that was begun is done; whether there was one.
    #[must_use]
    pub(super) fn done(&mut self, now: Moment, streams: &mut Streams<TargetStream>) -> bool {
        let Some(covered) = self.running.take() else {
            return false;
        };
        for (stream, blocks) in streams.iter_mut().zip(covered) {
            stream.synced(blocks);
        }
        let left = streams.iter().any(|stream| stream.unsynced() > 0);
        self.oldest = left.then_some(now);
        true
    }

    /// Unsynced bytes of one stream at which the source is about to run out of memory for it.
    fn share(config: &TargetConfig, retain: u64, streams: &Streams<TargetStream>) -> u64 {
        if retain == 0 {
            return config.sync_bytes;
        }
        (streams.share(retain) / 2).clamp(1, config.sync_bytes.max(1))
    }
}
