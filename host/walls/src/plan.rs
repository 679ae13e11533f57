//! What the process keeps.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Everything that the process may still reach once the walls are up. What is not in here is denied; running programs
/// is always denied, so there is no field for it.
///
/// A path stands for the file or directory that it leads to at the moment of [`raise`](crate::raise), and for all that is
/// or will be below it. A *file* that is later replaced by a rename (as editors do) is another file and no longer
/// covered: name its directory when it must be read again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// Files and directories to read and list. One that is missing or out of reach is left out and reported in
    /// [`InForce::skipped`](crate::InForce::skipped).
    pub read: Vec<PathBuf>,
    /// Files and directories to read, list, write, truncate, and in which to make and remove files, directories and symbolic
    /// links; never sockets, pipes or device nodes. Each must exist.
    pub read_write: Vec<PathBuf>,
    /// TCP ports to bind. 0 stands for the ephemeral range. A socket that is already bound needs no entry.
    pub listen: Vec<u16>,
    /// Where outgoing connections may go.
    pub connect: Connect,
    /// Unix sockets to connect to, each an existing path. While the list is empty no Unix socket can be made at all (pairs
    /// can). With one entry, a kernel below Landlock ABI 9 allows the path of any socket that file permissions allow.
    pub unix_sockets: Vec<PathBuf>,
}

/// Where outgoing connections may go.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Connect {
    /// Nowhere: no TCP connection, no UDP socket, no name look-up beyond the hosts file.
    #[default]
    None,
    /// Any TCP port and UDP.
    Any,
    /// These TCP ports. UDP serves name look-ups only (port 53) from Landlock ABI 10, and is not limited below it.
    Ports(Vec<u16>),
}

/// What the host's libraries read by themselves: time zones, host names, trusted certificates, libraries that the C library
/// loads late (name services), processor counts, and the process's own pages.
const SYSTEM_READ: &[&str] = &[
    "/etc/gai.conf",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/ssl/certs",
    "/etc/ssl/cert.pem",
    "/etc/ssl/openssl.cnf",
    "/etc/pki/ca-trust/extracted",
    "/etc/pki/tls/certs",
    "/usr/local/share/ca-certificates",
    "/usr/share/ca-certificates",
    "/usr/share/zoneinfo",
    "/etc/ld.so.cache",
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/proc/self",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/sys/net/core/somaxconn",
    "/proc/sys/vm",
    "/sys/devices/system/cpu",
    "/sys/fs/cgroup",
    "/sys/kernel/mm/transparent_hugepage",
    "/dev/random",
    "/dev/urandom",
];

impl Plan {
    /// A plan with what the host's own libraries need and nothing else: no state, no port, no connection.
    pub fn for_host() -> Self {
        let mut read: Vec<PathBuf> = SYSTEM_READ.iter().map(PathBuf::from).collect();
        // A resolver that writes its file anew on every change keeps it in a directory of its own below /run.
        if let Ok(resolver) = Path::new("/etc/resolv.conf").canonicalize()
            && resolver.starts_with("/run")
            && let Some(directory) = resolver.parent().filter(|directory| *directory != Path::new("/run"))
        {
            read.push(directory.to_path_buf());
        }
        // The running program, for the symbols in a panic's backtrace.
        read.extend(std::env::current_exe().ok());
        Self { read, read_write: vec![PathBuf::from("/dev/null")], ..Self::default() }
    }
}

/// How much the host insists on its walls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Requirement {
    /// No start without no-new-privileges, seccomp, and Landlock of at least [`MINIMUM_LANDLOCK_ABI`](crate::MINIMUM_LANDLOCK_ABI).
    Required,
    /// Whatever the kernel has; what it lacks is in [`InForce`](crate::InForce).
    #[default]
    BestEffort,
    /// No walls.
    Off,
}
