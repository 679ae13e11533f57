//! What is kept of an output: all of it, or its two ends.

use std::collections::VecDeque;
use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// What was kept, and how much there was.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Captured {
    pub(crate) bytes: Vec<u8>,
    pub(crate) total: u64,
}

const PIECE: usize = 64 << 10;

impl Captured {
    /// Reads an output to its end and keeps at most `most` bytes: the first half from its start, the second from its end. One
    /// that breaks has ended.
    pub(crate) async fn ends(from: Option<impl AsyncRead + Unpin>, most: usize) -> Self {
        let Some(mut from) = from else { return Self::default() };
        let (mut head, mut tail, mut total) = (Vec::new(), VecDeque::<u8>::new(), 0_u64);
        let (most_head, most_tail) = (most / 2, most - most / 2);
        let mut piece = vec![0; PIECE];
        while let Ok(read @ 1..) = from.read(&mut piece).await {
            total += read as u64;
            let (first, rest) = piece[..read].split_at(read.min(most_head - head.len()));
            head.extend_from_slice(first);
            tail.extend(rest);
            let over = tail.len().saturating_sub(most_tail);
            tail.drain(..over);
        }
        head.extend(tail);
        Self { bytes: head, total }
    }

    /// Reads the first `most` bytes.
    pub(crate) async fn first(from: impl AsyncRead + Unpin, most: usize) -> io::Result<Self> {
        let mut bytes = Vec::new();
        from.take(most as u64).read_to_end(&mut bytes).await?;
        let total = bytes.len() as u64;
        Ok(Self { bytes, total })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ends(data: &[u8], most: usize) -> Captured {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(Captured::ends(Some(data), most))
    }

    proptest! {
        #[test]
        fn the_two_ends_are_kept(data in prop::collection::vec(any::<u8>(), 0..300_000), most in 0_usize..200_000) {
            let kept = ends(&data, most);
            prop_assert_eq!(kept.total, data.len() as u64);
            prop_assert_eq!(kept.bytes.len(), data.len().min(most));
            if data.len() > most {
                let (head, tail) = (most / 2, most - most / 2);
                prop_assert_eq!(&kept.bytes[..head], &data[..head]);
                prop_assert_eq!(&kept.bytes[head..], &data[data.len() - tail..]);
            } else {
                prop_assert_eq!(kept.bytes, data);
            }
        }
    }
}
