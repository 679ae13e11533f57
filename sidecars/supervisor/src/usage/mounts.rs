//! What is mounted (proc_pid_mountinfo(5)).

use std::collections::BTreeSet;
use std::path::PathBuf;

/// The mounts that the supervisor sees.
pub(super) struct Mounts(Vec<Mount>);

/// One of them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mount {
    /// Major and minor number of the file system. The same for every mount of it.
    device: String,
    /// What of the file system is mounted.
    pub(super) root: String,
    pub(super) at: PathBuf,
    is_writable: bool,
    pub(super) kind: String,
    /// The options of the file system, separated by commas.
    options: String,
}

impl Mounts {
    pub(super) fn read() -> Self {
        Self::parse(&super::read("/proc/self/mountinfo").unwrap_or_default())
    }

    pub(super) fn parse(text: &str) -> Self {
        Self(text.lines().filter_map(mount).collect())
    }

    /// Mounts of this kind of file system.
    pub(super) fn of(&self, kind: &str) -> impl Iterator<Item = &Mount> {
        self.0.iter().filter(move |mount| mount.kind == kind)
    }

    /// Bytes on the tmpfs file systems that can be written to, each counted once.
    pub(super) fn used(&self) -> u64 {
        let mut seen = BTreeSet::new();
        let fresh = self.of("tmpfs").filter(|mount| mount.is_writable && seen.insert(&mount.device));
        fresh.filter_map(|mount| rustix::fs::statvfs(&mount.at).ok()).fold(0, |sum, space| {
            let blocks = space.f_blocks.saturating_sub(space.f_bfree);
            sum.saturating_add(blocks.saturating_mul(space.f_frsize))
        })
    }
}

impl Mount {
    /// Whether the file system was mounted with this option.
    pub(super) fn has(&self, option: &str) -> bool {
        self.options.split(',').any(|has| has == option)
    }
}

fn mount(line: &str) -> Option<Mount> {
    let (place, file_system) = line.split_once(" - ")?;
    let mut place = place.split(' ').skip(2);
    let mut file_system = file_system.split(' ');
    Some(Mount {
        device: place.next()?.to_owned(),
        root: unescaped(place.next()?),
        at: unescaped(place.next()?).into(),
        is_writable: place.next()?.split(',').any(|option| option == "rw"),
        kind: file_system.next()?.to_owned(),
        options: file_system.nth(1)?.to_owned(),
    })
}

/// Space, tab, newline and backslash are written as a backslash and three octal digits.
fn unescaped(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code.filter(u8::is_ascii) {
            Some(code) => {
                plain.push(char::from(code));
                plain.push_str(&part[3..]);
            }
            None => {
                plain.push('\\');
                plain.push_str(part);
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_read_with_its_escapes_and_optional_fields() {
        let line = r"36 35 98:0 /a\040b /mnt\011x rw,noatime master:1 shared:2 - tmpfs none rw,size=4k";
        let Mounts(mounts) = Mounts::parse(line);
        let expected = Mount {
            device: "98:0".into(),
            root: "/a b".into(),
            at: "/mnt\tx".into(),
            is_writable: true,
            kind: "tmpfs".into(),
            options: "rw,size=4k".into(),
        };
        assert_eq!(mounts, [expected]);
    }

    #[test]
    fn a_line_that_is_cut_off_is_no_mount() {
        assert!(Mounts::parse("36 35 98:0 / /mnt rw - tmpfs\n36 35").0.is_empty());
    }

    #[test]
    fn a_backslash_that_escapes_nothing_stays() {
        assert_eq!(unescaped(r"a\9b\"), r"a\9b\");
        assert_eq!(unescaped(r"\é\777x"), r"\é\777x");
    }
}
