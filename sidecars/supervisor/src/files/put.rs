//! Writes a file.

use std::io::{self, BufReader, Read};
use std::os::fd::AsFd;

use packhost_session_protocol::limits;
use packhost_session_protocol::message::{Put, Refusal};
use rustix::fs::{AtFlags, statat};
use rustix::io::Errno;

use super::fresh::Fresh;
use super::host::gone;
use super::path;
use super::trouble::trouble;

pub(super) fn put(put: &Put, input: &mut impl Read) -> Result<(), Refusal> {
    let failed = |errno| trouble("write", &put.path, errno);
    let spot = path::spot(&put.path, put.parents)?;
    // Again when it is named: this only saves sending a file for nothing.
    if put.new && statat(&spot.dir, spot.name, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
        return Err(failed(Errno::EXIST));
    }
    let mut fresh = Fresh::make(spot.dir.as_fd()).map_err(failed)?;
    // A piece at once: with the few kilobytes that copying takes by itself, each is many system calls.
    io::copy(&mut BufReader::with_capacity(limits::DATA, input), fresh.file()).map_err(|error| {
        match Errno::from_io_error(&error) {
            Some(errno) => failed(errno),
            None => gone(),
        }
    })?;
    fresh.land(spot.name, put.mode, None, !put.new).map_err(failed)
}
