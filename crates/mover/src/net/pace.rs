//! Connections that keep to a rate.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use crate::clock::Clock;
use crate::proto::{Bucket, Rate};

/// Bytes that pass between two looks at the rate. Small enough that a slow connection is not
/// silent for long.
const PIECE: usize = 16 * 1024;

/// A bandwidth limit that all who have a clone of it share: one for every source and target of a
/// process limits the process. Bytes in both directions count together.
#[derive(Clone)]
pub struct Throttle(Arc<Shared>);

struct Shared {
    rate: Rate,
    bucket: Mutex<Bucket>,
    clock: Clock,
}

impl Throttle {
    /// A limit of so many bytes per second.
    pub fn new(rate: Rate) -> Self {
        let clock = Clock::start();
        Self(Arc::new(Shared {
            rate,
            bucket: Mutex::new(Bucket::new(rate, clock.now())),
            clock,
        }))
    }

    /// Bytes per second.
    pub fn rate(&self) -> Rate {
        self.0.rate
    }

    fn take(&self, bytes: u64) -> Duration {
        let mut bucket = self.0.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.take(self.0.clock.now(), bytes)
    }
}

impl fmt::Debug for Throttle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Throttle({})", self.0.rate)
    }
}

/// All limits a connection keeps to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Throttles(Vec<Throttle>);

impl Throttles {
    pub(crate) fn of(session: Option<Rate>, shared: Option<&Throttle>) -> Self {
        let session = session.map(Throttle::new);
        Self(session.into_iter().chain(shared.cloned()).collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn take(&self, bytes: usize) -> Duration {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let waits = self.0.iter().map(|throttle| throttle.take(bytes));
        waits.max().unwrap_or_default()
    }
}

/// A direction of a connection that keeps to its limits.
pub(crate) struct Paced<S> {
    stream: S,
    limits: Throttles,
    clock: Clock,
    /// Until when nothing passes.
    pause: Option<Pin<Box<Sleep>>>,
}

impl<S> Paced<S> {
    pub(crate) const fn new(stream: S, limits: Throttles, clock: Clock) -> Self {
        Self {
            stream,
            limits,
            clock,
            pause: None,
        }
    }

    fn poll_pause(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        Poll::Ready(())
    }

    fn passed(&mut self, bytes: usize) {
        let wait = self.limits.take(bytes);
        if !wait.is_zero() {
            let until = self.clock.now().after(wait);
            self.pause = Some(Box::pin(self.clock.sleep_until(until)));
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_pause(cx));
        let room = buffer.remaining().min(PIECE);
        let mut piece = ReadBuf::new(buffer.initialize_unfilled_to(room));
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut piece))?;
        let count = piece.filled().len();
        buffer.advance(count);
        self.passed(count);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_pause(cx));
        let piece = bytes.get(..PIECE).unwrap_or(bytes);
        let count = ready!(Pin::new(&mut self.stream).poll_write(cx, piece))?;
        self.passed(count);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::Instant;

    use super::*;

    const MIB: usize = 1 << 20;

    fn rate() -> Rate {
        Rate::new(1 << 20).unwrap()
    }

    fn paced<S>(stream: S, limits: Throttles) -> Paced<S> {
        Paced::new(stream, limits, Clock::start())
    }

    /// About `seconds`, of a clock that only moves when all wait.
    fn took(start: Instant, seconds: f64) {
        let took = start.elapsed().as_secs_f64();
        assert!((seconds - 0.3..=seconds + 0.1).contains(&took), "{took} s");
    }

    #[tokio::test(start_paused = true)]
    async fn ten_mebibytes_take_ten_seconds() {
        let start = Instant::now();
        let limits = Throttles::of(Some(rate()), None);
        let mut writer = paced(tokio::io::sink(), limits.clone());
        writer.write_all(&vec![0; 5 * MIB]).await.unwrap();
        took(start, 5.0);
        let mut reader = paced(tokio::io::repeat(0).take(5 * MIB as u64), limits);
        let mut bytes = Vec::new();
        assert_eq!(reader.read_to_end(&mut bytes).await.unwrap(), 5 * MIB);
        took(start, 10.0);
    }

    #[tokio::test(start_paused = true)]
    async fn who_shares_a_limit_gets_a_fair_part() {
        let start = Instant::now();
        let shared = Throttle::new(rate());
        let write = |bytes: usize| {
            let mut writer = paced(tokio::io::sink(), Throttles::of(None, Some(&shared)));
            async move {
                writer.write_all(&vec![0; bytes]).await.unwrap();
                Instant::now()
            }
        };
        let (small, large) = tokio::join!(write(MIB), write(9 * MIB));
        // The small one shares the first two seconds.
        let small = small.duration_since(start).as_secs_f64();
        assert!((1.7..=2.1).contains(&small), "{small} s");
        let large = large.duration_since(start).as_secs_f64();
        assert!((9.7..=10.1).contains(&large), "{large} s");
    }

    #[tokio::test(start_paused = true)]
    async fn the_lower_of_two_limits_counts() {
        let start = Instant::now();
        let shared = Throttle::new(Rate::new(100 << 20).unwrap());
        let mut writer = paced(
            tokio::io::sink(),
            Throttles::of(Some(rate()), Some(&shared)),
        );
        writer.write_all(&vec![0; 3 * MIB]).await.unwrap();
        took(start, 3.0);
    }
}
