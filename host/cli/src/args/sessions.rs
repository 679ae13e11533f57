//! The command lines of sandboxes, workspaces and images.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};
use packhost_sessions::SandboxId;
use packhost_workspaces::WorkspaceName;

/// `packhost sessions`
#[derive(Debug, Subcommand)]
pub(crate) enum Sessions {
    /// List the sandboxes of this host
    Ls,
    /// Show one: whose it is, what runs in it, what it uses
    Show {
        /// The sandbox, as `ls` names it
        id: SandboxId,
    },
    /// Run a program in one, as its user, beside whatever runs there
    Exec {
        /// The sandbox, as `ls` names it
        id: SandboxId,
        /// The program and its arguments
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Print what was written about one by its supervisor and its backend
    Logs {
        /// The sandbox, as `ls` names it
        id: SandboxId,
    },
    /// End sandboxes, whoever uses them
    Rm {
        /// The sandboxes, as `ls` names them
        #[arg(required_unless_present = "all")]
        ids: Vec<SandboxId>,
        /// All of this host
        #[arg(long, conflicts_with = "ids")]
        all: bool,
    },
    /// End what no process of this host answers for any more
    Gc,
}

/// `packhost workspaces`
#[derive(Debug, Subcommand)]
pub(crate) enum Workspaces {
    /// List the workspaces of this host
    Ls,
    /// Remove workspaces with everything in them
    Rm {
        /// The workspaces, as `ls` names them
        #[arg(required = true)]
        names: Vec<WorkspaceName>,
    },
    /// Remove those that nobody has used for a day
    Gc,
}

/// `packhost images`
#[derive(Debug, Subcommand)]
pub(crate) enum Images {
    /// List the images that can be built, and those that are there
    Ls,
    /// Build an image from Debian packages, for the process backend and for Docker where it runs
    Build {
        /// Which, such as python
        name: String,
    },
}

/// `packhost launch-sandboxes`
#[derive(Debug, ClapArgs)]
pub(crate) struct LaunchSandboxes {
    /// The host that it serves
    #[arg(long)]
    pub(crate) host: String,
    /// Where it keeps what it knows of its sandboxes
    #[arg(long)]
    pub(crate) records: PathBuf,
    /// Where images are unpacked
    #[arg(long)]
    pub(crate) images: PathBuf,
    /// What sandboxes may be made of
    #[arg(long)]
    pub(crate) readable: Vec<PathBuf>,
    /// What may be mounted in them
    #[arg(long)]
    pub(crate) mountable: Vec<PathBuf>,
}
