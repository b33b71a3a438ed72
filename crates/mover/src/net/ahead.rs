use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::guard::Allowance;
use crate::copy;

/// Bytes of a page of memory.
const PAGE: usize = 4096;

/// Bytes that are asked for at once.
const AHEAD: usize = 128 * 1024;

/// A connection below TLS, which takes its bytes a record or less at a time: reads more than it
/// is asked for, as soon as the peer is known, and spares most calls to the system.
#[derive(Debug)]
pub(crate) struct ReadAhead<S> {
    stream: S,
    known: Allowance,
    /// Made when the peer is known. Its part that is used begins a page, as [`Buffer`]s do.
    ///
    /// [`Buffer`]: crate::pool::Buffer
    bytes: Vec<u8>,
    /// Where in `bytes` what has not been given away begins and ends.
    given: usize,
    read: usize,
}

impl<S> ReadAhead<S> {
    pub(crate) const fn new(stream: S, known: Allowance) -> Self {
        Self {
            stream,
            known,
            bytes: Vec::new(),
            given: 0,
            read: 0,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ReadAhead<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.given >= this.read {
            if !this.known.is_lifted() || buffer.remaining() >= AHEAD {
                return Pin::new(&mut this.stream).poll_read(cx, buffer);
            }
            this.bytes.resize(AHEAD + PAGE, 0);
            let start = this.bytes.as_ptr().align_offset(PAGE).min(PAGE);
            let room = this.bytes.get_mut(start..start + AHEAD);
            let mut room = ReadBuf::new(room.unwrap_or_default());
            ready!(Pin::new(&mut this.stream).poll_read(cx, &mut room))?;
            (this.given, this.read) = (start, start + room.filled().len());
        }
        let rest = this.bytes.get(this.given..this.read).unwrap_or_default();
        this.given += copy::fill(buffer, rest);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ReadAhead<S> {
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
    async fn nothing_is_read_ahead_from_a_stranger() {
        let known = Allowance::new(10);
        let source = [7_u8; 30];
        let mut stream = ReadAhead::new(&source[..], known.clone());
        stream.read_exact(&mut [0; 10]).await.unwrap();
        assert_eq!(stream.stream.len(), 20);
        known.lift();
        stream.read_exact(&mut [0; 1]).await.unwrap();
        assert_eq!(stream.stream.len(), 0);
    }

    #[tokio::test]
    async fn the_bytes_are_the_same_whatever_is_asked_for() {
        let source: Vec<u8> = (0..=250).cycle().take(5 * AHEAD + 17).collect();
        let known = Allowance::new(0);
        known.lift();
        let mut stream = ReadAhead::new(&source[..], known);
        let mut got = Vec::new();
        for size in [1, 16_406, AHEAD, 3, AHEAD + 1, 4096].into_iter().cycle() {
            let mut piece = vec![0; size];
            let count = stream.read(&mut piece).await.unwrap();
            if count == 0 {
                break;
            }
            got.extend_from_slice(&piece[..count]);
        }
        assert!(got == source);
    }
}
