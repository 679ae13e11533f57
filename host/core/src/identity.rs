//! What a door vouches for.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Caller, Scope, Scopes};

/// Who calls, as far as it was proved at a door: a name, the groups that it is in, and what the proof lets it do. Cheap to
/// clone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// The caller.
    pub caller: Caller,
    /// Its groups, which a manifest may name.
    pub groups: Groups,
    /// What the proof lets it do.
    pub scopes: Scopes,
}

impl Identity {
    /// The person at this machine, who may do everything.
    pub fn local() -> Self {
        Self {
            caller: Caller::local(),
            groups: Groups::default(),
            scopes: [Scope::Admin].into_iter().collect(),
        }
    }

    /// A caller in no group, with the usual scopes.
    pub fn of(caller: Caller) -> Self {
        Self { caller, groups: Groups::default(), scopes: Scopes::usual() }
    }
}

/// The groups that a caller is proved to be in, sorted. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Groups {
    proved: Arc<[Group]>,
    /// The caller may be in others.
    and_perhaps_others: bool,
}

impl Groups {
    /// Of one caller, this many are kept; those that are first in order.
    pub const MAX: usize = 256;

    /// The same, of a caller that may be in others of which nothing is known.
    #[must_use]
    pub fn and_perhaps_others(self) -> Self {
        Self { and_perhaps_others: true, ..self }
    }

    /// Whether the caller is proved to be in this one: what a group gives is for those.
    pub fn hold(&self, group: &str) -> bool {
        self.proved.iter().any(|own| own.as_str() == group)
    }

    /// Whether the caller is in this one, for all that is known: what is taken from a group is taken from those.
    pub fn may_hold(&self, group: &str) -> bool {
        self.and_perhaps_others || self.hold(group)
    }

    /// Each that is proved.
    pub fn iter(&self) -> impl Iterator<Item = &Group> {
        self.proved.iter()
    }
}

impl Serialize for Groups {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.proved.serialize(serializer)
    }
}

impl FromIterator<Group> for Groups {
    fn from_iter<T: IntoIterator<Item = Group>>(groups: T) -> Self {
        let mut groups: Vec<Group> = groups.into_iter().collect();
        groups.sort();
        groups.dedup();
        let and_perhaps_others = groups.len() > Self::MAX;
        groups.truncate(Self::MAX);
        Self { proved: groups.into(), and_perhaps_others }
    }
}

/// The name of a group: letters, digits and `. _ - @ + /`, at most [`Group::MAX`] bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Group(String);

/// Why a text is not a [`Group`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a group: 1 to {max} letters, digits and . _ - @ + /", max = Group::MAX)]
pub struct GroupError(String);

impl Group {
    /// The longest name, in bytes.
    pub const MAX: usize = 128;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Group {
    type Err = GroupError;

    fn from_str(text: &str) -> Result<Self, GroupError> {
        let clear = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@+/".contains(&byte);
        if (1..=Self::MAX).contains(&text.len()) && text.bytes().all(clear) {
            Ok(Self(text.into()))
        } else {
            Err(GroupError(text.chars().take(80).collect()))
        }
    }
}

impl TryFrom<String> for Group {
    type Error = GroupError;

    fn try_from(text: String) -> Result<Self, GroupError> {
        text.parse()
    }
}

impl From<Group> for String {
    fn from(group: Group) -> Self {
        group.0
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_a_clear_word() {
        for good in ["ops", "Team-A", "a.b_c@d+e/f", &"x".repeat(128)] {
            assert!(good.parse::<Group>().is_ok(), "{good}");
        }
        for bad in ["", "a b", "a:b", "é", "a\n", &"x".repeat(129)] {
            assert!(bad.parse::<Group>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn groups_are_bounded() {
        let many = (0..1000).map(|n| format!("g{n}").parse().expect("a group"));
        let groups = many.collect::<Groups>();
        assert_eq!(groups.iter().count(), Groups::MAX);
        assert!(!groups.hold("g999") && groups.may_hold("g999"), "it may be one of those that were too many");
    }

    #[test]
    fn a_group_of_which_nothing_is_known_gives_nothing_and_takes_all_the_same() {
        let ops: Groups = ["ops".parse().expect("a group")].into_iter().collect();
        assert!(ops.hold("ops") && ops.may_hold("ops"));
        assert!(!ops.hold("guests") && !ops.may_hold("guests"));
        let ops = ops.and_perhaps_others();
        assert!(!ops.hold("guests") && ops.may_hold("guests"));
    }

    #[test]
    fn the_local_user_may_do_everything_and_a_plain_caller_calls_packs() {
        assert!(Identity::local().scopes.allow(&Scope::ReadAudit));
        let plain = Identity::of(Caller::token("ci"));
        assert!(plain.scopes.may_call(&"a.b".parse().expect("a name")));
        assert!(!plain.scopes.allow(&Scope::ReadAudit));
    }
}
