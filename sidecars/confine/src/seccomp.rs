//! The written list, compiled to the kernel's filters.

use std::collections::BTreeMap;
use std::io;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter,
};

use crate::ConfineError;
use crate::denials::{Answer, Denial, Test, list};

#[cfg(target_arch = "x86_64")]
const ARCH: TargetArch = TargetArch::x86_64;
#[cfg(target_arch = "aarch64")]
const ARCH: TargetArch = TargetArch::aarch64;

/// What is missing, in a sentence.
pub(crate) fn lacks() -> Option<String> {
    available().err().map(|error| {
        format!(
            "this kernel cannot filter system calls by seccomp ({error}); Linux with CONFIG_SECCOMP_FILTER can, unless a \
             container keeps the call from it"
        )
    })
}

fn available() -> io::Result<()> {
    let action: u32 = libc::SECCOMP_RET_KILL_PROCESS;
    // SAFETY: SECCOMP_GET_ACTION_AVAIL reads one u32 through a pointer that is valid for the call, and changes nothing.
    let answer =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_ACTION_AVAIL, 0, &raw const action) };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// One filter for each answer, in the order in which they are installed. None where the kernel has no seccomp.
///
/// Of several filters the strictest answer counts, and of several errors that of the filter that was installed last. Every
/// filter of this library also ends a process that makes a call of another architecture (32-bit entry points).
#[derive(Debug)]
pub(crate) struct Filters(Vec<BpfProgram>);

impl Filters {
    pub(crate) fn prepare() -> Result<Self, ConfineError> {
        if available().is_err() {
            return Ok(Self(Vec::new()));
        }
        let mut filters = Vec::new();
        #[cfg(target_arch = "x86_64")]
        filters.push(no_x32());
        for answer in Answer::ALL {
            filters.push(filter(answer)?);
        }
        Ok(Self(filters))
    }

    /// Allocates nothing.
    pub(crate) fn raise(&self) -> Result<(), ConfineError> {
        for filter in &self.0 {
            apply_filter(filter)?;
        }
        Ok(())
    }
}

fn filter(answer: Answer) -> Result<BpfProgram, BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for denial in list().filter(|denial| denial.answer == answer) {
        rules.entry(denial.number).or_default().extend(conditions(&denial)?);
    }
    let action = SeccompAction::Errno(answer.errno().unsigned_abs());
    SeccompFilter::new(rules, SeccompAction::Allow, action, ARCH)?.try_into()
}

/// No rule at all is the library's word for "whatever the arguments are".
fn conditions(denial: &Denial) -> Result<Vec<SeccompRule>, BackendError> {
    let all_of = |tests: &&[Test]| SeccompRule::new(tests.iter().map(condition).collect::<Result<_, _>>()?);
    denial.any_of.iter().map(all_of).collect()
}

fn condition(test: &Test) -> Result<SeccompCondition, BackendError> {
    use SeccompCmpArgLen::{Dword, Qword};

    let (argument, length, operator, value) = match *test {
        Test::Is(argument, value) => (argument, Dword, SeccompCmpOp::Eq, value),
        Test::IsNot(argument, value) => (argument, Dword, SeccompCmpOp::Ne, value),
        Test::Masked(argument, mask, value) => (argument, Dword, SeccompCmpOp::MaskedEq(mask.into()), value),
        Test::Given(argument) => (argument, Qword, SeccompCmpOp::Ne, 0),
    };
    SeccompCondition::new(argument, length, operator, value.into())
}

/// Calls with bit 30 set are the x32 ABI: the same calls under other numbers, which the list would not know, and reported
/// with the same architecture. Nothing is built for it any more.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_call_is_denied_both_whole_and_by_argument_with_one_answer() {
        // A whole denial has no rules, and rules of another entry for the same call would narrow it unseen.
        let mut seen: BTreeMap<(i64, i32), bool> = BTreeMap::new();
        for denial in list() {
            let whole = denial.any_of.is_empty();
            let earlier = seen.insert((denial.number, denial.answer.errno()), whole);
            assert!(earlier.is_none_or(|earlier| !earlier && !whole), "{} is twice in the list", denial.call);
        }
    }
}
