//! Scenes, how they are started, and the house that they play in.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};

use libtest_mimic::{Arguments, Failed, Trial};
use packhost_confine::{Wall, landlock_abi};
use packhost_session_protocol::message::{Confinement, Rlimits, User};
use tempfile::TempDir;

/// Set for the started-again program: the name of its scene, and its house.
const SCENE: &str = "CONFINE_SCENE";
const HOUSE: &str = "CONFINE_HOUSE";

/// As whom a scene plays when the tests run as root.
pub(crate) const USER: User = User { uid: 1000, gid: 1000 };

/// What a scene returns; any error or panic fails its test.
pub(crate) type Outcome = Result<(), Box<dyn std::error::Error>>;

pub(crate) struct Scene {
    name: &'static str,
    run: fn(&House) -> Outcome,
    /// The signal that must end it, where it must not return.
    signal: Option<i32>,
    /// Without this Landlock ABI there is nothing to test.
    abi: u32,
    /// Without this program there is nothing to test.
    program: Option<&'static str>,
    /// Whether only root can set the scene.
    root: bool,
}

pub(crate) const fn scene(name: &'static str, run: fn(&House) -> Outcome) -> Scene {
    Scene { name, run, signal: None, abi: 3, program: None, root: false }
}

impl Scene {
    pub(crate) const fn ended_by(self, signal: i32) -> Self {
        Self { signal: Some(signal), ..self }
    }

    pub(crate) const fn since(self, abi: u32) -> Self {
        Self { abi, ..self }
    }

    pub(crate) const fn with(self, program: &'static str) -> Self {
        Self { program: Some(program), ..self }
    }

    pub(crate) const fn for_root(self) -> Self {
        Self { root: true, ..self }
    }

    fn can_play(&self) -> bool {
        landlock_abi() >= self.abi
            && self.program.is_none_or(|program| Path::new(program).exists())
            && (!self.root || is_root())
    }
}

pub(crate) fn main(scenes: &'static [&'static [Scene]]) -> ExitCode {
    let mut scenes = scenes.iter().copied().flatten();
    if let (Ok(name), Some(root)) = (std::env::var(SCENE), std::env::var_os(HOUSE)) {
        let Some(scene) = scenes.find(|scene| scene.name == name) else {
            eprintln!("no scene {name}");
            return ExitCode::FAILURE;
        };
        return match (scene.run)(&House::at(Path::new(&root))) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        };
    }
    let trials = scenes
        .map(|scene| Trial::test(scene.name, || start(scene)).with_ignored_flag(!scene.can_play()))
        .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn start(scene: &Scene) -> Result<(), Failed> {
    let root = TempDir::new()?;
    House::build(root.path())?;
    let output = Command::new(std::env::current_exe()?)
        .env(SCENE, scene.name)
        .env(HOUSE, root.path())
        .stdin(Stdio::null())
        .output()?;
    let as_wanted = match scene.signal {
        Some(_) => output.status.signal() == scene.signal,
        None => output.status.success(),
    };
    if as_wanted {
        return Ok(());
    }
    Err(format!("{}\n{}", output.status, String::from_utf8_lossy(&output.stderr)).into())
}

/// Three directories, readable, writable and outside, all of the user's own, so that nothing but the wall keeps it out; each
/// with a file `f`. Built and taken down by the test, which is not confined.
pub(crate) struct House {
    pub(crate) read: PathBuf,
    pub(crate) write: PathBuf,
    pub(crate) outside: PathBuf,
}

impl House {
    fn at(root: &Path) -> Self {
        Self { read: root.join("read"), write: root.join("write"), outside: root.join("outside") }
    }

    fn build(root: &Path) -> io::Result<()> {
        fs::set_permissions(root, fs::Permissions::from_mode(0o755))?;
        for room in ["read", "write", "outside"] {
            fs::create_dir(root.join(room))?;
            fs::write(root.join(room).join("f"), room)?;
            if is_root() {
                chown(root.join(room), Some(USER.uid), Some(USER.gid))?;
                chown(root.join(room).join("f"), Some(USER.uid), Some(USER.gid))?;
            }
        }
        Ok(())
    }

    pub(crate) fn confinement(&self) -> Confinement {
        let bytes = |path: &Path| path.as_os_str().as_bytes().to_vec().into();
        Confinement {
            user: is_root().then_some(USER),
            read_only: [
                Path::new("/usr"),
                Path::new("/lib"),
                Path::new("/lib64"),
                Path::new("/etc/ssl"),
                &self.read,
            ]
            .map(bytes)
            .to_vec(),
            read_write: vec![bytes(&self.write)],
            rlimits: Rlimits::default(),
            required: true,
            landlock_abi: 1,
            plain: Vec::new(),
        }
    }

    /// Raises the wall around this process and works in the writable directory from now on.
    pub(crate) fn confine(&self) -> Outcome {
        confine(&self.confinement())?;
        Ok(std::env::set_current_dir(&self.write)?)
    }
}

pub(crate) fn confine(confinement: &Confinement) -> Outcome {
    Ok(Wall::prepare(confinement)?.raise()?)
}

/// Runs a program with almost no environment, in the current directory.
pub(crate) fn run(program: &str, arguments: &[&str]) -> io::Result<Output> {
    Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("TMPDIR", ".")
        .env("HOME", ".")
        .stdin(Stdio::null())
        .output()
}

/// Runs a program that must succeed, and returns what it printed.
pub(crate) fn works(program: &str, arguments: &[&str]) -> io::Result<String> {
    let output = run(program, arguments)?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {}\n{said}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[track_caller]
pub(crate) fn denied<T>(with: i32, answer: io::Result<T>) {
    match answer {
        Ok(_) => panic!("was not denied"),
        Err(error) => assert_eq!(error.raw_os_error(), Some(with), "{error}"),
    }
}

/// A raw system call. Pointers among the arguments are null or live through the call.
pub(crate) fn call(number: i64, arguments: [i64; 6]) -> io::Result<i64> {
    let [a, b, c, d, e, f] = arguments;
    // SAFETY: see above; none of the calls that the tests make writes to memory of this process that Rust knows.
    match unsafe { libc::syscall(number, a, b, c, d, e, f) } {
        -1 => Err(io::Error::last_os_error()),
        answer => Ok(answer),
    }
}

/// Arguments of a raw call, the rest of them 0.
pub(crate) fn with<const N: usize>(arguments: [i64; N]) -> [i64; 6] {
    std::array::from_fn(|at| arguments.get(at).copied().unwrap_or(0))
}

pub(crate) fn c_path(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).expect("paths of the tests have no NUL")
}
