//! Taking time, memory, stack and handles.

use std::hint::black_box;
use std::time::Duration;

use guests::Saw;
use wasip2::clocks::monotonic_clock;

pub fn spin() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

pub fn spin_in_host() -> ! {
    loop {
        black_box(monotonic_clock::now());
    }
}

/// In pieces, because Rust makes no allocation beyond 2 GiB.
pub fn grab(bytes: usize) -> String {
    const PIECE: usize = 1 << 20;
    let mut held = Vec::new();
    for _ in 0..bytes.div_ceil(PIECE) {
        held.push(black_box(vec![1_u8; PIECE]));
    }
    format!("{} MiB", held.len())
}

/// A page of WebAssembly memory, in bytes.
const PAGE: usize = 64 << 10;
/// The mark is `HALF ^ OTHER`; as it stands it is in memory only where it was left.
const HALF: u64 = 0x9e37_79b9_7f4a_7c15;
const OTHER: u64 = 0xc2b2_ae3d_27d4_eb4f;

/// One in a page, so that what lies between stays untouched.
pub fn mark(pages: usize) -> String {
    let from = core::arch::wasm32::memory_grow(0, pages) * PAGE;
    for page in 0..pages {
        let place = (from + page * PAGE + (page % 16) * 4096) as *mut u64;
        // SAFETY: within the pages that were just added, which nobody else has, and aligned.
        unsafe { place.write_volatile(black_box(HALF) ^ OTHER) };
    }
    format!("{pages} marks")
}

pub fn find_marks(pages: usize) -> String {
    core::arch::wasm32::memory_grow(0, pages);
    let all = core::arch::wasm32::memory_size(0) * PAGE;
    let marked = |place: &usize| {
        // SAFETY: within memory and aligned; zero is left out.
        let word = unsafe { (*place as *const u64).read_volatile() };
        word ^ black_box(HALF) == OTHER
    };
    format!("{} marks", (8..all).step_by(8).filter(marked).count())
}

/// Neither a loop nor a tail call: what comes back is needed, and the order of the operations with it.
#[inline(never)]
pub fn recurse(depth: u64) -> u64 {
    if black_box(depth) == u64::MAX { 0 } else { recurse(depth + 1).wrapping_mul(31) ^ depth }
}

pub fn out_of_bounds() -> u8 {
    let beyond = black_box(u32::MAX as usize - 8) as *const u8;
    // SAFETY: not safe, and meant so: the host has to catch it.
    unsafe { beyond.read_volatile() }
}

pub fn sleep(milliseconds: u64) -> Saw {
    std::thread::sleep(Duration::from_millis(milliseconds));
    Saw::one("slept")
}

pub fn handles(count: usize) -> String {
    let held: Vec<_> = (0..count).map(|_| monotonic_clock::subscribe_duration(u64::MAX)).collect();
    format!("{} handles", black_box(&held).len())
}
