//! Landlock: files, ports, signals and sockets by the kernel's own rules.

use std::io;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, NetPort, PathBeneath, PathFd,
    Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
    make_bitflags,
};

use crate::WallsError;
use crate::plan::{Connect, Plan};

/// Every right up to this ABI is handled; the library drops what the kernel does not know.
const NEWEST: ABI = ABI::V10;

const READ: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | ReadDir});

/// Not in here: Execute, MakeChar, MakeBlock, MakeFifo, MakeSock, IoctlDev, ResolveUnix.
const READ_WRITE: BitFlags<AccessFs> = make_bitflags!(AccessFs::{
    ReadFile | ReadDir | WriteFile | Truncate | MakeReg | MakeDir | MakeSym | RemoveFile | RemoveDir | Refer
});

/// DNS, RFC 1035 section 4.2.
const NAME_SERVICE_PORT: u16 = 53;

/// The Landlock ABI of the running kernel, 1 or more. `EOPNOTSUPP`: built in but not switched on; `ENOSYS`: not built in.
pub(crate) fn kernel_abi() -> Result<u32, io::Error> {
    const LANDLOCK_CREATE_RULESET_VERSION: u32 = 1;
    // SAFETY: with this flag the call takes a null pointer and a size of 0, makes nothing, and returns a number.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<libc::c_void>(),
            0_usize,
            LANDLOCK_CREATE_RULESET_VERSION,
        )
    };
    u32::try_from(answer).map_err(|_| io::Error::last_os_error())
}

/// Confines the calling thread, and with it every thread that it makes later. Returns the paths of `plan.read` that could not
/// be opened and so are not granted.
pub(crate) fn raise(plan: &Plan) -> Result<Vec<PathBuf>, WallsError> {
    let mut skipped = Vec::new();
    let mut rules = ruleset(plan)?;
    for path in &plan.read {
        match PathFd::new(path) {
            Ok(file) => rules = rules.add_rule(PathBeneath::new(file, READ))?,
            Err(_) => skipped.push(path.clone()),
        }
    }
    for path in &plan.read_write {
        rules = rules.add_rule(PathBeneath::new(open(path)?, READ_WRITE))?;
    }
    for path in &plan.unix_sockets {
        rules = rules.add_rule(PathBeneath::new(open(path)?, AccessFs::ResolveUnix))?;
    }
    let status = add_ports(rules, plan)?.restrict_self()?;
    if status.ruleset == RulesetStatus::NotEnforced {
        return Err(WallsError::NotEnforced("Landlock"));
    }
    Ok(skipped)
}

fn ruleset(plan: &Plan) -> Result<RulesetCreated, RulesetError> {
    let mut net = AccessNet::from_all(NEWEST);
    if plan.connect == Connect::Any {
        // There is no rule for "any port": what is not handled is free.
        net.remove(AccessNet::ConnectTcp | AccessNet::ConnectSendUdp);
    }
    Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(net)?
        .scope(Scope::from_all(NEWEST))?
        .create()
}

fn add_ports(mut rules: RulesetCreated, plan: &Plan) -> Result<RulesetCreated, RulesetError> {
    for port in &plan.listen {
        rules = rules.add_rule(NetPort::new(*port, AccessNet::BindTcp))?;
    }
    if plan.connect != Connect::None {
        // Sending from a fresh UDP socket binds it to an ephemeral port.
        rules = rules.add_rule(NetPort::new(0, AccessNet::BindUdp))?;
    }
    if let Connect::Ports(ports) = &plan.connect {
        rules = rules.add_rule(NetPort::new(NAME_SERVICE_PORT, AccessNet::ConnectSendUdp))?;
        for port in ports {
            rules = rules.add_rule(NetPort::new(*port, AccessNet::ConnectTcp))?;
        }
    }
    Ok(rules)
}

fn open(path: &Path) -> Result<PathFd, WallsError> {
    PathFd::new(path).map_err(|source| WallsError::Path { path: path.to_path_buf(), source })
}

/// What Landlock of this ABI lets through that the plan does not grant. `filtered`: seccomp is on and stands in where it can.
pub(crate) fn missing(abi: u32, plan: &Plan, filtered: bool) -> Vec<&'static str> {
    let mut missing = Vec::new();
    let mut unless = |since: u32, stood_in: bool, what: &'static str| {
        if abi < since && !stood_in {
            missing.push(what);
        }
    };
    unless(3, false, "truncating read-only files");
    unless(4, false, "TCP ports");
    unless(5, false, "ioctl on devices");
    unless(6, false, "signals and abstract Unix sockets");
    unless(9, filtered && plan.unix_sockets.is_empty(), "paths of Unix sockets");
    unless(10, plan.connect == Connect::Any || (filtered && plan.connect == Connect::None), "UDP ports");
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_kernels_are_said_to_lack_what_they_lack() {
        let closed = Plan::default();
        assert_eq!(missing(10, &closed, false), [""; 0]);
        assert_eq!(missing(7, &closed, true), [""; 0]);
        assert_eq!(missing(7, &closed, false), ["paths of Unix sockets", "UDP ports"]);
        let open =
            Plan { connect: Connect::Ports(vec![443]), unix_sockets: vec!["/s".into()], ..Plan::default() };
        assert_eq!(missing(7, &open, true), ["paths of Unix sockets", "UDP ports"]);
        assert_eq!(
            missing(2, &closed, true),
            [
                "truncating read-only files",
                "TCP ports",
                "ioctl on devices",
                "signals and abstract Unix sockets"
            ]
        );
    }
}
