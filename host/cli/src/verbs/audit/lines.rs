//! Lines that go to stdout as they are found, until nobody reads them any more.

use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;

use crate::exit::Error;

/// stdout, for lines.
pub(super) struct Lines {
    out: Box<dyn Write>,
    /// Why no more can be written.
    over: Option<io::Error>,
}

impl Lines {
    /// For people.
    pub(super) fn text() -> Self {
        Self { out: Box::new(anstream::stdout()), over: None }
    }

    /// For programs.
    pub(super) fn plain() -> Self {
        Self { out: Box::new(BufWriter::new(io::stdout())), over: None }
    }

    pub(super) fn put(&mut self, line: &str) -> ControlFlow<()> {
        if self.over.is_none() {
            self.over = writeln!(self.out, "{line}").err();
        }
        self.reader()
    }

    /// Hands on what is there, to somebody who waits for it.
    pub(super) fn flush(&mut self) -> ControlFlow<()> {
        if self.over.is_none() {
            self.over = self.out.flush().err();
        }
        self.reader()
    }

    fn reader(&self) -> ControlFlow<()> {
        if self.over.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// That the reader wants no more is no error.
    pub(super) fn end(mut self) -> Result<(), Error> {
        let _said_below = self.flush();
        match self.over {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Error::file("stdout".as_ref(), error))
            }
            _ => Ok(()),
        }
    }
}
