//! The written list as one program of classic BPF (Linux, filter.txt).
//!
//! When a filter is installed, the kernel runs it for every number that a call may have, to learn which calls it lets pass
//! whatever their arguments are; only the others run it later. So a program starts as fast as the filter finds a number: it is
//! one tree of comparisons, not a list of them, and one program, not one for each answer.

use std::collections::BTreeMap;

use seccompiler::{BackendError, BpfProgram, sock_filter};

use crate::denials::{Answer, Denial, Test};

/// Offsets in what a filter sees of a call (`struct seccomp_data`, seccomp(2)).
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

/// `AUDIT_ARCH_*` of linux/audit.h: the architecture's number in ELF, 64 bits, the low byte first.
#[cfg(target_arch = "x86_64")]
const OURS: u32 = 62 | 0x8000_0000 | 0x4000_0000;
#[cfg(target_arch = "aarch64")]
const OURS: u32 = 183 | 0x8000_0000 | 0x4000_0000;

/// Calls with this bit are the x32 ABI: the same calls under other numbers, which the list does not know, and reported with the
/// same architecture. Nothing is built for it any more.
#[cfg(target_arch = "x86_64")]
const X32_BIT: u32 = 0x4000_0000;

const LOAD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
const AND: u32 = libc::BPF_ALU | libc::BPF_AND | libc::BPF_K;
const EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
const AT_LEAST: u32 = libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K;
const JUMP: u32 = libc::BPF_JMP | libc::BPF_JA;
const RETURN: u32 = libc::BPF_RET | libc::BPF_K;

/// What the list denies, and all other calls allowed. A call by another architecture's entry points ends the process. Of several
/// denials of one call the answer that comes last in [`Answer::ALL`] is given.
///
/// # Errors
///
/// One entry of the list has more tests at once than a jump can skip.
pub(crate) fn compile(list: impl Iterator<Item = Denial>) -> Result<BpfProgram, BackendError> {
    let mut calls: BTreeMap<u32, Vec<Denial>> = BTreeMap::new();
    for denial in list {
        // Numbers are small; one that is not is no call, and the search never comes to it.
        calls.entry(u32::try_from(denial.number).unwrap_or(u32::MAX)).or_default().push(denial);
    }
    let mut spans = vec![(0, vec![step(RETURN, libc::SECCOMP_RET_ALLOW)])];
    for (number, denials) in calls {
        // What begins at this number is the span of the allowed calls behind the call before it.
        spans.pop_if(|(first, _)| *first == number);
        spans.push((number, call(denials)?));
        spans.push((number.saturating_add(1), vec![step(RETURN, libc::SECCOMP_RET_ALLOW)]));
    }
    spans.dedup_by(|next, span| next.1 == span.1);
    let kill = step(RETURN, libc::SECCOMP_RET_KILL_PROCESS);
    let mut program =
        vec![step(LOAD, ARCHITECTURE), branch(EQUAL, OURS, 1, 0), kill.clone(), step(LOAD, NUMBER)];
    #[cfg(target_arch = "x86_64")]
    program.extend([branch(AT_LEAST, X32_BIT, 0, 1), kill]);
    program.extend(search(&spans));
    Ok(program)
}

/// Finds what becomes of a call by its number. Each span reaches from its number to that of the next one.
fn search(spans: &[(u32, BpfProgram)]) -> BpfProgram {
    let (lower, upper) = match spans {
        [] => return Vec::new(),
        [(_, only)] => return only.clone(),
        _ => spans.split_at(spans.len() / 2),
    };
    let (below, above) = (search(lower), search(upper));
    let start = match u8::try_from(below.len()) {
        Ok(over) => vec![branch(AT_LEAST, upper[0].0, over, 0)],
        // A condition cannot skip as much, a jump without one can.
        Err(_) => {
            let over = u32::try_from(below.len()).unwrap_or(u32::MAX);
            vec![branch(AT_LEAST, upper[0].0, 0, 1), step(JUMP, over)]
        }
    };
    [start, below, above].concat()
}

/// What becomes of a call that is in the list.
fn call(mut denials: Vec<Denial>) -> Result<BpfProgram, BackendError> {
    // The strictest first. Stable, and one answer may have several entries.
    denials.sort_by_key(|denial| Answer::ALL.iter().rev().position(|answer| *answer == denial.answer));
    let mut program = Vec::new();
    for denial in denials {
        let answer = step(RETURN, libc::SECCOMP_RET_ERRNO | denial.answer.errno().unsigned_abs());
        if denial.any_of.is_empty() {
            program.push(answer);
            return Ok(program);
        }
        for tests in denial.any_of {
            program.extend(rule(tests, &answer)?);
        }
    }
    program.push(step(RETURN, libc::SECCOMP_RET_ALLOW));
    Ok(program)
}

/// Gives the answer where all of these tests hold, and is left at its end where one does not.
fn rule(tests: &[Test], answer: &sock_filter) -> Result<BpfProgram, BackendError> {
    let mut program = vec![answer.clone()];
    for (at, test) in tests.iter().enumerate().rev() {
        let left = u8::try_from(program.len()).map_err(|_| BackendError::FilterTooLarge(program.len()))?;
        let mut check = check(*test, left);
        if at.checked_sub(1).and_then(|before| leaves(tests[before])).as_ref() == check.first() {
            check.remove(0);
        }
        program.splice(0..0, check);
    }
    Ok(program)
}

/// Goes on behind itself where the test holds, and `left` instructions further on where it does not. Loads first.
fn check(test: Test, left: u8) -> BpfProgram {
    match test {
        Test::Is(argument, value) => vec![low(argument), branch(EQUAL, value, 0, left)],
        Test::IsNot(argument, value) => vec![low(argument), branch(EQUAL, value, left, 0)],
        Test::Masked(argument, mask, value) => {
            vec![low(argument), step(AND, mask), branch(EQUAL, value, 0, left)]
        }
        Test::Given(argument) => {
            vec![low(argument), branch(EQUAL, 0, 0, 2), high(argument), branch(EQUAL, 0, left, 0)]
        }
    }
}

/// The load whose value is still there after a test, for the next one of the same argument.
fn leaves(test: Test) -> Option<sock_filter> {
    match test {
        Test::Is(argument, _) | Test::IsNot(argument, _) => Some(low(argument)),
        Test::Masked(..) | Test::Given(_) => None,
    }
}

/// Loads the low 32 bits of an argument: the first four bytes on the architectures that there are.
fn low(argument: u8) -> sock_filter {
    step(LOAD, ARGUMENTS + 8 * u32::from(argument))
}

fn high(argument: u8) -> sock_filter {
    step(LOAD, ARGUMENTS + 8 * u32::from(argument) + 4)
}

fn step(code: u32, k: u32) -> sock_filter {
    branch(code, k, 0, 0)
}

/// Skips `jt` instructions where the comparison with `k` holds, `jf` where it does not.
fn branch(code: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    // The opcodes of classic BPF are at most 0xff.
    sock_filter { code: code as u16, jt, jf, k }
}

#[cfg(test)]
mod tests;
