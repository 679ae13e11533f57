//! The seccomp filters: the written list plus rules on the arguments of a few calls.

use std::collections::BTreeMap;
use std::io;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter_all_threads,
};

use crate::denials::{Answer, denials};
use crate::plan::{Connect, Plan};

#[cfg(target_arch = "x86_64")]
const ARCH: TargetArch = TargetArch::x86_64;
#[cfg(target_arch = "aarch64")]
const ARCH: TargetArch = TargetArch::aarch64;

/// The type of a socket is in the low bits of the argument, close-on-exec and non-blocking in the others
/// (`SOCK_TYPE_MASK` in the kernel's linux/net.h).
const SOCKET_TYPE: u64 = 0xf;

/// Obsolete way to a packet socket (packet(7)).
const SOCK_PACKET: i32 = 10;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Whether the kernel can filter system calls at all.
pub(crate) fn available() -> Result<(), io::Error> {
    let action: u32 = libc::SECCOMP_RET_KILL_PROCESS;
    // SAFETY: SECCOMP_GET_ACTION_AVAIL reads one u32 through a pointer that is valid for the call, and changes nothing.
    let answer =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_ACTION_AVAIL, 0, &raw const action) };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Puts the filters in force for the whole process. Returns how many system calls are denied, in whole or by argument.
///
/// The kernel takes the strictest answer of all filters, so their order does not matter, except that each later one is installed
/// through the earlier ones: none may deny `seccomp` or `prctl`.
pub(crate) fn raise(plan: &Plan) -> Result<usize, seccompiler::Error> {
    let by_argument = argument_rules(plan)?;
    let mut eperm: Rules = whole(Answer::Eperm);
    let enosys = whole(Answer::Enosys);
    let kill = whole(Answer::Kill);
    eperm.extend(by_argument);
    let denied = eperm.len() + enosys.len() + kill.len();

    install(kill, SeccompAction::KillProcess)?;
    install(enosys, SeccompAction::Errno(libc::ENOSYS.unsigned_abs()))?;
    install(eperm, SeccompAction::Errno(libc::EPERM.unsigned_abs()))?;
    #[cfg(target_arch = "x86_64")]
    apply_filter_all_threads(&no_x32())?;
    Ok(denied)
}

/// Calls with bit 30 set are the x32 ABI: the same calls under other numbers, which the list would not know, and reported
/// with the same architecture. No program of ours is built for it.
#[cfg(target_arch = "x86_64")]
fn no_x32() -> BpfProgram {
    const X32_BIT: u32 = 0x4000_0000;
    let statement = |code: u32, jf: u8, k: u32| seccompiler::sock_filter {
        // The opcodes of classic BPF are at most 0xff.
        code: code as u16,
        jt: 0,
        jf,
        k,
    };
    vec![
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0),
        statement(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 1, X32_BIT),
        statement(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_KILL_PROCESS),
        statement(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ALLOW),
    ]
}

fn whole(answer: Answer) -> Rules {
    denials().filter(|denial| denial.answer == answer).map(|denial| (denial.number, Vec::new())).collect()
}

/// Also ends the process on a call of another architecture (32-bit entry points), which every filter of this library does.
fn install(rules: Rules, answer: SeccompAction) -> Result<(), seccompiler::Error> {
    let program: BpfProgram = SeccompFilter::new(rules, SeccompAction::Allow, answer, ARCH)?.try_into()?;
    apply_filter_all_threads(&program)
}

fn argument_rules(plan: &Plan) -> Result<Rules, BackendError> {
    let mut rules = Rules::new();
    rules.insert(libc::SYS_clone, clone_rules()?);
    rules.insert(libc::SYS_ioctl, terminal_rules()?);
    rules.insert(libc::SYS_socket, socket_rules(plan)?);
    if plan.connect != Connect::Any {
        // With this flag the first bytes open the connection, and the check on connect is not made.
        for (call, flags) in [(libc::SYS_sendto, 3), (libc::SYS_sendmsg, 2), (libc::SYS_sendmmsg, 3)] {
            rules.insert(call, vec![SeccompRule::new(vec![has(flags, constant(libc::MSG_FASTOPEN))?])?]);
        }
    }
    Ok(rules)
}

/// New threads only: no process, and no namespace.
fn clone_rules() -> Result<Vec<SeccompRule>, BackendError> {
    let mut rules = vec![SeccompRule::new(vec![masked(0, constant(libc::CLONE_THREAD), 0)?])?];
    for namespace in [
        libc::CLONE_NEWNS,
        libc::CLONE_NEWCGROUP,
        libc::CLONE_NEWUTS,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWNET,
    ] {
        rules.push(SeccompRule::new(vec![has(0, constant(namespace))?])?);
    }
    Ok(rules)
}

/// No typing into the operator's terminal and no line disciplines (kernel modules loaded on demand).
fn terminal_rules() -> Result<Vec<SeccompRule>, BackendError> {
    const TIOCLINUX: u64 = 0x541c;
    [u64::from(libc::TIOCSTI as u32), TIOCLINUX, u64::from(libc::TIOCSETD as u32)]
        .into_iter()
        .map(|request| SeccompRule::new(vec![compare(1, SeccompCmpOp::Eq, request)?]))
        .collect()
}

/// TCP and UDP over IP, and Unix sockets where the plan has one. Everything else goes: raw and packet sockets, vsock, netlink
/// (the C library sorts addresses without it), and the transports that the kernel's port rules do not cover (MPTCP, SCTP, SMC).
fn socket_rules(plan: &Plan) -> Result<Vec<SeccompRule>, BackendError> {
    let mut other_family = vec![
        compare(0, SeccompCmpOp::Ne, constant(libc::AF_INET))?,
        compare(0, SeccompCmpOp::Ne, constant(libc::AF_INET6))?,
    ];
    if !plan.unix_sockets.is_empty() {
        other_family.push(compare(0, SeccompCmpOp::Ne, constant(libc::AF_UNIX))?);
    }
    let other_protocol = [0, libc::IPPROTO_TCP, libc::IPPROTO_UDP]
        .into_iter()
        .map(|protocol| compare(2, SeccompCmpOp::Ne, constant(protocol)))
        .collect::<Result<_, _>>()?;
    let mut rules = vec![SeccompRule::new(other_family)?, SeccompRule::new(other_protocol)?];
    for kind in [libc::SOCK_RAW, libc::SOCK_RDM, libc::SOCK_SEQPACKET, libc::SOCK_DCCP, SOCK_PACKET] {
        rules.push(SeccompRule::new(vec![masked(1, SOCKET_TYPE, constant(kind))?])?);
    }
    if plan.connect == Connect::None {
        for family in [libc::AF_INET, libc::AF_INET6] {
            rules.push(SeccompRule::new(vec![
                compare(0, SeccompCmpOp::Eq, constant(family))?,
                masked(1, SOCKET_TYPE, constant(libc::SOCK_DGRAM))?,
            ])?);
        }
    }
    Ok(rules)
}

/// The kernel reads these arguments as 32 bits and ignores what is above, and so must the filter.
fn compare(argument: u8, operator: SeccompCmpOp, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)
}

fn masked(argument: u8, mask: u64, value: u64) -> Result<SeccompCondition, BackendError> {
    compare(argument, SeccompCmpOp::MaskedEq(mask), value)
}

fn has(argument: u8, flag: u64) -> Result<SeccompCondition, BackendError> {
    masked(argument, flag, flag)
}

/// A constant of the C headers, an `int`, as the 32 bits that the filter compares.
fn constant(value: i32) -> u64 {
    u64::from(value.cast_unsigned())
}
