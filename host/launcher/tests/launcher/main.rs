//! Real sandboxes, made by a real launcher in a process of its own: a copy of this one.

mod grants;
mod inside;
mod lifecycle;
mod limits;
mod packets;
mod scene;
mod side_by_side;
mod user;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    if let Ok(home) = std::env::var(scene::ROLE) {
        return scene::be_launcher(&home);
    }
    let arguments = Arguments::from_args();
    // What root can do only root can try.
    let root =
        std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    let trials = [
        inside::trials(),
        limits::trials(),
        lifecycle::trials(),
        side_by_side::trials(),
        packets::trials(),
        grants::trials(),
        user::trials(),
    ];
    let trials = trials.into_iter().flatten().map(|trial| trial.with_ignored_flag(!root)).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// A test that is a future.
fn trial<F: Future<Output = ()>>(name: &str, test: impl FnOnce() -> F + Send + 'static) -> Trial {
    Trial::test(name, || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(test());
        Ok(())
    })
}

/// Tests by the names of their functions.
macro_rules! trials {
    ($($name:ident),+ $(,)?) => {
        pub(crate) fn trials() -> Vec<libtest_mimic::Trial> {
            vec![$(crate::trial(concat!(module_path!(), "::", stringify!($name)), $name)),+]
        }
    };
}
pub(crate) use trials;
