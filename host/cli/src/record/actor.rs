//! Who an operator is: the user of this process, as the machine calls it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::sync::OnceLock;

/// As much of the list of users is read, in bytes.
const USERS: u64 = 4 << 20;
/// What the kernel says where nobody has logged in.
const NOBODY: u32 = u32::MAX;

/// The user of this process by name, or as `uid 1000` where the machine's own list has no name. With who logged in, where
/// that is somebody else: the kernel keeps it through `su` and `sudo` (`/proc/self/loginuid`, pam_loginuid(8)).
///
/// It is looked up once. Whoever raises walls does so before: behind them the list cannot be read.
pub(crate) fn actor() -> &'static (String, BTreeMap<String, String>) {
    static ACTOR: OnceLock<(String, BTreeMap<String, String>)> = OnceLock::new();
    ACTOR.get_or_init(look_up)
}

fn look_up() -> (String, BTreeMap<String, String>) {
    let own = rustix::process::getuid().as_raw();
    let login = fs::read_to_string("/proc/self/loginuid").ok().and_then(|uid| uid.trim().parse().ok());
    let login = login.filter(|login| *login != own && *login != NOBODY).map(name);
    (name(own), login.map(|login| ("login".into(), login)).into_iter().collect())
}

fn name(uid: u32) -> String {
    let users = File::open("/etc/passwd").ok().map(|file| BufReader::new(file.take(USERS)));
    users.and_then(|users| named(users, uid)).unwrap_or_else(|| format!("uid {uid}"))
}

/// The first user of this id in the form of passwd(5).
fn named(users: impl BufRead, uid: u32) -> Option<String> {
    let of = |line: String| {
        let mut parts = line.split(':');
        let name = parts.next().filter(|name| !name.is_empty())?.to_owned();
        (parts.nth(1)?.parse() == Ok(uid)).then_some(name)
    };
    users.lines().map_while(Result::ok).find_map(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_a_name_where_the_machine_has_one() {
        let users =
            "root:x:0:0:root:/root:/bin/sh\n:x:7:\nbroken\nada:x:1000:1000::/home/ada:/bin/sh\nbob:x:1000:\n";
        for (uid, name) in [(0, Some("root")), (1000, Some("ada")), (7, None), (8, None)] {
            assert_eq!(named(users.as_bytes(), uid).as_deref(), name, "{uid}");
        }
        assert_eq!(name(NOBODY - 1), "uid 4294967294");
        assert!(!actor().0.is_empty());
    }
}
