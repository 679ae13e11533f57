//! What an entry says of some callers alone: less than of all others.

use std::borrow::Cow;
use std::collections::BTreeSet;

use packhost_core::{CredentialName, Identity};

use crate::entry::{Callers, Entry};
use crate::http::HttpRule;
use crate::limits::{Limit, Limits};
use crate::place::Place;

/// Less for some callers than the entry has for the others. Where several are of one caller, all of them count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Narrowing {
    /// Whom it is about, sorted; written as in [`Callers::Only`].
    pub callers: Vec<String>,
    /// Limits, each in milliseconds, bytes or things. They hold where they are lower than the entry's.
    pub limits: Vec<(&'static Limit, u64)>,
    /// The credentials that are left of those that the entry's rules name; absent, all of them are.
    pub credentials: Option<BTreeSet<CredentialName>>,
    /// Its line.
    pub place: Place,
}

/// Limits that all callers of a pack share, so that none has one of its own.
pub(crate) const SHARED: [&str; 2] = ["concurrency", "connections"];

impl Narrowing {
    fn apply(&self, entry: &mut Entry) {
        for (limit, most) in &self.limits {
            let own = entry.limits.value(limit.name).unwrap_or(limit.max);
            entry.limits.set(limit.name, own.min(*most));
        }
        let Some(left) = &self.credentials else { return };
        let inside = entry.session.iter_mut().flat_map(|session| &mut session.http);
        let rules = entry.http.iter_mut().chain(inside);
        rules.for_each(|rule: &mut HttpRule| rule.credentials.retain(|name| left.contains(name)));
    }

    /// What it says, to end the sentence "it may …, when called by …".
    pub(crate) fn words(&self) -> String {
        let limits: Vec<String> =
            self.limits.iter().map(|(limit, most)| format!("{} {}", limit.show(*most), limit.name)).collect();
        let credentials = self.credentials.as_ref().map(|left| match left.len() {
            0 => "no credentials".to_owned(),
            _ => format!("no other credentials than {}", crate::explain::list(&names(left))),
        });
        let limits = (!limits.is_empty()).then(|| format!("at most {}", crate::explain::list(&limits)));
        let parts: Vec<String> = limits.into_iter().chain(credentials).collect();
        format!("use {}", parts.join(", and "))
    }
}

fn names(credentials: &BTreeSet<CredentialName>) -> Vec<&str> {
    credentials.iter().map(CredentialName::as_str).collect()
}

impl Entry {
    /// The entry as it is for this caller. Who may be in a group, for all that is known, has what is left for that group.
    pub fn for_caller(&self, identity: &Identity) -> Cow<'_, Self> {
        self.narrowed(|narrowing| Callers::may_be_among(&narrowing.callers, identity))
    }

    /// The entry as it is for one that is in no group and has this name, or in this group and has no name.
    pub(crate) fn for_name(&self, name: &str) -> Cow<'_, Self> {
        self.narrowed(|narrowing| narrowing.callers.iter().any(|known| known == name))
    }

    /// All that are named, by this entry and by another.
    pub(crate) fn named_with<'a>(&'a self, other: Option<&'a Self>) -> BTreeSet<&'a str> {
        let narrowings = self.narrowings.iter().chain(other.iter().flat_map(|other| &other.narrowings));
        narrowings.flat_map(|narrowing| &narrowing.callers).map(String::as_str).collect()
    }

    fn narrowed(&self, is_meant: impl Fn(&Narrowing) -> bool) -> Cow<'_, Self> {
        if self.narrowings.is_empty() {
            return Cow::Borrowed(self);
        }
        let mut own = self.clone();
        for narrowing in std::mem::take(&mut own.narrowings) {
            if is_meant(&narrowing) {
                narrowing.apply(&mut own);
            }
        }
        Cow::Owned(own)
    }

    /// The credentials that rules of the entry name.
    pub(crate) fn credentials(&self) -> impl Iterator<Item = &CredentialName> {
        let inside = self.session.iter().flat_map(|session| &session.http);
        self.http.iter().chain(inside).flat_map(|rule| &rule.credentials)
    }
}

impl Limits {
    /// Whether one caller can have less of it than another.
    pub(crate) fn is_of_one_caller(limit: &Limit) -> bool {
        !SHARED.contains(&limit.name)
    }
}

#[cfg(test)]
mod tests {
    use packhost_core::{Caller, Group, Groups};

    use super::*;
    use crate::parse::{Manifest, Origin, Source};

    fn manifest(text: &str) -> Manifest {
        let source =
            Source { name: "a.yaml".into(), text: format!("version: 1\n{text}"), origin: Origin::Operator };
        Manifest::parse(&[source]).expect("a good manifest")
    }

    fn identity(name: &str, groups: &[&str]) -> Identity {
        let groups: Groups = groups.iter().map(|group| group.parse::<Group>().expect("a group")).collect();
        Identity { groups, ..Identity::of(Caller::token(name)) }
    }

    const ENTRY: &str = "packs:
  web.scrape:
    http: [{ url: 'https://api.example.com', methods: [GET], credentials: [API, ADMIN] }]
    session:
      on: [process]
      files: { read_only: [/usr] }
      http: [{ host: api.example.com, methods: [GET], tls: terminate, credentials: [API] }]
    limits: { time: 20s, requests: 8 }
    narrow:
      - { callers: ['group:guests'], limits: { time: 5s, requests: 2 }, credentials: [API] }
      - { callers: ['token:ci', 'group:bots'], limits: { time: 1s } }
      - { callers: ['group:strangers'], credentials: [] }
";

    #[test]
    fn each_caller_has_what_is_left_of_all_that_is_said_of_it() {
        let manifest = manifest(ENTRY);
        let entry = manifest.entries().next().expect("one");
        for (name, groups, time, requests, credentials, inside) in [
            ("ada", &[][..], 20, 8, &["ADMIN", "API"][..], 1),
            ("ada", &["guests"], 5, 2, &["API"], 1),
            ("ci", &[], 1, 8, &["ADMIN", "API"], 1),
            ("ci", &["guests"], 1, 2, &["API"], 1),
            ("ada", &["bots", "strangers"], 1, 8, &[], 0),
            ("ada", &["guests", "strangers"], 5, 2, &[], 0),
        ] {
            let own = entry.for_caller(&identity(name, groups));
            assert_eq!(own.limits.time.as_secs(), time, "{name} {groups:?}");
            assert_eq!(own.limits.requests, requests, "{name} {groups:?}");
            let mut left: Vec<_> = own.http[0].credentials.iter().map(CredentialName::as_str).collect();
            left.sort_unstable();
            assert_eq!(left, credentials, "{name} {groups:?}");
            let session = own.session.as_ref().expect("a session");
            assert_eq!(session.http[0].credentials.len(), inside, "{name} {groups:?}");
            assert_eq!(own.limits.memory, entry.limits.memory, "nothing is said of it");
        }
    }

    #[test]
    fn who_may_be_in_a_group_has_what_is_left_for_it() {
        let manifest = manifest(ENTRY);
        let entry = manifest.entries().next().expect("one");
        let known = identity("ada", &["ops"]);
        assert_eq!(entry.for_caller(&known).limits.requests, 8);
        let unknown = Identity { groups: known.groups.clone().and_perhaps_others(), ..known };
        let own = entry.for_caller(&unknown);
        assert_eq!((own.limits.requests, own.limits.time.as_secs()), (2, 1));
        assert!(own.http[0].credentials.is_empty(), "one of the groups has none");
    }

    #[test]
    fn an_edit_of_it_is_an_edit_for_those_alone() {
        let (old, new) = (manifest(ENTRY), manifest(&ENTRY.replace("requests: 2", "requests: 1")));
        assert_ne!(old.revision(), new.revision());
        let (before, after) = (old.entries().next().expect("one"), new.entries().next().expect("one"));
        assert!(before.loses_under(after) && !after.loses_under(before));
        let diff = crate::diff::diff(&old, &new);
        assert_eq!(diff.packs[0].gained, Vec::<String>::new());
        assert_eq!(diff.packs[0].lost, ["use requests up to 1 (before: 2), when called by group:guests"]);
        let without = manifest(&ENTRY[..ENTRY.find("    narrow:").expect("there")]);
        let gained = &crate::diff::diff(&old, &without).packs[0].gained;
        assert!(
            gained.contains(&"use time up to 20s (before: 1s), when called by token:ci".to_owned()),
            "{gained:?}"
        );
        let all = gained.iter().any(|line| line.contains("put ADMIN") && line.ends_with("group:strangers"));
        assert!(all, "{gained:?}");
        assert!(without.entries().next().expect("one").loses_under(before));
    }
}
