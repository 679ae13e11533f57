//! Whether anything was written, for the price of a glance at memory.

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{Ordering, fence};

use rusqlite::{Connection, ffi};

/// Words of the index of the write-ahead log that say which state of the database is the newest
/// (<https://www.sqlite.org/walformat.html>, section 2.1: the first of the two copies of its header).
const HEADER: usize = 12;
/// What the first of them is: the version of the format.
const VERSION: u32 = 3_007_000;
/// Bytes of one piece of the index, as SQLite maps it.
const PIECE: i32 = 32_768;

/// One state of the database, for as long as nobody writes to it. Two that are equal are the same state: among others they have
/// the number of the last transaction, and a checksum over all that is in the write-ahead log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp([u32; HEADER]);

impl Stamp {
    /// That of now. SQLite begins each reading with the same bytes, so what another process has committed is seen here as soon as
    /// it is there. Absent where SQLite has not mapped the index yet.
    pub(crate) fn of(connection: &Connection) -> Option<Self> {
        let mut file: *mut ffi::sqlite3_file = ptr::null_mut();
        let to_file = ptr::from_mut(&mut file).cast::<c_void>();
        // SAFETY: the handle is open as long as the connection is borrowed, and nobody else uses it meanwhile: a connection is not
        // `Sync`. For the database "main" this operation writes one pointer to where the last argument points.
        let code = unsafe {
            ffi::sqlite3_file_control(
                connection.handle(),
                c"main".as_ptr(),
                ffi::SQLITE_FCNTL_FILE_POINTER,
                to_file,
            )
        };
        if code != ffi::SQLITE_OK || file.is_null() {
            return None;
        }
        // SAFETY: SQLite's own file object, which lives as long as the connection; its methods are null where no file is open.
        let methods = unsafe { (*file).pMethods.as_ref() }?;
        let map = methods.xShmMap.filter(|_| methods.iVersion >= 2)?;
        let mut index: *mut c_void = ptr::null_mut();
        // SAFETY: asks for the first piece of the index, without making it longer. It is mapped already, or is not: then the
        // pointer stays null.
        let code = unsafe { map(file, 0, PIECE, 0, ptr::from_mut(&mut index)) };
        if code != ffi::SQLITE_OK || index.is_null() {
            return None;
        }
        fence(Ordering::SeqCst);
        let mut header = [0; HEADER];
        for (at, word) in header.iter_mut().enumerate() {
            // SAFETY: a piece begins at a page, is longer than the header, and stays mapped until the connection closes. Other
            // processes may write to it meanwhile, so it is read as memory that changes. What is read in the midst of a change is
            // the state before, or none.
            *word = unsafe { index.cast::<u32>().add(at).read_volatile() };
        }
        (header[0] == VERSION).then_some(Self(header))
    }
}
