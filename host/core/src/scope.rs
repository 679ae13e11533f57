//! What the proof of who calls lets its holder do. What a pack may do is the manifest's business.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{NameError, PackName};

/// One thing that a caller may do. Scopes are compared by whole words: `packs:call:http.*` is good for `http.fetch`, and
/// neither for `http` nor for `httpx.fetch`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Scope {
    /// `admin`: everything that the other scopes allow, and what an operator does.
    Admin,
    /// `artifacts:read`: what this caller's calls have made.
    ReadArtifacts,
    /// `artifacts:write`: remove those.
    WriteArtifacts,
    /// `audit:read`: the record of what everybody's calls did.
    ReadAudit,
    /// `packs:*`: see and call every pack that the manifest lets this caller call.
    Packs,
    /// `packs:list`: see them, also where no scope allows the call.
    ListPacks,
    /// `packs:call`, `packs:call:http.*`, `packs:call:http.fetch`: see and call all of them, a family, one.
    CallPacks(PackPattern),
}

/// Every pack, a family of packs, or one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PackPattern {
    /// `*`
    Every,
    /// `http.*`: every pack whose name goes on after these words.
    Below(PackName),
    /// `http.fetch`
    One(PackName),
}

/// Why a text is not a [`Scope`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// There is no such thing to do.
    #[error(
        "\"{0}\" is not a scope: packs:*, packs:list, packs:call, packs:call:PACK, packs:call:FAMILY.*, artifacts:read, \
         artifacts:write, audit:read or admin"
    )]
    Unknown(String),
    /// What stands behind `packs:call:` is no name.
    #[error("\"{scope}\" is not a scope: {why}")]
    Pack {
        /// The text, cut.
        scope: String,
        /// What is wrong with the name.
        why: NameError,
    },
}

impl PackPattern {
    /// Whether the pack is among those.
    pub fn holds(&self, pack: &PackName) -> bool {
        match self {
            Self::Every => true,
            Self::One(one) => one == pack,
            Self::Below(words) => {
                let rest = pack.as_str().strip_prefix(words.as_str());
                rest.is_some_and(|rest| rest.starts_with('.'))
            }
        }
    }
}

impl FromStr for PackPattern {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.strip_suffix(".*") {
            None if text == "*" => Ok(Self::Every),
            None => text.parse().map(Self::One),
            Some(words) => words.parse().map(Self::Below),
        }
    }
}

impl fmt::Display for PackPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every => f.write_str("*"),
            Self::Below(words) => write!(f, "{words}.*"),
            Self::One(pack) => pack.fmt(f),
        }
    }
}

impl Scope {
    /// The scope that lets its holder call this pack and no other.
    pub fn of_call(pack: &PackName) -> Self {
        Self::CallPacks(PackPattern::One(pack.clone()))
    }

    /// Whether whoever may do this may call the pack.
    pub fn allows_call(&self, pack: &PackName) -> bool {
        match self {
            Self::Admin | Self::Packs => true,
            Self::CallPacks(packs) => packs.holds(pack),
            _ => false,
        }
    }
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        let cut = || text.chars().take(100).collect::<String>();
        match text {
            "admin" => Ok(Self::Admin),
            "artifacts:read" => Ok(Self::ReadArtifacts),
            "artifacts:write" => Ok(Self::WriteArtifacts),
            "audit:read" => Ok(Self::ReadAudit),
            "packs:*" => Ok(Self::Packs),
            "packs:list" => Ok(Self::ListPacks),
            "packs:call" => Ok(Self::CallPacks(PackPattern::Every)),
            _ => {
                let packs = text.strip_prefix("packs:call:").ok_or_else(|| ScopeError::Unknown(cut()))?;
                packs.parse().map(Self::CallPacks).map_err(|why| ScopeError::Pack { scope: cut(), why })
            }
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Admin => f.write_str("admin"),
            Self::ReadArtifacts => f.write_str("artifacts:read"),
            Self::WriteArtifacts => f.write_str("artifacts:write"),
            Self::ReadAudit => f.write_str("audit:read"),
            Self::Packs => f.write_str("packs:*"),
            Self::ListPacks => f.write_str("packs:list"),
            Self::CallPacks(PackPattern::Every) => f.write_str("packs:call"),
            Self::CallPacks(packs) => write!(f, "packs:call:{packs}"),
        }
    }
}

impl TryFrom<String> for Scope {
    type Error = ScopeError;

    fn try_from(text: String) -> Result<Self, ScopeError> {
        text.parse()
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

/// All that a caller may do; empty is nothing at all. Displays as OAuth writes it (RFC 6749 section 3.3). Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Scopes(Arc<[Scope]>);

impl Scopes {
    /// What a caller may do of whom nothing else is said: see and call packs, and have what its own calls have made.
    pub fn usual() -> Self {
        [Scope::Packs, Scope::ReadArtifacts, Scope::WriteArtifacts].into_iter().collect()
    }

    /// Of one caller, this many count; those that are first in order.
    pub const MAX: usize = 64;

    /// Whether this pack may be called.
    pub fn may_call(&self, pack: &PackName) -> bool {
        self.0.iter().any(|scope| scope.allows_call(pack))
    }

    /// Whether this pack may be seen.
    pub fn may_see(&self, pack: &PackName) -> bool {
        self.0.iter().any(|scope| *scope == Scope::ListPacks || scope.allows_call(pack))
    }

    /// Whether this may be done that needs just this scope, such as reading the record.
    pub fn allow(&self, scope: &Scope) -> bool {
        self.0.iter().any(|own| own == scope || *own == Scope::Admin)
    }

    /// Whether nothing may be done.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each of them, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &Scope> {
        self.0.iter()
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<T: IntoIterator<Item = Scope>>(scopes: T) -> Self {
        let mut scopes: Vec<Scope> = scopes.into_iter().collect();
        scopes.sort();
        scopes.dedup();
        scopes.truncate(Self::MAX);
        Self(scopes.into())
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, scope) in self.0.iter().enumerate() {
            let space = if n == 0 { "" } else { " " };
            write!(f, "{space}{scope}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scopes(text: &str) -> Scopes {
        text.split_whitespace().map(|scope| scope.parse().expect("a scope")).collect()
    }

    fn pack(name: &str) -> PackName {
        name.parse().expect("a name")
    }

    #[test]
    fn a_scope_is_good_for_whole_words() {
        for (held, name, may) in [
            ("packs:call:http.*", "http.fetch", true),
            ("packs:call:http.*", "http.a.b", true),
            ("packs:call:http.*", "http", false),
            ("packs:call:http.*", "httpx.fetch", false),
            ("packs:call:http", "http.fetch", false),
            ("packs:call:http.fetch", "http.fetch", true),
            ("packs:call:http.fetch", "http.fetches", false),
            ("packs:call", "http.fetch", true),
            ("packs:call:*", "http.fetch", true),
            ("packs:*", "http.fetch", true),
            ("admin", "http.fetch", true),
            ("packs:list", "http.fetch", false),
            ("audit:read artifacts:read", "http.fetch", false),
            ("", "http.fetch", false),
        ] {
            assert_eq!(scopes(held).may_call(&pack(name)), may, "{held} for {name}");
        }
    }

    #[test]
    fn who_may_call_may_see_and_who_may_list_may_see_all() {
        assert!(scopes("packs:list").may_see(&pack("a.b")));
        assert!(scopes("packs:call:a.*").may_see(&pack("a.b")));
        assert!(!scopes("packs:call:a.*").may_see(&pack("b.a")));
        assert!(!scopes("audit:read").may_see(&pack("a.b")));
    }

    #[test]
    fn only_who_administers_may_do_everything() {
        assert!(scopes("admin").allow(&Scope::ReadAudit));
        assert!(scopes("audit:read").allow(&Scope::ReadAudit));
        assert!(!scopes("packs:* artifacts:read").allow(&Scope::ReadAudit));
        assert!(!scopes("packs:*").allow(&Scope::Admin));
    }

    #[test]
    fn what_is_no_scope_is_refused() {
        for wrong in [
            "",
            "packs",
            "packs:",
            "packs:call:",
            "packs:call:.*",
            "packs:call:a*",
            "packs:call:A.b",
            "PACKS:*",
            "packs:list:a",
            "admin:x",
            "audit:*",
            "packs:call:a b",
            "*",
            " admin",
        ] {
            assert!(wrong.parse::<Scope>().is_err(), "{wrong:?} was taken for a scope");
        }
    }

    #[test]
    fn scopes_are_written_as_they_are_read() {
        let text = "admin artifacts:read artifacts:write audit:read packs:* packs:list packs:call packs:call:a.* packs:call:a.b";
        assert_eq!(scopes(text).to_string(), text);
        assert_eq!(scopes("packs:list admin admin").to_string(), "admin packs:list");
        assert_eq!(
            (0..100).map(|n| Scope::of_call(&pack(&format!("p{n}")))).collect::<Scopes>().iter().count(),
            64
        );
    }

    proptest! {
        #[test]
        fn a_family_holds_what_goes_on_after_a_dot(words in "[a-c]{1,2}(\\.[a-c]{1,2}){0,2}", name in "[a-c]{1,2}(\\.[a-c]{1,2}){0,3}") {
            let holds = scopes(&format!("packs:call:{words}.*")).may_call(&pack(&name));
            let (words, name): (Vec<_>, Vec<_>) = (words.split('.').collect(), name.split('.').collect());
            prop_assert_eq!(holds, name.len() > words.len() && name.starts_with(&words));
        }
    }
}
