//! The most that an entry may grant with a sandbox.

use std::time::Duration;

use super::requests::Bounds;
use super::{Ceiling, HttpRule};
use crate::entry::Entry;
use crate::place::Place;
use crate::session::{IDLE, INSIDE, LIFETIME, Session, SessionBackend, SessionFiles, SessionImage, requests};

/// The most that a `session` of any entry may grant. What it does not name, none may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionCeiling {
    /// What may make sandboxes.
    pub on: Vec<SessionBackend>,
    /// Of what images they may be made; one without a digest is every build of its name. Sandboxes of the machine's own files
    /// need none: what they are made of is bounded by `files`.
    pub images: Vec<SessionImage>,
    /// What programs may read and write. What may be written there may be read there, and `/` is everything.
    pub files: SessionFiles,
    /// What may leave. Rules that let the host see the requests are held against it by those requests, tunnels as CONNECT.
    pub http: Vec<HttpRule>,
    /// Names of variables in the environment of programs.
    pub env: Vec<String>,
    /// The most for `idle`.
    pub idle: Duration,
    /// The most for `lifetime`.
    pub lifetime: Duration,
}

impl Ceiling {
    /// Something that an entry may do with a sandbox and the ceiling does not allow, and the line that allows it.
    pub(super) fn sandbox_beyond(&self, entry: &Entry) -> Option<(Place, String)> {
        let session = entry.session.as_ref()?;
        let at = |key: &str| entry.keys.get(&format!("session.{key}")).unwrap_or(&session.place).clone();
        match &self.session {
            None => Some((session.place.clone(), session.start())),
            Some(own) => own.beyond(session, &at),
        }
    }
}

impl SessionCeiling {
    fn beyond(&self, session: &Session, at: &impl Fn(&str) -> Place) -> Option<(Place, String)> {
        if let Some(backend) = session.on.iter().find(|backend| !self.on.contains(backend)) {
            return Some((at("on"), format!("start a sandbox on {backend}")));
        }
        let image = session.image.as_ref().filter(|image| !self.images.iter().any(|own| own.holds(image)));
        if let Some(image) = image {
            return Some((at("image"), format!("start a sandbox from image {image}")));
        }
        if let Some((path, writes)) = self.files.lacks(&session.files) {
            return Some((
                at("files"),
                format!("{INSIDE}, {} {path}", if writes { "write" } else { "read" }),
            ));
        }
        for rule in &session.http {
            if let Some(request) = Bounds(&self.http).request_beyond(rule) {
                return Some((rule.place.clone(), format!("from inside its sandbox, {request}")));
            }
        }
        if let Some(name) = session.env.keys().find(|name| !self.env.contains(name)) {
            return Some((at("env"), format!("{INSIDE}, have the environment variable {name}")));
        }
        let times = [
            (&IDLE, session.idle, self.idle, "an unused sandbox"),
            (&LIFETIME, session.lifetime, self.lifetime, "a sandbox"),
        ];
        times.into_iter().find(|(_, own, most, _)| own > most).map(|(limit, own, most, what)| {
            let show = |time: Duration| limit.show(time.as_millis().try_into().unwrap_or(u64::MAX));
            (at(limit.name), format!("keep {what} for {}, and the ceiling is {}", show(own), show(most)))
        })
    }

    /// What entries may grant, apart from how long it lasts.
    pub(crate) fn facts(&self) -> Vec<String> {
        let mut facts: Vec<String> =
            self.on.iter().map(|backend| format!("start a sandbox on {backend}")).collect();
        facts.extend(self.images.iter().map(|image| format!("start a sandbox from image {image}")));
        facts.extend(self.files.facts());
        facts.extend(requests(&self.http));
        facts.extend(self.env.iter().map(|name| format!("{INSIDE}, have the environment variable {name}")));
        facts
    }
}
