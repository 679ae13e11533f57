//! Finding records, and waiting for new ones. What is found is what stands there: whether it is what this host wrote is said by
//! [`verify`](crate::verify).

mod entry;
mod filter;
mod follow;
mod when;

use std::collections::VecDeque;
use std::fs::File;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::path::Path;

pub use entry::Entry;
pub use filter::Filter;
pub use follow::Follow;
pub use when::{When, WhenError};

use crate::error::{AuditError, failed};
use crate::log::{Directory, Found, Line, Lines, Position};
use crate::moment::Moment;

/// What a query came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Queried {
    /// Records that were handed out.
    pub found: u64,
    /// The last record of the log, found or not: [`Follow::after`] goes on there.
    pub last: Option<Position>,
    /// Lines that are no records.
    pub skipped: u64,
}

/// Where a record stands in a segment.
#[derive(Clone, Copy)]
struct Spot {
    byte: u64,
    length: usize,
}

/// Hands out the records that the filter lets through, the newest last, until the caller has enough. Reads the log as it is when
/// this begins, without a lock and in memory that does not grow with it.
///
/// # Errors
/// When the directory or a segment cannot be read.
pub fn query(
    dir: &Path,
    filter: &Filter,
    mut each: impl FnMut(Entry) -> ControlFlow<()>,
) -> Result<Queried, AuditError> {
    let directory = Directory::at(dir);
    let mut segments = directory.segments()?;
    let mut queried = Queried::default();
    let Some(most) = filter.limit else {
        for number in segments {
            let Some(segment) = Segment::open(&directory, number)? else { continue };
            if segment
                .read(filter, &mut queried, |queried, line, _| hand_out(queried, line, &mut each))?
                .is_break()
            {
                break;
            }
        }
        return Ok(queried);
    };
    // From the newest segment back, until there are enough; then forward through those.
    let mut chosen: VecDeque<(u64, VecDeque<Spot>)> = VecDeque::new();
    let mut left = most.min(Filter::MOST);
    while left > 0
        && let Some(number) = segments.pop()
    {
        let Some(segment) = Segment::open(&directory, number)? else { continue };
        let mut spots = VecDeque::new();
        let mut of_segment = Queried::default();
        let _to_the_end = segment.read(filter, &mut of_segment, |_, _, spot| {
            if spots.len() == left {
                spots.pop_front();
            }
            spots.push_back(spot);
            ControlFlow::Continue(())
        })?;
        queried.skipped += of_segment.skipped;
        queried.last = queried.last.or(of_segment.last);
        left -= spots.len();
        chosen.push_front((number, spots));
        if segment.begins_before(filter.from) {
            break;
        }
    }
    for (number, spots) in chosen {
        let Some(segment) = Segment::open(&directory, number)? else { continue };
        for spot in spots {
            let bytes = segment.bytes(spot)?;
            if let Ok(line) = Line::parse(&bytes)
                && hand_out(&mut queried, &line, &mut each).is_break()
            {
                return Ok(queried);
            }
        }
    }
    Ok(queried)
}

fn hand_out(
    queried: &mut Queried,
    line: &Line<'_>,
    each: &mut impl FnMut(Entry) -> ControlFlow<()>,
) -> ControlFlow<()> {
    queried.found += 1;
    each(Entry::of(line))
}

/// A segment that is read.
struct Segment {
    file: File,
    path: std::path::PathBuf,
    size: u64,
}

impl Segment {
    /// `None` where retention has just removed it.
    fn open(directory: &Directory, number: u64) -> Result<Option<Self>, AuditError> {
        let path = directory.segment(number);
        let file = match directory.read_from(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(failed(&path))?,
        };
        let size = file.metadata().map_err(failed(&path))?.len();
        Ok(Some(Self { file, path, size }))
    }

    /// Goes through the records that the filter lets through.
    fn read(
        &self,
        filter: &Filter,
        queried: &mut Queried,
        mut each: impl FnMut(&mut Queried, &Line<'_>, Spot) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, AuditError> {
        let mut lines = Lines::between(&self.file, 0, self.size);
        while let Some(found) = lines.next().map_err(failed(&self.path))? {
            let (byte, bytes) = match found {
                Found::Line(byte, bytes) => (byte, bytes),
                Found::TooLong(_) => {
                    queried.skipped += 1;
                    continue;
                }
                // Being written, or left by a process that died.
                Found::Torn(_) => break,
            };
            let Ok(line) = Line::parse(bytes) else {
                queried.skipped += 1;
                continue;
            };
            queried.last = Some(Position { n: line.envelope.n, hash: line.own });
            let spot = Spot { byte, length: bytes.len() };
            if filter.lets_through(&line) && each(queried, &line, spot).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn bytes(&self, spot: Spot) -> Result<Vec<u8>, AuditError> {
        let mut bytes = vec![0; spot.length];
        self.file.read_exact_at(&mut bytes, spot.byte).map_err(failed(&self.path))?;
        Ok(bytes)
    }

    /// Whether everything in the segments before this one is older.
    fn begins_before(&self, from: Option<Moment>) -> bool {
        let mut lines = Lines::between(&self.file, 0, self.size);
        let first = match lines.next() {
            Ok(Some(Found::Line(_, bytes))) => Line::parse(bytes).ok().map(|line| line.envelope.time),
            _ => None,
        };
        from.zip(first).is_some_and(|(from, first)| first < from)
    }
}
