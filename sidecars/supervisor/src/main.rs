//! The program in every sandbox.

use std::process::ExitCode;

fn main() -> ExitCode {
    packhost_supervisor::run(std::env::args_os().skip(1))
}
