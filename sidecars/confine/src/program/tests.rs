//! The program against what seccompiler makes of the same list: one filter for each answer, of which the last that denies wins.

use std::collections::{BTreeMap, BTreeSet};

use seccompiler::{
    SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};

use super::*;
use crate::denials::list;

#[cfg(target_arch = "x86_64")]
const ARCH: TargetArch = TargetArch::x86_64;
#[cfg(target_arch = "aarch64")]
const ARCH: TargetArch = TargetArch::aarch64;

/// The highest number of a call that is tried, above all that the kernel has.
const HIGHEST: u32 = 600;

/// A call as a filter sees it.
struct Call {
    number: u32,
    architecture: u32,
    arguments: [u64; 6],
}

impl Call {
    fn new(number: u32, arguments: [u64; 6]) -> Self {
        Self { number, architecture: OURS, arguments }
    }

    fn word(&self, offset: u32) -> u32 {
        let mut bytes = [0; 64];
        bytes[..4].copy_from_slice(&self.number.to_ne_bytes());
        bytes[4..8].copy_from_slice(&self.architecture.to_ne_bytes());
        for (at, argument) in self.arguments.iter().enumerate() {
            bytes[16 + 8 * at..24 + 8 * at].copy_from_slice(&argument.to_ne_bytes());
        }
        let at = offset as usize;
        u32::from_ne_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
    }
}

/// What a program returns, and after how many instructions.
fn run(program: &[sock_filter], call: &Call) -> (u32, usize) {
    let (mut accumulator, mut at) = (0, 0);
    for steps in 1.. {
        let sock_filter { code, jt, jf, k } = program[at];
        at += 1;
        let holds = match u32::from(code) {
            LOAD => {
                accumulator = call.word(k);
                continue;
            }
            AND => {
                accumulator &= k;
                continue;
            }
            JUMP => {
                at += k as usize;
                continue;
            }
            RETURN => return (k, steps),
            EQUAL => accumulator == k,
            AT_LEAST => accumulator >= k,
            other => panic!("instruction {other:#x}"),
        };
        at += usize::from(if holds { jt } else { jf });
    }
    unreachable!("a program ends")
}

fn by_the_library(answer: Answer) -> BpfProgram {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for denial in list().filter(|denial| denial.answer == answer) {
        let all_of =
            |tests: &&[Test]| SeccompRule::new(tests.iter().map(condition).collect()).expect("tests");
        // No rule at all is the library's word for "whatever the arguments are".
        rules.entry(denial.number).or_default().extend(denial.any_of.iter().map(all_of));
    }
    let action = SeccompAction::Errno(answer.errno().unsigned_abs());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, action, ARCH).expect("a filter");
    filter.try_into().expect("a program")
}

fn condition(test: &Test) -> SeccompCondition {
    use SeccompCmpArgLen::{Dword, Qword};

    let (argument, length, operator, value) = match *test {
        Test::Is(argument, value) => (argument, Dword, SeccompCmpOp::Eq, value),
        Test::IsNot(argument, value) => (argument, Dword, SeccompCmpOp::Ne, value),
        Test::Masked(argument, mask, value) => (argument, Dword, SeccompCmpOp::MaskedEq(mask.into()), value),
        Test::Given(argument) => (argument, Qword, SeccompCmpOp::Ne, 0),
    };
    SeccompCondition::new(argument, length, operator, value.into()).expect("a condition")
}

/// Values of each argument around all that the list asks of a call.
fn around(number: u32) -> [BTreeSet<u64>; 6] {
    let mut all: [BTreeSet<u64>; 6] = Default::default();
    for test in list()
        .filter(|denial| denial.number == i64::from(number))
        .flat_map(|denial| denial.any_of)
        .copied()
        .flatten()
    {
        let (argument, mask, value) = match *test {
            Test::Is(argument, value) | Test::IsNot(argument, value) => (argument, u32::MAX, value),
            Test::Masked(argument, mask, value) => (argument, mask, value),
            Test::Given(argument) => (argument, u32::MAX, 0),
        };
        let (mask, value) = (u64::from(mask), u64::from(value));
        let near = [value, value ^ 1, value | 1 << 31, value | 1 << 32, value | !mask, mask, !mask];
        all[usize::from(argument)].extend(near.into_iter().chain([0, 1, 2, 1 << 32, u64::MAX]));
    }
    all.map(|values| if values.is_empty() { BTreeSet::from([0]) } else { values })
}

fn calls(number: u32) -> Vec<Call> {
    let mut all = vec![[0; 6]];
    for (at, values) in around(number).iter().enumerate() {
        let with = |arguments: &[u64; 6]| {
            let mut arguments = *arguments;
            values
                .iter()
                .map(move |value| {
                    arguments[at] = *value;
                    arguments
                })
                .collect::<Vec<_>>()
        };
        all = all.iter().flat_map(with).collect();
    }
    all.into_iter().map(|arguments| Call::new(number, arguments)).collect()
}

#[test]
fn every_call_meets_what_the_list_says() {
    let program = compile(list()).expect("it compiles");
    let by_the_library = Answer::ALL.map(by_the_library);
    let mut denied = BTreeSet::new();
    for call in (0..HIGHEST).flat_map(calls) {
        // An answer of 0 is an error too, of number 0. Where several deny, the one that was installed last counts.
        let mut answers = by_the_library.iter().map(|filter| run(filter, &call).0);
        let wanted = answers.rfind(|answer| *answer != libc::SECCOMP_RET_ALLOW);
        let (answer, _) = run(&program, &call);
        assert_eq!(
            answer,
            wanted.unwrap_or(libc::SECCOMP_RET_ALLOW),
            "{} {:x?}",
            call.number,
            call.arguments
        );
        if wanted.is_some() {
            denied.insert(i64::from(call.number));
        }
    }
    assert_eq!(denied, list().map(|denial| denial.number).collect());
}

#[test]
fn calls_of_another_architecture_end_the_process() {
    let program = compile(list()).expect("it compiles");
    let of_32_bits = 3 | 0x4000_0000;
    for number in [0, 1, 200, u32::MAX] {
        let call = Call { architecture: of_32_bits, ..Call::new(number, [0; 6]) };
        assert_eq!(run(&program, &call).0, libc::SECCOMP_RET_KILL_PROCESS);
    }
    #[cfg(target_arch = "x86_64")]
    for number in [X32_BIT, X32_BIT | 1, X32_BIT | 512, u32::MAX] {
        assert_eq!(run(&program, &Call::new(number, [0; 6])).0, libc::SECCOMP_RET_KILL_PROCESS);
    }
}

#[test]
fn a_call_that_is_not_in_the_list_is_let_pass_after_a_few_steps() {
    let program = compile(list()).expect("it compiles");
    for number in (0..HIGHEST).filter(|number| list().all(|denial| denial.number != i64::from(*number))) {
        let (answer, steps) = run(&program, &Call::new(number, [u64::MAX; 6]));
        assert_eq!(answer, libc::SECCOMP_RET_ALLOW);
        // The beginning, one or two for each level of a tree over some hundred spans, and the end.
        assert!(steps <= 18, "{number} takes {steps}");
    }
}

/// Installing costs time for each instruction, with every program that is started.
#[test]
fn the_program_is_short() {
    let length = compile(list()).expect("it compiles").len();
    assert!(length <= 500, "it has {length} instructions");
}

#[test]
fn more_tests_than_a_jump_can_skip_are_an_error() {
    const MANY: &[Test] = &[Test::Masked(0, 1, 1); 100];
    let denial = Denial { any_of: &[MANY], ..list().next().expect("it is not empty") };
    assert!(matches!(compile([denial].into_iter()), Err(BackendError::FilterTooLarge(_))));
}

#[test]
fn no_call_is_denied_both_whole_and_by_argument_with_one_answer() {
    // The rules would be for nothing, and a reader would take them for what counts.
    let mut seen: BTreeMap<(i64, i32), bool> = BTreeMap::new();
    for denial in list() {
        let whole = denial.any_of.is_empty();
        let earlier = seen.insert((denial.number, denial.answer.errno()), whole);
        assert!(earlier.is_none_or(|earlier| !earlier && !whole), "{} is twice in the list", denial.call);
    }
}
