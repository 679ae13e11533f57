//! The wall on the running kernel: what a program cannot do behind it, and what it still can. Each test is this program started
//! again as one scene, because a wall holds for good.

mod calls;
mod files;
mod kept;
mod limits;
#[cfg(target_arch = "x86_64")]
mod page;
mod privileges;
mod processes;
mod programs;
mod scene;
mod sockets;

fn main() -> std::process::ExitCode {
    scene::main(&[
        files::SCENES,
        kept::SCENES,
        calls::SCENES,
        privileges::SCENES,
        processes::SCENES,
        sockets::SCENES,
        limits::SCENES,
        programs::SCENES,
        #[cfg(target_arch = "x86_64")]
        page::SCENES,
    ])
}
