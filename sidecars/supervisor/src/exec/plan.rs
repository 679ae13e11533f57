//! What a program is started with, checked and brought into the form that the kernel takes.

use std::ffi::CString;

use minicbor::bytes::ByteVec;
use packhost_confine::{Wall, Walls};
use packhost_session_protocol::limits;
use packhost_session_protocol::message::{Fault, Refusal, Start};

/// Where programs are looked for when the environment has no `PATH`.
const PATH: &[u8] = b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What a program is started with.
pub(super) struct Plan {
    /// The files that may be it, in the order in which they are tried.
    pub(super) candidates: Vec<CString>,
    /// Its arguments, its name first.
    pub(super) argv: Vec<CString>,
    /// Its environment.
    pub(super) env: Vec<CString>,
    /// Its working directory.
    pub(super) cwd: CString,
    /// What holds it.
    pub(super) wall: Wall,
}

/// Checks what the host asks for.
pub(super) fn plan(start: &Start, proxy_port: Option<u16>, walls: &mut Walls) -> Result<Plan, Refusal> {
    let Some(program) = start.argv.first().filter(|program| !program.is_empty()) else {
        return Err(malformed("a program needs a name: the first of its arguments"));
    };
    if start.argv.len() > limits::LIST || start.env.len() > limits::LIST {
        return Err(malformed("more arguments or variables than one message may have"));
    }
    if start.cwd.first() != Some(&b'/') || start.cwd.len() >= limits::PATH {
        return Err(malformed("the working directory has to be an absolute path"));
    }
    if let Some(bad) =
        start.env.iter().find(|variable| variable.iter().position(|byte| *byte == b'=') < Some(1))
    {
        return Err(malformed(format!("{:?} is not NAME=value", String::from_utf8_lossy(bad))));
    }
    let mut env = texts(&start.env)?;
    if let Some(port) = proxy_port {
        add_proxy(&mut env, port)?;
    }
    let path = value(&start.env, b"PATH").unwrap_or(PATH);
    Ok(Plan {
        candidates: candidates(program, path)?,
        argv: texts(&start.argv)?,
        env,
        cwd: text(&start.cwd)?,
        wall: walls
            .prepare(&start.confinement)
            .map_err(|error| Refusal::new(Fault::NotConfined, error.to_string()))?,
    })
}

/// As execvp(3) finds a program, but that nothing is looked for in the current directory unless `PATH` names it.
fn candidates(program: &[u8], path: &[u8]) -> Result<Vec<CString>, Refusal> {
    if program.contains(&b'/') {
        return Ok(vec![text(program)?]);
    }
    let directories = path.split(|byte| *byte == b':').filter(|directory| !directory.is_empty());
    directories
        .take(limits::LIST)
        .map(|directory| text(&[directory, b"/".as_slice(), program].concat()))
        .collect()
}

/// The variables that tell programs where the proxy is, unless they are told something else already.
fn add_proxy(env: &mut Vec<CString>, port: u16) -> Result<(), Refusal> {
    let (http, socks) = (format!("http://127.0.0.1:{port}"), format!("socks5h://127.0.0.1:{port}"));
    let local = "localhost,127.0.0.1,::1".to_owned();
    for (name, value) in
        [("HTTP_PROXY", &http), ("HTTPS_PROXY", &http), ("ALL_PROXY", &socks), ("NO_PROXY", &local)]
    {
        for name in [name.to_owned(), name.to_ascii_lowercase()] {
            let start = format!("{name}=");
            if !env.iter().any(|variable| variable.as_bytes().starts_with(start.as_bytes())) {
                env.push(text(format!("{start}{value}").as_bytes())?);
            }
        }
    }
    Ok(())
}

fn value<'e>(env: &'e [ByteVec], name: &[u8]) -> Option<&'e [u8]> {
    env.iter().find_map(|variable| variable.strip_prefix(name)?.strip_prefix(b"="))
}

fn texts(all: &[ByteVec]) -> Result<Vec<CString>, Refusal> {
    all.iter().map(|bytes| text(bytes)).collect()
}

fn text(bytes: &[u8]) -> Result<CString, Refusal> {
    CString::new(bytes).map_err(|_| malformed("no argument, variable or path may have a NUL byte"))
}

fn malformed(message: impl Into<String>) -> Refusal {
    Refusal::new(Fault::Malformed, message)
}
