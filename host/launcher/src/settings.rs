//! What a launcher is told once, at its start, by whoever starts it: the operator's word, not the host's.

use std::borrow::Cow;
use std::ops::Range;
use std::path::PathBuf;

/// Host user ids for what runs in sandboxes, two for each.
pub type Uids = Range<u32>;

/// The ids above those that systemd gives to containers (0x7000_0000 to 0x7fff_ffff; systemd's UIDS-GIDS.md lists them as
/// unused). Which two a sandbox gets is drawn, so that hosts that know nothing of each other use different ones.
pub const UIDS: Uids = 0x7000_0000..0x7fff_fffe;

/// What the launcher may do.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its own directory; nobody else writes there, the host included. Everything about a sandbox is in `sandboxes/ID`.
    pub state: PathBuf,
    /// Which host it serves, as a name of cgroups: letters, digits, `-`, at most 64.
    pub host: String,
    /// The supervisor: a static program for this machine.
    pub supervisor: Cow<'static, [u8]>,
    /// Where unpacked images are: `<images>/NAME/rootfs`, NAME being `python/HEX` for one that packhost built.
    pub images: Option<PathBuf>,
    /// Beneath these a recipe may name files of the machine, to read. Never all of `/`, `/etc`, `/proc`, `/sys`, `/dev`.
    pub readable: Vec<PathBuf>,
    /// Beneath these a recipe may name directories to mount.
    pub mountable: Vec<PathBuf>,
    /// Host users for sandboxes; used when the launcher is root.
    pub uids: Uids,
}
