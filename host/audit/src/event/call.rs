//! One call of a pack, at its end.

use std::net::IpAddr;

use packhost_core::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Outcome;
use super::cut::{host, text, texts};
use crate::moment::Moment;

/// One call, whatever came of it. The cause of a failure is not in it: it may hold what a guest said.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Call {
    /// The run's id (a UUID).
    pub run: String,
    /// The trace that it is part of (W3C Trace Context, 32 hex digits), where the client said one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// The span of that trace that the call is below (16 hex digits).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// The client does not keep that trace.
    #[serde(skip_serializing_if = "is_false")]
    pub unsampled: bool,
    /// Who called, such as `local` or `token:NAME`.
    pub caller: String,
    /// The door: `stdio`, `http`, `api`, `cli`.
    pub door: String,
    /// The address that the client called from, for doors that have a network behind them. Behind a proxy that is trusted, the
    /// one that the proxy names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The client, as it calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<Client>,
    /// The version of the protocol that was spoken, such as `2025-11-25`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// The pack; none where no pack of that name may be called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pack: Option<String>,
    /// The name that was asked for.
    pub tool: String,
    /// The digest of the component.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The revision of the manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The SHA-256 of the input as it was sent, as JSON without white space.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_sha256: Option<Digest>,
    /// The SHA-256 of the structured output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_sha256: Option<Digest>,
    /// The input itself, where the operator wants it on record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// What was mended in the input.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mends: Vec<Mend>,
    /// The grants that were used, in the words of the manifest.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<String>,
    /// The requests that were made or refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<Contact>,
    /// How many more there were.
    #[serde(skip_serializing_if = "is_zero")]
    pub more_contacts: u64,
    /// The requests that no rule allows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub denied: Vec<Denial>,
    /// The credentials that were used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<CredentialUsed>,
    /// The sandbox that it had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionUsed>,
    /// The artifacts that it left.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<Artifact>,
    /// When it came through the door.
    pub started: Moment,
    /// Microseconds that it waited for a place.
    pub queued_us: u64,
    /// Microseconds from taking the component to the end of the guest.
    pub ran_us: u64,
    /// Microseconds from the door to the record.
    pub total_us: u64,
    /// The most linear memory that was in use, in bytes.
    pub memory: u64,
    /// Outgoing requests made.
    pub requests: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// The SHA-256 of the cause of a failure, which finds it in the log for the operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause_sha256: Option<Digest>,
    /// The record would have been too large: texts and lists in it are cut.
    #[serde(skip_serializing_if = "is_false")]
    pub cut: bool,
}

/// A client, as it calls itself: no proof of anything.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Client {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// A mend of the input.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Mend {
    /// Where, as a JSON pointer (RFC 6901).
    pub pointer: String,
    /// What was done, such as `from_string`.
    pub what: String,
}

/// A request that left or was refused.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Contact {
    /// The host as the URL names it.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The address that was connected to, or that was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// What was decided: `allowed`, `denied_by_rule`, `denied_by_address`, `pending`.
    pub decision: String,
    /// The rule that decided, as `FILE:LINE`, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Bytes sent.
    pub sent: u64,
    /// Bytes received.
    pub received: u64,
    /// Microseconds from the start of the call to the start of the request.
    pub at_us: u64,
    /// Microseconds until the last byte.
    pub took_us: u64,
}

impl Contact {
    /// The decision of one that was let through.
    pub const ALLOWED: &'static str = "allowed";
}

/// A request that no rule allows: no query, no headers, no body.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Denial {
    /// Its method.
    pub method: String,
    /// `http` or `https`.
    pub scheme: String,
    /// The host.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The path, as far as it is kept.
    pub path: String,
    /// It was let through all the same, because the entry only reports.
    #[serde(skip_serializing_if = "is_false")]
    pub reported: bool,
}

/// A credential that went into a request, or signed one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CredentialUsed {
    /// Its name.
    pub name: String,
    /// The host that it went to.
    pub host: String,
}

/// The sandbox of a call.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionUsed {
    /// Its id, for the operator.
    pub id: String,
    /// Its backend.
    pub backend: String,
    /// It stood ready.
    pub warm: bool,
    /// An earlier call of the same caller left it.
    pub reused: bool,
    /// Why this backend and not another.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// An artifact that a call left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// Its digest.
    pub sha256: Digest,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Its size in bytes.
    #[serde(default)]
    pub size: u64,
}

impl Call {
    /// Its kind in the log.
    pub const KIND: &'static str = "call";

    /// Leaves out the input, and cuts lists and texts so that the record fits.
    pub(super) fn shorten(&mut self) {
        /// The most entries of each list that stay.
        const ENTRIES: usize = 16;
        self.cut = true;
        self.input = None;
        self.more_contacts += self.contacts.len().saturating_sub(ENTRIES) as u64;
        self.mends.truncate(ENTRIES);
        self.contacts.truncate(ENTRIES);
        self.denied.truncate(ENTRIES);
        self.credentials.truncate(ENTRIES);
        self.artifacts.truncate(ENTRIES);
        self.grants.truncate(ENTRIES);
        texts([&mut self.run, &mut self.caller, &mut self.door, &mut self.tool]);
        let named =
            [&mut self.trace, &mut self.parent, &mut self.protocol, &mut self.pack, &mut self.revision];
        texts(named.into_iter().flatten());
        self.grants.iter_mut().for_each(text);
        self.mends.iter_mut().for_each(|mend| texts([&mut mend.pointer, &mut mend.what]));
        for contact in &mut self.contacts {
            host(&mut contact.host);
            text(&mut contact.decision);
            texts(&mut contact.rule);
        }
        for denial in &mut self.denied {
            host(&mut denial.host);
            texts([&mut denial.method, &mut denial.scheme, &mut denial.path]);
        }
        for used in &mut self.credentials {
            host(&mut used.host);
            text(&mut used.name);
        }
        self.artifacts.iter_mut().for_each(|artifact| text(&mut artifact.name));
        self.client.iter_mut().for_each(|client| texts([&mut client.name, &mut client.version]));
        if let Some(session) = &mut self.session {
            texts([&mut session.id, &mut session.backend, &mut session.why]);
        }
        if let Outcome::Other(word) = &mut self.outcome {
            text(word);
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn is_false(flag: &bool) -> bool {
    !flag
}
