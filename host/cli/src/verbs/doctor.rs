//! `packhost doctor`: what this machine has, what is in force, and what to do about the rest.

use packhost_manifest::Manifest;
use packhost_sessions::{Health, SessionRuntime};
use packhost_walls::Requirement;
use serde::Serialize;
use tokio::runtime::Builder;

use crate::args::Global;
use crate::dirs::Dirs;
use crate::exit::Error;
use crate::output::{BAD, BOLD, GOOD, NOTE, Output, println};
use crate::policies::Loaded;
use crate::{artifacts, policies, sessions, walls};

#[derive(Serialize)]
struct Report {
    version: &'static str,
    checks: Vec<Check>,
    walls: packhost_walls::Status,
}

#[derive(Serialize)]
struct Check {
    what: &'static str,
    state: State,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Good,
    /// It works, and costs time.
    Slow,
    /// It works, with less protection than it could have.
    Weak,
    Bad,
}

pub(crate) fn run(global: &Global, output: Output) -> Result<(), Error> {
    let dirs = Dirs::of(global)?;
    walls::make_dirs(global, &dirs)?;
    let mut checks = vec![state_dir(&dirs), store(global, &dirs), swap(), maps()];
    let manifest = policies::load(global, &dirs);
    checks.push(match &manifest {
        Ok(loaded) => good("manifest", described(loaded)),
        Err(error) => Check {
            what: "manifest",
            state: State::Bad,
            found: error.to_string(),
            fix: Some("`packhost policy check` shows every error with its line".into()),
        },
    });
    if let Ok(loaded) = &manifest {
        checks.extend(sandboxes(global, &dirs, &loaded.manifest));
        checks.extend(raised(global, &dirs, &loaded.manifest));
    }
    let walls = packhost_walls::status().map_err(|error| Error::failed(error.to_string()))?;
    let report = Report { version: env!("CARGO_PKG_VERSION"), checks, walls };
    output.answer(&report, || print(&report));
    let bad = report.checks.iter().any(|check| check.state == State::Bad);
    if bad { Err(Error::Said) } else { Ok(()) }
}

fn print(report: &Report) {
    println!("{BOLD}packhost {}{BOLD:#}", report.version);
    for check in &report.checks {
        let mark = match check.state {
            State::Good => format!("{GOOD}ok{GOOD:#}  "),
            State::Slow => format!("{NOTE}slow{NOTE:#}"),
            State::Weak => format!("{NOTE}weak{NOTE:#}"),
            State::Bad => format!("{BAD}bad{BAD:#} "),
        };
        println!("  {mark}  {:10}  {}", check.what, check.found);
        if let Some(fix) = &check.fix {
            println!("                    {fix}");
        }
    }
}

fn good(what: &'static str, found: String) -> Check {
    Check { what, state: State::Good, found, fix: None }
}

fn described(loaded: &Loaded) -> String {
    let (revision, entries) = (loaded.manifest.revision(), loaded.manifest.entries().count());
    let from = match loaded.files {
        0 => "no file of yours".into(),
        1 => "1 file of yours".into(),
        files => format!("{files} files of yours"),
    };
    format!("revision {revision}, {entries} packs have an entry, {from}")
}

/// Asks every backend that the manifest names. Leaves no thread behind: the walls go up next.
fn sandboxes(global: &Global, dirs: &Dirs, manifest: &Manifest) -> Vec<Check> {
    let wanted = sessions::wanted(manifest);
    let asked = sessions::prepare(global, dirs, &wanted).and_then(|makers| {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::failed(format!("no threads: {error}")))?;
        runtime.block_on(async {
            let Some(makers) = makers else { return Ok(Vec::new()) };
            let mut checks = Vec::new();
            let sessions = makers.sessions(None)?;
            let mut healthy = Vec::new();
            for backend in sessions.runtimes() {
                healthy.push(matches!(backend.health().await, Health::Healthy(_)));
            }
            let usable = |name: &str| {
                sessions
                    .runtimes()
                    .iter()
                    .zip(&healthy)
                    .any(|(one, healthy)| *healthy && one.backend().as_str() == name)
            };
            for backend in sessions.runtimes() {
                let needed = needs(manifest, backend.backend().as_str(), usable);
                checks.extend(backend_checks(backend.as_ref(), needed).await);
            }
            Ok(checks)
        })
    });
    asked.unwrap_or_else(|error| {
        vec![Check { what: "sandboxes", state: State::Bad, found: error.to_string(), fix: None }]
    })
}

/// Whether an entry names this backend, and none that can be used.
fn needs(manifest: &Manifest, backend: &str, usable: impl Fn(&str) -> bool) -> bool {
    let sessions =
        manifest.entries().filter(|entry| !entry.denied).filter_map(|entry| entry.session.as_ref());
    sessions
        .map(|session| &session.on)
        .any(|on| on.iter().any(|one| one.as_str() == backend) && !on.iter().any(|one| usable(one.as_str())))
}

/// Whether a backend can be used, and what it cannot hold here. One that is away is no fault where no entry needs it.
async fn backend_checks(backend: &dyn SessionRuntime, needed: bool) -> Vec<Check> {
    let what = backend.backend().as_str();
    let mut checks = vec![match backend.health().await {
        Health::Healthy(found) => good(what, found),
        Health::Unhealthy(found) if needed => Check { what, state: State::Bad, found, fix: None },
        Health::Unhealthy(found) => {
            return vec![good(what, format!("not here, and no entry needs it: {found}"))];
        }
    }];
    let lacking = backend.capabilities().lacking;
    checks.extend(lacking.into_iter().map(|found| Check { what, state: State::Weak, found, fix: None }));
    checks
}

/// Raises the walls in this process, which ends right after: what holds here holds for `serve`.
fn raised(global: &Global, dirs: &Dirs, manifest: &Manifest) -> Vec<Check> {
    let (in_force, _) = match walls::up(global, dirs, manifest, sessions::Wanted::default(), Vec::new()) {
        Ok(raised) => raised,
        Err(error) => {
            let fix = Some("--walls best-effort starts with what the kernel has".into());
            let fix = fix.filter(|_| walls::requirement(global) == Requirement::Required);
            return vec![Check { what: "walls", state: State::Bad, found: error.to_string(), fix }];
        }
    };
    let line = in_force.to_string();
    let found = line.strip_prefix("walls: ").unwrap_or(&line).to_owned();
    if walls::requirement(global) == Requirement::Off {
        let fix = Some("leave out --walls off".into());
        return vec![Check { what: "walls", state: State::Bad, found, fix }];
    }
    if in_force.lacking.is_empty() {
        return vec![good("walls", found)];
    }
    let lacks = in_force.lacking.iter().map(|lack| Check {
        what: "walls",
        state: State::Weak,
        found: lack.what.clone(),
        fix: Some(lack.fix.into()),
    });
    [Check { what: "walls", state: State::Weak, found, fix: None }].into_iter().chain(lacks).collect()
}

fn state_dir(dirs: &Dirs) -> Check {
    use std::os::unix::fs::PermissionsExt;
    let found = dirs.show(&dirs.state);
    match std::fs::metadata(&dirs.state) {
        Ok(meta) if meta.permissions().mode() & 0o077 == 0 => good("state", found),
        Ok(_) => Check {
            what: "state",
            state: State::Slow,
            found: format!("{found} is open to other users: compiled packs are not kept there"),
            fix: Some(format!("chmod 700 {}", dirs.state.display())),
        },
        Err(error) => {
            Check { what: "state", state: State::Bad, found: format!("{found}: {error}"), fix: None }
        }
    }
}

/// Where artifacts are kept, and whether what is needed for that is here. Nothing is sent.
fn store(global: &Global, dirs: &Dirs) -> Check {
    match artifacts::store(global, dirs) {
        Ok(store) => good("artifacts", format!("kept in {store}")),
        Err(error) => Check { what: "artifacts", state: State::Bad, found: error.to_string(), fix: None },
    }
}

fn swap() -> Check {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total =
        text.lines().find_map(|line| line.strip_prefix("SwapTotal:")).map(str::trim).unwrap_or("unknown");
    if total == "0 kB" {
        return good("swap", "none: instances are reset by page map".into());
    }
    Check {
        what: "swap",
        state: State::Slow,
        found: format!("{total}: instances are reset without the page map"),
        fix: Some(
            "run the host where swap is off (for example `MemorySwapMax=0` and no swap on the machine)"
                .into(),
        ),
    }
}

/// A pool of 10,000 instances takes about 60,000 mappings.
fn maps() -> Check {
    let path = "/proc/sys/vm/max_map_count";
    let count = std::fs::read_to_string(path).ok().and_then(|text| text.trim().parse::<u64>().ok());
    match count {
        Some(count) => good("mappings", format!("{count}: room for about {} live instances", count / 6)),
        None => {
            Check { what: "mappings", state: State::Slow, found: format!("{path} cannot be read"), fix: None }
        }
    }
}
