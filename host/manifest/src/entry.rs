//! What one pack may do, and what one call of it may do.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use packhost_core::{Caller, Groups, Identity, PackName};
use serde::Serialize;
use serde_json::Value;

use crate::fs::{FsGrant, FsRule};
use crate::http::{HttpGrants, HttpRule};
use crate::limits::Limits;
use crate::narrow::Narrowing;
use crate::place::Place;
use crate::session::{CommandPack, Session, SessionGrant};

/// The entry of one pack. An entry that grants nothing still lets the pack run: it may compute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The pack.
    pub pack: PackName,
    /// `deny: true`: nobody may call the pack, and nothing else in the entry counts. [`Entry::narrow`] grants nothing.
    pub denied: bool,
    /// Outgoing requests.
    pub http: Vec<HttpRule>,
    /// `report: true`: a request that no rule of `http` allows goes out all the same, and is recorded as one that would
    /// have been denied. See [`Decision::Reported`](crate::Decision::Reported).
    pub report: bool,
    /// Directories.
    pub fs: Vec<FsRule>,
    /// The guest's whole environment.
    pub env: BTreeMap<String, String>,
    /// The guest's `wasi:config` values.
    pub config: BTreeMap<String, String>,
    /// Questions back.
    pub ask: AskRule,
    /// Sandboxes.
    pub session: Option<Session>,
    /// `workspace: true`: the pack works in a workspace, a directory that the host owns. The input's `workspace` names it;
    /// without one in the input the call has a fresh one.
    pub workspace: bool,
    /// `artifacts: true`: the pack may keep what its calls make.
    pub artifacts: bool,
    /// `record_input: true`: the input of every call is on record as it was sent, and not its hash alone.
    pub record_input: bool,
    /// What the pack is, where it is not a component. Then `session` is there as well.
    pub command: Option<CommandPack>,
    /// Who may call.
    pub callers: Callers,
    /// How much of everything.
    pub limits: Limits,
    /// What is less for some callers. [`Entry::for_caller`] is the entry as one caller has it.
    pub narrowings: Vec<Narrowing>,
    /// The line of the pack's name.
    pub place: Place,
    /// The lines of the keys that the entry has, such as `env` and `limits.time`.
    pub(crate) keys: BTreeMap<String, Place>,
}

/// Whom a pack may ask a question while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct AskRule {
    /// The person who uses the agent.
    pub user: bool,
    /// The agent's model.
    pub model: bool,
}

/// Who may call a pack.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Callers {
    /// Everyone whom the host serves: the key is absent.
    #[default]
    Every,
    /// These alone, sorted: `local`, `token:` and the token's name, `oauth:` and what a [`Caller`] of an access token is
    /// called, `group:` and a group's name. An empty list is nobody.
    Only(Vec<String>),
}

impl Callers {
    /// What stands in front of the name of a group.
    pub const GROUP: &str = "group:";

    /// Whether this caller may call, by its own name or by a group that it is in.
    pub fn let_in(&self, identity: &Identity) -> bool {
        match self {
            Self::Every => true,
            Self::Only(names) => names_any(names, identity, Groups::hold),
        }
    }

    /// Whether these names have this caller's or that of a group that it is in, for all that is known.
    pub(crate) fn may_be_among(names: &[String], identity: &Identity) -> bool {
        names_any(names, identity, Groups::may_hold)
    }

    /// Whether this caller may call, by its own name.
    pub fn admits(&self, caller: &Caller) -> bool {
        match self {
            Self::Every => true,
            Self::Only(names) => names.iter().any(|name| name == caller.as_str()),
        }
    }
}

fn names_any(names: &[String], identity: &Identity, is_in: fn(&Groups, &str) -> bool) -> bool {
    let mut groups = names.iter().filter_map(|name| name.strip_prefix(Callers::GROUP));
    names.iter().any(|name| name == identity.caller.as_str())
        || groups.any(|group| is_in(&identity.groups, group))
}

impl fmt::Display for Callers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every => f.write_str("every caller"),
            Self::Only(names) if names.is_empty() => f.write_str("nobody"),
            Self::Only(names) => f.write_str(&names.join(", ")),
        }
    }
}

/// Directories of the host that a manifest names without knowing them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostVars {
    /// `${state}`: the host's state directory, absolute.
    pub state: PathBuf,
    /// `~`: the home directory of the host's user, absolute, where there is one.
    pub home: Option<PathBuf>,
}

/// What one call may do: an entry narrowed by the call's input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grants {
    /// Requests.
    pub http: HttpGrants,
    /// Directories.
    pub fs: Vec<FsGrant>,
    /// Environment.
    pub env: BTreeMap<String, String>,
    /// Config values.
    pub config: BTreeMap<String, String>,
    /// Questions back.
    pub ask: AskRule,
    /// Sandboxes.
    pub session: Option<SessionGrant>,
    /// Whether the call works in a workspace.
    pub workspace: bool,
    /// Whether the call may keep what it makes.
    pub artifacts: bool,
    /// Limits.
    pub limits: Limits,
    /// Why a rule grants nothing for this input, a sentence each. For the operator and the record; a [`Denial`](crate::Denial) repeats
    /// those about requests.
    pub notes: Vec<String>,
}

impl Entry {
    /// What one call with this input may do. Whether the caller may call at all is [`Entry::admits`].
    pub fn narrow(&self, input: &Value, vars: &HostVars) -> Grants {
        if self.denied {
            return Grants {
                http: HttpGrants::narrow(&self.pack, &[], None, input),
                fs: Vec::new(),
                env: BTreeMap::new(),
                config: BTreeMap::new(),
                ask: AskRule::default(),
                session: None,
                workspace: false,
                artifacts: false,
                limits: self.limits,
                notes: vec![format!("The pack is denied at {}.", self.place)],
            };
        }
        let report = self.report.then(|| self.place_of("report"));
        let http = HttpGrants::narrow(&self.pack, &self.http, report, input);
        let mut notes = http.notes().to_vec();
        let mut fs = Vec::with_capacity(self.fs.len());
        for rule in &self.fs {
            match rule.narrow(input, vars) {
                Ok(grant) => fs.push(grant),
                Err(why) => notes.push(format!("The rule at {} grants nothing: {why}.", rule.place)),
            }
        }
        let session = self.session.as_ref().map(|session| session.narrow(&self.pack, input));
        notes.extend(session.iter().flat_map(|grant| grant.http.notes()).cloned());
        Grants {
            http,
            fs,
            env: self.env.clone(),
            config: self.config.clone(),
            ask: self.ask,
            session,
            workspace: self.workspace,
            artifacts: self.artifacts,
            limits: self.limits,
            notes,
        }
    }

    /// Whether some request of the pack's own could be allowed, for some input. What leaves its sandboxes is another matter.
    pub fn may_send(&self) -> bool {
        !self.denied && (self.report || !self.http.is_empty())
    }

    /// Whether this caller may call the pack, as far as the manifest has it. What the proof of who calls lets its holder do
    /// ([`Identity::scopes`]) is not looked at.
    pub fn admits(&self, identity: &Identity) -> bool {
        !self.denied && self.callers.let_in(identity)
    }

    /// The line of a key of the entry, or of the entry where it has no such key.
    pub fn place_of(&self, key: &str) -> &Place {
        self.keys.get(key).unwrap_or(&self.place)
    }
}
