//! The sandbox of one call: had when it is first used, held to the call's grants, left to the next call or ended with it.

mod capture;
mod confinement;
mod leaving;
pub(crate) mod need;
mod refusal;
mod trust;

use std::sync::Arc;
use std::time::Duration;

use packhost_core::{Caller, ErrorCode, Failure, PackName, RunId};
use packhost_manifest::{Grants, Limits, SessionGrant};
use packhost_session_protocol::message::{Confinement, Entry, Exit, Get, List, Put};
use packhost_sessions::link::{Command, Exec, Link, LinkError};
use packhost_sessions::{Chosen, Held, Sessions};
use packhost_workspaces::Workspace;
use serde::Serialize;
use tokio::io::AsyncWriteExt;

pub(crate) use capture::Captured;
pub(crate) use leaving::Way;

use crate::dispatch::workspace;

/// Where the workspace is inside.
pub(crate) const WORKSPACE: &str = "/workspace";
/// The most bytes that go into a program or come out of one for a pack, and of a file, in one request.
pub(crate) const MOST: usize = 16 << 20;
/// The most entries of a directory that are listed for a pack.
const ENTRIES: u32 = 10_000;
/// How often it is looked how much a workspace holds while programs run in it.
const MEASURE: Duration = Duration::from_secs(1);

/// What a call may have of sandboxes.
pub(crate) struct CallSession {
    sessions: Option<Sessions>,
    run: RunId,
    caller: Caller,
    pack: PackName,
    grants: Arc<Grants>,
    limits: Limits,
    workspace: Option<Arc<Workspace>>,
    way: Arc<Way>,
    /// Apart, because most calls have none.
    held: Option<Box<Held>>,
    /// Programs that may still be started.
    left: u32,
    /// A program was cut off, or the sandbox failed: nobody else is to have it.
    spoilt: bool,
    refused: Option<Failure>,
    used: Option<SessionUse>,
}

/// What is said of a call's sandbox in its record and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionUse {
    /// Its id, for the operator.
    pub id: String,
    /// Which backend it became, and why not another.
    #[serde(flatten)]
    pub chosen: Chosen,
    /// Whether an earlier call of the same caller left it.
    pub reused: bool,
    /// Whether it stood ready.
    pub warm: bool,
    /// Programs that were started.
    pub execs: u32,
}

/// Who calls, and with what.
pub(crate) struct Wanted {
    pub(crate) sessions: Option<Sessions>,
    pub(crate) run: RunId,
    pub(crate) caller: Caller,
    pub(crate) pack: PackName,
    pub(crate) grants: Arc<Grants>,
    pub(crate) limits: Limits,
    pub(crate) workspace: Option<Arc<Workspace>>,
    pub(crate) way: Way,
}

/// A program to run, as a pack asks for it.
pub(crate) struct Program {
    pub(crate) argv: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) cwd: Option<String>,
    pub(crate) stdin: Vec<u8>,
    pub(crate) timeout: Option<Duration>,
    /// Bytes of each output that are kept.
    pub(crate) most: usize,
}

/// What came of it.
pub(crate) struct Ran {
    pub(crate) exit: Exit,
    pub(crate) stdout: Captured,
    pub(crate) stderr: Captured,
}

impl CallSession {
    pub(crate) fn new(wanted: Wanted) -> Self {
        let Wanted { sessions, run, caller, pack, grants, limits, workspace, way } = wanted;
        let (way, left) = (Arc::new(way), limits.execs);
        let (held, spoilt, refused, used) = (None, false, None, None);
        Self {
            sessions,
            run,
            caller,
            pack,
            grants,
            limits,
            workspace,
            way,
            held,
            left,
            spoilt,
            refused,
            used,
        }
    }

    /// The first thing that was refused, if something was: the pack itself is told less.
    pub(crate) fn refusal(&self) -> Option<&Failure> {
        self.refused.as_ref()
    }

    /// What is said of it afterwards, where one was had.
    pub(crate) fn used(&self) -> Option<SessionUse> {
        self.used.clone()
    }

    /// The call is over. A sandbox in which all went well is left to the caller's next call, unless something may leave it:
    /// what this call has sent and nobody has taken yet must not go out under the rules of the next.
    pub(crate) fn finish(&mut self) {
        let leaves = self.grants.session.as_ref().is_some_and(|session| !session.http.is_empty());
        if let Some(held) = self.held.take()
            && !self.spoilt
            && !leaves
        {
            held.put_back();
        }
    }

    /// Runs a program to its end. Dropping the future kills it.
    pub(crate) async fn run(&mut self, program: Program) -> Result<Ran, Failure> {
        let ran = self.try_run(program).await;
        self.noted(ran)
    }

    /// Reads at most `most` bytes from the start of a file, by its absolute path.
    pub(crate) async fn read(&mut self, path: &str, most: usize) -> Result<Captured, Failure> {
        let read = self.try_read(path, most.min(MOST)).await;
        self.noted(read)
    }

    /// Writes a file, by its absolute path, with the directories above it.
    pub(crate) async fn write(&mut self, path: &str, data: &[u8], executable: bool) -> Result<(), Failure> {
        let written = self.try_write(path, data, executable).await;
        self.noted(written)
    }

    /// What is below a directory, down to `depth` levels.
    pub(crate) async fn entries(&mut self, path: &str, depth: u32, most: u32) -> Result<Vec<Entry>, Failure> {
        let listed = self.try_entries(path, depth, most.min(ENTRIES)).await;
        self.noted(listed)
    }

    fn noted<T>(&mut self, done: Result<T, Failure>) -> Result<T, Failure> {
        if let Err(failure) = &done
            && refusal::is_beyond_the_pack(failure)
        {
            self.refused.get_or_insert_with(|| failure.clone());
        }
        done
    }

    async fn try_run(&mut self, program: Program) -> Result<Ran, Failure> {
        self.left = self.left.checked_sub(1).ok_or_else(|| refusal::execs(self.limits.execs))?;
        let input = program.stdin.clone();
        let most = program.most.min(MOST);
        let command = self.command(program).await?;
        let link = self.link().await?.clone();
        let full = self.watch();
        // Until it has ended by itself: a call that is cut off here leaves a program, and the sandbox goes with it.
        let before = std::mem::replace(&mut self.spoilt, true);
        let exec = link.exec(command).await.map_err(|error| {
            // Nothing was started.
            self.spoilt = before || !matches!(error, LinkError::Refused(_));
            refusal::link(error)
        })?;
        if let Some(used) = &mut self.used {
            used.execs += 1;
        }
        let ran = tokio::select! {
            ran = to_the_end(exec, input, most) => ran.map_err(refusal::link)?,
            most = full => return Err(workspace::full(most)),
        };
        // What an earlier program of this call has spoilt stays so.
        self.spoilt = before || ran.exit.out_of_memory;
        Ok(ran)
    }

    /// Ready when the workspace holds more than it may; never where there is none.
    fn watch(&self) -> impl Future<Output = u64> + use<> {
        let (workspace, most) = (self.workspace.clone(), self.limits.workspace);
        async move {
            let Some(workspace) = workspace else { return std::future::pending().await };
            loop {
                tokio::time::sleep(MEASURE).await;
                let looked_at = Arc::clone(&workspace);
                let over = tokio::task::spawn_blocking(move || workspace::over(&looked_at, most));
                if over.await.unwrap_or(true) {
                    return most;
                }
            }
        }
    }

    async fn try_read(&mut self, path: &str, most: usize) -> Result<Captured, Failure> {
        refusal::absolute(path)?;
        let confinement = self.confinement().await?;
        let link = self.link().await?.clone();
        let length = Some(u64::try_from(most).unwrap_or(u64::MAX));
        let get = Get { path: path.as_bytes().to_vec().into(), offset: 0, length, confinement };
        let (entry, content) = link.get(get).await.map_err(|error| self.failed(error))?;
        let captured = Captured::first(content, most).await;
        self.spoilt |= captured.is_err();
        let mut captured = captured.map_err(refusal::stream)?;
        captured.total = captured.total.max(entry.size);
        Ok(captured)
    }

    async fn try_write(&mut self, path: &str, data: &[u8], executable: bool) -> Result<(), Failure> {
        refusal::absolute(path)?;
        let confinement = self.confinement().await?;
        let mode = if executable { 0o755 } else { 0o644 };
        let put = Put { path: path.as_bytes().to_vec().into(), mode, parents: true, new: false, confinement };
        let link = self.link().await?.clone();
        link.put(put, data).await.map_err(|error| self.failed(error))
    }

    async fn try_entries(&mut self, path: &str, depth: u32, most: u32) -> Result<Vec<Entry>, Failure> {
        refusal::absolute(path)?;
        let confinement = self.confinement().await?;
        let list = List { path: path.as_bytes().to_vec().into(), depth, most: most.into(), confinement };
        let link = self.link().await?.clone();
        link.list(list).await.map(|listing| listing.entries).map_err(|error| self.failed(error))
    }

    /// What is no refusal is a fault of the sandbox, which nobody else is to have then.
    fn failed(&mut self, error: LinkError) -> Failure {
        self.spoilt |= !matches!(error, LinkError::Refused(_));
        refusal::link(error)
    }

    async fn command(&mut self, program: Program) -> Result<Command, Failure> {
        let Some((first, arguments)) = program.argv.split_first() else {
            return Err(Failure::new(ErrorCode::InvalidInput, "There is no program to run: argv is empty."));
        };
        let cwd = program.cwd.unwrap_or_else(|| self.home().to_owned());
        refusal::absolute(&cwd)?;
        let mut command = Command::new(first.as_str()).args(arguments.iter().map(String::as_str)).cwd(cwd);
        for (name, value) in self.environment(&program.env) {
            command = command.env(name, value);
        }
        if !program.stdin.is_empty() {
            command = command.stdin();
        }
        let limit = program.timeout.unwrap_or(self.limits.time).min(self.limits.time);
        Ok(command.timeout(limit).confinement(self.confinement().await?))
    }

    /// What every program finds, what the manifest sets, and what the pack sets, in this order: the last one counts.
    fn environment(&self, own: &[(String, String)]) -> Vec<(String, String)> {
        let mut all: Vec<(String, String)> = [
            ("PATH", "/usr/local/bin:/usr/bin:/bin"),
            ("HOME", self.scratch_home()),
            ("TMPDIR", "/tmp"),
            ("LANG", "C.UTF-8"),
            // A workspace belongs to whoever the host runs as; git would refuse it for that.
            ("GIT_CONFIG_COUNT", "1"),
            ("GIT_CONFIG_KEY_0", "safe.directory"),
            ("GIT_CONFIG_VALUE_0", "*"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
        let roots = self.way.root().map(|_| trust::VARIABLES).into_iter().flatten();
        all.extend(roots.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let granted = self.grants.session.iter().flat_map(|grant| grant.env.clone());
        for (name, value) in granted.chain(own.iter().cloned()) {
            all.retain(|(known, _)| *known != name);
            all.push((name, value));
        }
        all
    }

    /// Where programs run unless the pack says something else.
    fn home(&self) -> &str {
        if self.workspace.is_some() { WORKSPACE } else { self.scratch_home() }
    }

    fn scratch_home(&self) -> &str {
        let writable = self.grants.session.as_ref().map(|grant| grant.files.read_write.as_slice());
        let first = writable.unwrap_or_default().iter().find(|path| !need::is_of_every_sandbox(path));
        first.map_or("/tmp", String::as_str)
    }

    async fn confinement(&mut self) -> Result<Confinement, Failure> {
        let two_users = self.held().await?.capabilities().two_users;
        self.confined(two_users)
    }

    fn confined(&self, two_users: bool) -> Result<Confinement, Failure> {
        Ok(confinement::of(self.granted()?, &self.limits, self.workspace.is_some(), two_users))
    }

    fn granted(&self) -> Result<&SessionGrant, Failure> {
        self.grants.session.as_ref().ok_or_else(|| refusal::not_granted(&self.pack))
    }

    async fn link(&mut self) -> Result<&Link, Failure> {
        Ok(self.held().await?.link())
    }

    /// The sandbox, had now if it was not before.
    async fn held(&mut self) -> Result<&Held, Failure> {
        if self.held.is_none() {
            let grant = self.granted()?;
            let sessions = self.sessions.clone().ok_or_else(refusal::none_here)?;
            let need = need::of(grant, &self.limits, &self.caller, &self.pack);
            let mut need = need::inside(need, self.workspace.as_deref());
            need.run = Some(self.run);
            let held = sessions.acquire(need).await.map_err(refusal::session)?;
            held.open_gate(Arc::clone(&self.way) as _);
            let (id, chosen) = (held.id().to_string(), held.chosen().clone());
            let (reused, warm) = (held.is_reused(), held.is_warm());
            self.used = Some(SessionUse { id, chosen, reused, warm, execs: 0 });
            if let Some(root) = self.way.root() {
                let confinement = self.confined(held.capabilities().two_users)?;
                trust::install(held.link(), root, confinement).await?;
            }
            self.held = Some(Box::new(held));
        }
        self.held.as_deref().ok_or_else(refusal::none_here)
    }
}

/// Writes the input, reads the outputs, and waits for the end of a program.
async fn to_the_end(mut exec: Exec, input: Vec<u8>, most: usize) -> Result<Ran, LinkError> {
    let (stdin, stdout, stderr) = (exec.stdin(), exec.stdout(), exec.stderr());
    let feed = async move {
        let Some(mut stdin) = stdin else { return };
        // A program that does not read to the end is within its rights.
        let _ = stdin.write_all(&input).await;
        let _ = stdin.shutdown().await;
    };
    let (exit, (), stdout, stderr) =
        tokio::join!(exec.wait(), feed, Captured::ends(stdout, most), Captured::ends(stderr, most));
    Ok(Ran { exit: exit?, stdout, stderr })
}
