//! The program in every sandbox.

use std::process::ExitCode;

use dlmalloc::GlobalDlmalloc;

/// musl's own allocator unmaps every larger block that is freed, and the kernel maps and zeroes it anew for the next: most
/// of what a stream through a sandbox would cost.
#[global_allocator]
static ALLOCATOR: GlobalDlmalloc = GlobalDlmalloc;

fn main() -> ExitCode {
    // Those who move files are forked, and allocate.
    // SAFETY: nothing else runs yet, and nobody forks while this is set up.
    unsafe { dlmalloc::enable_alloc_after_fork() };
    packhost_supervisor::run(std::env::args_os().skip(1))
}
