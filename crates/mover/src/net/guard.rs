use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How many more bytes may come over a connection whose peer is not known yet.
#[derive(Clone, Debug)]
pub(crate) struct Allowance(Arc<AtomicU64>);

/// Stands for any number.
const LIFTED: u64 = u64::MAX;

impl Allowance {
    pub(crate) fn new(bytes: u64) -> Self {
        Self(Arc::new(AtomicU64::new(bytes)))
    }

    /// Of a peer that was known before.
    #[cfg(feature = "tls")]
    pub(super) fn lifted() -> Self {
        Self::new(LIFTED)
    }

    /// The peer is known: it may send what it likes.
    pub(crate) fn lift(&self) {
        self.0.store(LIFTED, Ordering::Relaxed);
    }

    /// Whether the peer is known.
    #[cfg(feature = "tls")]
    pub(super) fn is_lifted(&self) -> bool {
        self.0.load(Ordering::Relaxed) == LIFTED
    }

    fn spend(&self, bytes: usize) -> io::Result<()> {
        let left = self.0.load(Ordering::Relaxed);
        if left == LIFTED {
            return Ok(());
        }
        let bytes = u64::try_from(bytes).unwrap_or(LIFTED);
        self.0.store(left.saturating_sub(bytes), Ordering::Relaxed);
        if bytes > left {
            return Err(io::Error::other(
                "more bytes came than are taken from a peer that is not known yet",
            ));
        }
        Ok(())
    }
}

/// A byte stream that ends when its [`Allowance`] is used up.
#[derive(Debug)]
pub(crate) struct Guarded<S> {
    stream: S,
    allowance: Allowance,
}

impl<S> Guarded<S> {
    pub(crate) const fn new(stream: S, allowance: Allowance) -> Self {
        Self { stream, allowance }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        Poll::Ready(self.allowance.spend(buffer.filled().len() - before))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
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
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn a_stranger_may_send_so_much_and_no_more() {
        let allowance = Allowance::new(10);
        let mut stream = Guarded::new(&[7_u8; 30][..], allowance.clone());
        let mut bytes = [0; 10];
        stream.read_exact(&mut bytes).await.unwrap();
        assert!(stream.read_exact(&mut bytes[..1]).await.is_err());
        allowance.lift();
        stream.read_exact(&mut bytes).await.unwrap();
    }
}
