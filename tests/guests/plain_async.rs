//! A component of WASI 0.3 that does not know packhost: its functions are async, and it waits on an async clock.

wit_bindgen::generate!({
    inline: "
        package demo:plain-async@0.1.0;

        world plain-async {
            import wasi:clocks/monotonic-clock@0.3.0;
            export add: async func(a: s32, b: s32) -> s32;
            export add-later: async func(a: s32, b: s32, milliseconds: u32) -> s32;
            export spin: async func();
        }

        package wasi:clocks@0.3.0 {
            interface monotonic-clock {
                wait-for: async func(how-long: u64);
            }
        }
    ",
    generate_all,
});

use wasi::clocks::monotonic_clock::wait_for;

struct Plain;

impl Guest for Plain {
    async fn add(a: i32, b: i32) -> i32 {
        a.wrapping_add(b)
    }

    async fn add_later(a: i32, b: i32, milliseconds: u32) -> i32 {
        wait_for(u64::from(milliseconds) * 1_000_000).await;
        a.wrapping_add(b)
    }

    async fn spin() {
        let mut turns = 0_u64;
        loop {
            turns = std::hint::black_box(turns.wrapping_add(1));
        }
    }
}

export!(Plain);
