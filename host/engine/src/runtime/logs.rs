//! What a guest writes to stdout, stderr and `wasi:logging`: captured, bounded, never the host's own streams.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};

use crate::call::{Level, LogLine};

/// The longest line; what is longer is cut into several.
const LINE: usize = 4096;

/// The log of one call. Past its limit it takes no more, and says so once.
pub(crate) struct Logs {
    inner: Mutex<Inner>,
    sink: Box<dyn Fn(LogLine) + Send + Sync>,
}

struct Inner {
    left: usize,
    full: bool,
    partial: Vec<u8>,
}

impl Logs {
    /// At most `limit` bytes, each line handed to `sink`.
    pub(crate) fn new(limit: u64, sink: impl Fn(LogLine) + Send + Sync + 'static) -> Arc<Self> {
        let left = usize::try_from(limit).unwrap_or(usize::MAX);
        let inner = Mutex::new(Inner { left, full: false, partial: Vec::new() });
        Arc::new(Self { inner, sink: Box::new(sink) })
    }

    /// A line of `wasi:logging`.
    pub(crate) fn line(&self, level: Level, context: &str, message: &str) {
        if let Some(taken) = self.take(message.as_bytes()) {
            let message = String::from_utf8_lossy(&message.as_bytes()[..taken]).into_owned();
            let context = context.chars().take(64).collect();
            (self.sink)(LogLine { level, context, message });
        }
    }

    /// Bytes of stdout or stderr; whole lines go out.
    fn bytes(&self, bytes: &[u8]) {
        let Some(taken) = self.take(bytes) else { return };
        let mut lines = Vec::new();
        {
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            for byte in &bytes[..taken] {
                if *byte != b'\n' {
                    inner.partial.push(*byte);
                }
                if *byte == b'\n' || inner.partial.len() >= LINE {
                    lines.push(std::mem::take(&mut inner.partial));
                }
            }
        }
        for line in lines {
            self.out(&line);
        }
    }

    /// The last line, which may have no end.
    pub(crate) fn finish(&self) {
        let rest = std::mem::take(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner).partial);
        self.out(&rest);
    }

    fn out(&self, line: &[u8]) {
        if !line.is_empty() {
            let message = String::from_utf8_lossy(line).into_owned();
            (self.sink)(LogLine { level: Level::Info, context: String::new(), message });
        }
    }

    /// How many of these bytes still fit; nothing when the log is full.
    fn take(&self, bytes: &[u8]) -> Option<usize> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = bytes.len().min(inner.left);
        inner.left -= taken;
        let first = taken < bytes.len() && !std::mem::replace(&mut inner.full, true);
        drop(inner);
        if first {
            let message = "the log is full; the rest of this call's output is dropped".into();
            (self.sink)(LogLine { level: Level::Warn, context: "packhost".into(), message });
        }
        (taken > 0).then_some(taken)
    }
}

/// A guest's stdout or stderr. Writing never fails and never blocks.
#[derive(Clone)]
pub(crate) struct LogStream(pub(crate) Arc<Logs>);

impl IsTerminal for LogStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LogStream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn wasmtime_wasi::p2::OutputStream> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for LogStream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.bytes(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[async_trait::async_trait]
impl wasmtime_wasi::p2::Pollable for LogStream {
    async fn ready(&mut self) {}
}

impl wasmtime_wasi::p2::OutputStream for LogStream {
    fn write(&mut self, bytes: bytes::Bytes) -> wasmtime_wasi::p2::StreamResult<()> {
        self.0.bytes(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> wasmtime_wasi::p2::StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> wasmtime_wasi::p2::StreamResult<usize> {
        Ok(64 << 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured(limit: u64) -> (Arc<Logs>, Arc<Mutex<Vec<String>>>) {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let theirs = Arc::clone(&lines);
        let logs = Logs::new(limit, move |line| theirs.lock().expect("no panic").push(line.message));
        (logs, lines)
    }

    #[test]
    fn bytes_become_lines() {
        let (logs, lines) = captured(1000);
        logs.bytes(b"one\ntw");
        logs.bytes(b"o\n\nthree\xff");
        logs.finish();
        assert_eq!(*lines.lock().expect("no panic"), ["one", "two", "three\u{fffd}"]);
    }

    #[test]
    fn a_flood_stops_at_the_limit_and_says_so_once() {
        let (logs, lines) = captured(10);
        for _ in 0..1000 {
            logs.bytes(b"12345678\n");
        }
        logs.finish();
        let lines = lines.lock().expect("no panic");
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines[1].contains("full"));
    }
}
