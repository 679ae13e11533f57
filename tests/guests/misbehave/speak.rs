//! Saying too much, in every way that a guest can say something.

use std::io::Write as _;

use guests::Saw;
use packhost_sdk::{log, progress};
use wasip2::cli::environment;

const LINE: &[u8] =
    b"All work and no play makes Jack a dull boy, and the log of the operator a long one....\n";

pub fn stdout(bytes: usize) -> Saw {
    let mut out = std::io::stdout();
    for start in (0..bytes).step_by(LINE.len()) {
        let _ = out.write_all(&LINE[..LINE.len().min(bytes - start)]);
    }
    let _ = out.flush();
    Saw::one(format!("{bytes} bytes"))
}

pub fn stderr(bytes: usize) -> Saw {
    let mut err = std::io::stderr();
    for start in (0..bytes).step_by(1024) {
        let _ = err.write_all(&[b'x'; 1024][..1024.min(bytes - start)]);
    }
    Saw::one(format!("{bytes} bytes"))
}

pub fn log(bytes: usize) -> Saw {
    for start in (0..bytes).step_by(1024) {
        log::info(&"x".repeat(1024.min(bytes - start)));
    }
    Saw::one(format!("{bytes} bytes"))
}

pub fn levels(text: &str) -> Saw {
    use log::Level;
    for level in [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error, Level::Critical] {
        log::write(level, text);
    }
    Saw::one("six levels")
}

pub fn garbage() -> Saw {
    let mut out = std::io::stdout();
    let _ = out.write_all(b"\xff\xfe\x00\x1b[2J\x1b]0;owned\x07\r\nContent-Length: 2\r\n\r\n{}\n");
    let _ = out.flush();
    Saw::one("garbage")
}

pub fn print(line: &str) -> Saw {
    let mut out = std::io::stdout();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
    Saw::one("printed")
}

pub fn progress(times: u64) -> Saw {
    for done in 1..=times {
        progress::report(done as f64, Some(times as f64), Some("working"));
    }
    Saw::one(format!("{times} reports"))
}

pub fn nonsense() -> Saw {
    for done in [f64::NAN, f64::INFINITY, 10.0, 5.0, -1.0, f64::MIN] {
        progress::report(done, Some(f64::NAN), None);
        progress::report(done, Some(-1.0), Some(&"x".repeat(100_000)));
    }
    Saw::one("nonsense")
}

pub fn environment() -> Saw {
    let variables =
        environment::get_environment().into_iter().map(|(name, value)| format!("env {name}={value}"));
    let arguments = environment::get_arguments().into_iter().map(|argument| format!("arg {argument}"));
    let place = environment::initial_cwd().map(|place| format!("cwd {place}"));
    Saw { saw: variables.chain(arguments).chain(place).collect() }
}

pub fn not_utf8() -> String {
    // SAFETY: not safe, and meant so: nothing here reads it, and the host has to notice.
    unsafe { String::from_utf8_unchecked(b"{\"saw\": [\"\xff\xfe\"]}".to_vec()) }
}
