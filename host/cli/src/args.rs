//! The command line.

mod artifacts;
mod audit;
mod callers;
mod keeping;
mod sessions;
mod vault;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use ipnet::IpNet;
use packhost_egress::NameServer;
use tracing_subscriber::EnvFilter;
use url::Url;

pub(crate) use artifacts::{AccessKeySource, Artifacts, InABucket};
pub(crate) use audit::{Audit, ExportRecords, Place as RecordPlace, Query, Tail, Verify};
pub(crate) use callers::{Create, Expiry, Tokens, WhoMayCall};
pub(crate) use keeping::Keeping;
pub(crate) use sessions::{Images, LaunchSandboxes, Sessions, Workspaces};
pub(crate) use vault::{Bind, Bindings, Export, Import, Place, Rm, Rotate, Set, Vault, VaultKey};

const EXIT_CODES: &str = "Exit codes: 0 done · 1 the command failed · 2 wrong command line · 10 to 26 a call ended with an error \
of the closed set (10 invalid_input, 14 capability_denied, 15 egress_denied, 22 timeout, …; the error reference has all).";

/// Runs WebAssembly packs as tools for AI agents: a fresh instance per call, with what the manifest grants and
/// nothing else.
#[derive(Debug, Parser)]
#[command(name = "packhost", version, propagate_version = true, after_help = EXIT_CODES)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// What every verb takes.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Global {
    /// Print JSON for programs instead of text for people
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Keep everything (state, cache, policies, packs) in this directory instead of the XDG directories
    #[arg(long, global = true, value_name = "DIR", env = "PACKHOST_STATE")]
    pub(crate) state: Option<PathBuf>,
    /// A manifest file, or a directory of *.yaml files; repeatable. Without it: `policies/` of the state or
    /// configuration directory, and what ships with the binary
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) policy: Vec<PathBuf>,
    /// A component file, or a directory of *.wasm files, to serve besides the shipped packs; repeatable
    #[arg(long = "packs", global = true, value_name = "PATH")]
    pub(crate) pack_paths: Vec<PathBuf>,
    /// Whether the host gives up what it does not need after start-up (seccomp, Landlock, no-new-privileges)
    #[arg(long, global = true, value_name = "HOW", default_value = "best-effort")]
    pub(crate) walls: Walls,
    /// Where the vault's master key comes from: own (a file in the state directory, made on first use), file:PATH,
    /// systemd[:NAME], env:VARIABLE or command:"PROGRAM ARGUMENTS". It names the place, and is not the key
    #[arg(long, global = true, value_name = "SOURCE", env = "PACKHOST_VAULT_KEY", hide_env_values = true)]
    pub(crate) vault_key: Option<VaultKey>,
    /// A name server to resolve names with, over TLS or HTTPS only, in place of the system's resolver: tls://ADDRESS#NAME or
    /// https://ADDRESS/PATH#NAME, where NAME is the one in its certificate; repeatable, asked in this order
    #[arg(long, global = true, value_name = "SERVER", env = "PACKHOST_DNS", value_delimiter = ',')]
    pub(crate) dns: Vec<NameServer>,
    /// A collector of traces that takes OTLP over HTTP, such as http://127.0.0.1:4318; /v1/traces is added
    #[arg(long, global = true, value_name = "URL", env = "PACKHOST_OTLP_ENDPOINT", hide_env_values = true)]
    pub(crate) otlp_endpoint: Option<Url>,
    /// A network outside of the public internet in which the collector may be, also without TLS, such as 10.1.0.0/16; repeatable.
    /// One on this machine needs none
    #[arg(long, global = true, value_name = "CIDR", requires = "otlp_endpoint")]
    pub(crate) otlp_network: Vec<IpNet>,
    /// The OCI runtime for sandboxes of the Docker Engine, by the engine's name for it, such as runsc (gVisor) or kata; without
    /// it the engine's own choice
    #[arg(long, global = true, value_name = "RUNTIME", env = "PACKHOST_DOCKER_RUNTIME")]
    pub(crate) docker_runtime: Option<String>,
    /// The user namespace mode for sandboxes of the Docker Engine: host goes without; without it the engine's own setting
    #[arg(long, global = true, value_name = "MODE", env = "PACKHOST_DOCKER_USERNS")]
    pub(crate) docker_userns: Option<String>,
    #[command(flatten)]
    pub(crate) artifacts: InABucket,
    /// What to log to stderr: a level, or directives such as `packhost::call=info`
    #[arg(long, global = true, value_name = "FILTER", env = "PACKHOST_LOG", value_parser = filter)]
    pub(crate) log: Option<String>,
}

impl Global {
    /// The options that say which host this is, for the command line of another process: with the same state, manifest,
    /// packs, walls, name servers and bucket, from whatever directory that is started.
    pub(crate) fn again(&self) -> Vec<OsString> {
        let path =
            |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).into_os_string();
        let mut again = Vec::new();
        let mut add = |option: &str, value: OsString| again.extend([option.into(), value]);
        self.state.iter().for_each(|dir| add("--state", path(dir)));
        self.policy.iter().for_each(|root| add("--policy", path(root)));
        self.pack_paths.iter().for_each(|root| add("--packs", path(root)));
        if self.walls != Walls::BestEffort
            && let Some(how) = self.walls.to_possible_value()
        {
            add("--walls", how.get_name().into());
        }
        self.vault_key.iter().for_each(|key| add("--vault-key", key.again()));
        self.dns.iter().for_each(|server| add("--dns", server.to_string().into()));
        self.docker_runtime.iter().for_each(|runtime| add("--docker-runtime", runtime.into()));
        self.docker_userns.iter().for_each(|mode| add("--docker-userns", mode.into()));
        self.artifacts.again().into_iter().for_each(|(option, value)| add(option, value));
        again
    }
}

/// A log filter that can be read; the error says what is wrong with it.
fn filter(text: &str) -> Result<String, String> {
    EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

/// How strict the walls around the host are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Walls {
    /// Do not start where the kernel lacks something
    Required,
    /// Raise what the kernel has
    BestEffort,
    /// None
    Off,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Serve MCP over HTTP
    Serve(Box<Serve>),
    /// Serve MCP over stdin and stdout, for agents that start their tools themselves
    Mcp(Mcp),
    /// Call a pack once and print its answer
    Call(Call),
    /// List packs, or show one
    #[command(subcommand)]
    Packs(Packs),
    /// Check, explain, compare and test what packs may do
    #[command(subcommand)]
    Policy(Policy),
    /// Keep credentials, say where each may be used, and move them; no value is ever shown
    #[command(subcommand)]
    Vault(Vault),
    /// Make tokens for those who may call over HTTP, list them, take them back
    #[command(subcommand)]
    Tokens(Tokens),
    /// Verify, search, follow and export the record of what packs and operators did
    #[command(subcommand)]
    Audit(Audit),
    /// List sandboxes, look into one, end them
    #[command(subcommand)]
    Sessions(Sessions),
    /// List workspaces and remove them
    #[command(subcommand)]
    Workspaces(Workspaces),
    /// List what calls have made, get it, check it against what was signed, remove it
    #[command(subcommand)]
    Artifacts(Artifacts),
    /// Build the images that sandboxes are made of
    #[command(subcommand)]
    Images(Images),
    /// Make sandboxes for the host that started this; never called by a person
    #[command(hide = true)]
    LaunchSandboxes(LaunchSandboxes),
    /// Look at this machine: what is in force, what is missing, and how to fix it
    Doctor,
    /// Start a host, connect to it as an MCP client, and show calls being answered, mended and denied
    Demo(Demo),
    /// Print how to connect an agent to this binary
    Connect(Connect),
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
}

/// `packhost serve`
#[derive(Debug, ClapArgs)]
pub(crate) struct Serve {
    /// Where to listen. Anything but loopback needs a token
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8808")]
    pub(crate) listen: SocketAddr,
    /// The certificate that clients see, and those that lead to a root, in PEM: the listener speaks TLS, and reads both files again
    /// when they change
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Its private key, in PEM and not encrypted
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// A host name that clients may use in the Host header besides loopback's; repeatable
    #[arg(long, value_name = "NAME")]
    pub(crate) allow_host: Vec<String>,
    /// An origin that browsers may send, such as https://app.example.com; repeatable
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) allow_origin: Vec<String>,
    /// Where a proxy is that may say for whom a request is (X-Forwarded-For), such as 10.1.0.0/16; repeatable. From anywhere else
    /// that header counts for nothing
    #[arg(long, value_name = "CIDR")]
    pub(crate) trusted_proxy: Vec<IpNet>,
    /// Seconds that running calls get to finish after SIGTERM
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub(crate) drain: u64,
    /// Seconds from SIGTERM on in which everything goes on and only /readyz says that the host is about to stop, so that a
    /// load balancer can look elsewhere
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub(crate) notice: u64,
    #[command(flatten)]
    pub(crate) bounds: Bounds,
    #[command(flatten)]
    pub(crate) who: WhoMayCall,
}

/// `packhost mcp`
#[derive(Debug, ClapArgs)]
pub(crate) struct Mcp {
    #[command(flatten)]
    pub(crate) bounds: Bounds,
}

/// Bounds of the engine.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Bounds {
    /// Calls that run at once
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) calls: u32,
    /// Calls that may wait for a place
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub(crate) queue: u32,
    /// Calls of one caller that run at once
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) calls_per_caller: u32,
    /// Threads that run packs; 0 means one per core
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) guest_threads: usize,
    #[command(flatten)]
    pub(crate) keeping: Keeping,
}

/// `packhost call`
#[derive(Debug, ClapArgs)]
pub(crate) struct Call {
    /// The pack, such as text.stats
    pub(crate) pack: String,
    /// The input as JSON, `@file` to read it from a file, `-` to read it from stdin
    #[arg(default_value = "{}")]
    pub(crate) input: String,
}

/// `packhost packs`
#[derive(Debug, Subcommand)]
pub(crate) enum Packs {
    /// List the packs that are served, and those that are not and why
    List,
    /// Show one pack: what it takes, what it answers, what it asks for
    Show {
        /// The pack
        pack: String,
    },
    /// Compile every pack that is served, now, so that no first call waits for it
    Compile,
}

/// `packhost policy`
#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// Check manifest files and say where they are wrong
    Check {
        /// Files or directories; without any, those in force
        paths: Vec<PathBuf>,
    },
    /// Say in sentences what a pack asks for, what it may do, and which line says so
    Explain {
        /// The pack
        pack: String,
    },
    /// Say what an edit would give and take
    Diff {
        /// The manifest as it is: a file or a directory
        old: PathBuf,
        /// The manifest as it would be
        new: PathBuf,
    },
    /// Run the yes/no cases of a file against the manifest
    Test {
        /// The file with the cases
        cases: PathBuf,
    },
    /// Show what a pack was denied, and the edit of the manifest that would allow it
    Suggest {
        /// The pack
        pack: String,
        /// Make the edit
        #[arg(long)]
        write: bool,
    },
    /// Print the JSON Schema of manifest files, for editors
    Schema,
}

/// `packhost demo`
#[derive(Debug, ClapArgs)]
pub(crate) struct Demo {}

/// `packhost connect`
#[derive(Debug, ClapArgs)]
pub(crate) struct Connect {
    /// Which agent
    pub(crate) agent: Agent,
}

/// Agents that we know how to connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Agent {
    /// Claude Code
    ClaudeCode,
    /// Cursor
    Cursor,
    /// Visual Studio Code
    Vscode,
    /// Codex CLI
    Codex,
    /// Gemini CLI
    Gemini,
    /// opencode
    Opencode,
    /// Any other MCP client
    Generic,
}
