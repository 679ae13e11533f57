//! The written list of what a program in a sandbox may not ask of the kernel, each entry with its reason.
//!
//! A list of what is denied, not of what is allowed: a sandbox runs any program, and the next interpreter or C library makes
//! calls that no list of today has. What a call needs a capability for is refused by the kernel already; it is here all the same
//! where a hole in the kernel's own check has been, or would be, a way out.
//!
//! Left out on purpose: `memfd_create`, which runtimes need; it lets a program run what lies in no granted file, but whoever may
//! read a file may have an interpreter run it. `seccomp`, `landlock_*` and `prctl`, with which programs confine themselves
//! further. `setuid` and its kin, which without capabilities reach nobody else. `inotify`, `name_to_handle_at` and
//! `pidfd_open`, which tell nothing that paths and process numbers do not.

mod files;
mod machine;
mod processes;
mod sockets;

/// What a denied call meets. Never the end of the process: a program that tries and does without should go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
    /// Success, and nothing happens: what the caller wants is so already.
    Ignored,
    /// `EPROTONOSUPPORT`: the caller takes the kernel for one without this protocol.
    Eprotonosupport,
    /// `EAFNOSUPPORT`: the caller takes the kernel for one without this family of sockets.
    Eafnosupport,
    /// `ENOSYS`: the caller takes the kernel for one without this call, and uses an older one or none.
    Enosys,
    /// `EPERM`: the caller may not.
    Eperm,
}

impl Answer {
    /// Later ones win where several match.
    pub(crate) const ALL: [Self; 5] =
        [Self::Ignored, Self::Eprotonosupport, Self::Eafnosupport, Self::Enosys, Self::Eperm];

    /// The error's number (errno(3)); 0 for none.
    pub const fn errno(self) -> i32 {
        match self {
            Self::Ignored => 0,
            Self::Eprotonosupport => libc::EPROTONOSUPPORT,
            Self::Eafnosupport => libc::EAFNOSUPPORT,
            Self::Enosys => libc::ENOSYS,
            Self::Eperm => libc::EPERM,
        }
    }

    /// The error's name; `0` for none.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ignored => "0",
            Self::Eprotonosupport => "EPROTONOSUPPORT",
            Self::Eafnosupport => "EAFNOSUPPORT",
            Self::Enosys => "ENOSYS",
            Self::Eperm => "EPERM",
        }
    }
}

/// One system call that is denied, whole or by its arguments.
#[derive(Debug, Clone, Copy)]
pub struct Denial {
    /// The call's name in the kernel.
    pub call: &'static str,
    /// The call's number on this architecture.
    pub number: i64,
    /// With which arguments, in words; empty for whatever they are.
    pub when: &'static str,
    /// What a caller meets.
    pub answer: Answer,
    /// Why programs do without it: a sentence.
    pub reason: &'static str,
    /// The same as `when`, for the filter: any of these, each of which is all of its tests.
    pub(crate) any_of: &'static [&'static [Test]],
}

/// A test of one argument, counted from 0. Numbers are compared as 32 bits: the kernel reads all of these arguments so and
/// ignores what is above.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Test {
    /// It is this number.
    Is(u8, u32),
    /// It is not.
    IsNot(u8, u32),
    /// It is the last number in the bits of the first.
    Masked(u8, u32, u32),
    /// It is a pointer, all 64 bits of it, and not null.
    Given(u8),
}

impl Test {
    /// A flag is set.
    const fn has(argument: u8, flag: u32) -> Self {
        Self::Masked(argument, flag, flag)
    }
}

impl Denial {
    const fn eperm(call: &'static str, number: i64, reason: &'static str) -> Self {
        Self { call, number, when: "", answer: Answer::Eperm, reason, any_of: &[] }
    }

    const fn enosys(call: &'static str, number: i64, reason: &'static str) -> Self {
        Self { answer: Answer::Enosys, ..Self::eperm(call, number, reason) }
    }

    const fn when(self, when: &'static str, any_of: &'static [&'static [Test]]) -> Self {
        Self { when, any_of, ..self }
    }

    const fn answered(self, answer: Answer) -> Self {
        Self { answer, ..self }
    }
}

/// Every denial on this architecture. Besides, a call by the entry points of another architecture (32-bit, x32) ends the
/// process with `SIGSYS`: the list knows calls by their numbers, and there they have others.
pub fn list() -> impl Iterator<Item = Denial> {
    let all =
        [machine::DENIALS, machine::HERE, files::DENIALS, files::HERE, processes::DENIALS, sockets::DENIALS];
    all.into_iter().flatten().copied()
}
