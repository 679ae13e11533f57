//! What a token says, held against what is expected of it (RFC 9068 section 4).

use packhost_core::{Caller, Group, Groups, Identity, Scope, Scopes};
use serde_json::{Map, Value};

use super::{OAuthSettings, Unproved};

/// Audiences, scopes and groups of one token that are looked at.
const MAX_WORDS: usize = 1024;

/// What a token with a good signature proves.
pub(crate) struct Proved {
    pub(crate) identity: Identity,
    /// From when on it proves nothing, in seconds since 1970; the allowance for clocks is in it.
    pub(crate) until: u64,
}

impl OAuthSettings {
    /// What these claims prove at this time, in seconds since 1970.
    pub(super) fn check(&self, claims: &Map<String, Value>, now: u64) -> Result<Proved, Unproved> {
        let skew = self.skew.as_secs();
        if claims.get("iss").and_then(Value::as_str) != Some(self.issuer.as_str()) {
            return Err(Unproved::Issuer);
        }
        if !self.is_for_us(claims.get("aud")) {
            return Err(Unproved::Audience);
        }
        let expires = claims.get("exp").and_then(time).ok_or(Unproved::NoEnd)?;
        let until = expires.saturating_add(skew);
        if until <= now {
            return Err(Unproved::Expired);
        }
        for begin in ["nbf", "iat"] {
            let Some(begin) = claims.get(begin) else { continue };
            if time(begin).ok_or(Unproved::Claims)? > now.saturating_add(skew) {
                return Err(Unproved::NotYet);
            }
        }
        // Good for whoever proves to have a key as well, which a bearer does not (RFC 7800, RFC 9449 section 7.1).
        if claims.contains_key("cnf") {
            return Err(Unproved::Bound);
        }
        let subject = claims.get("sub").and_then(Value::as_str).ok_or(Unproved::Subject)?;
        let caller = Caller::oauth(self.issuer.as_str(), subject).ok_or(Unproved::Subject)?;
        let identity = Identity { caller, groups: self.groups(claims), scopes: self.scopes(claims) };
        Ok(Proved { identity, until })
    }

    fn is_for_us(&self, audience: Option<&Value>) -> bool {
        let ours = |value: &Value| self.audiences.iter().any(|own| value == own.as_str());
        match audience {
            Some(Value::Array(list)) => {
                list.len() <= MAX_WORDS && list.iter().all(Value::is_string) && list.iter().any(ours)
            }
            Some(value) => ours(value),
            None => false,
        }
    }

    /// The scopes that are ours. `scope` is the standard's (RFC 8693 section 4.2); `scp` is what it is called where it is older.
    fn scopes(&self, claims: &Map<String, Value>) -> Scopes {
        let granted = words(claims.get("scope").or_else(|| claims.get("scp")), true);
        let ours = granted.filter_map(|word| word.strip_prefix(self.scope_prefix.as_str()));
        ours.filter_map(|word| word.parse::<Scope>().ok()).collect()
    }

    /// The groups, of the claim that the operator named, whose names are clear: no manifest can name another. Where a token does
    /// not have the claim, or not as a list of names, its holder may be in others as well: a provider leaves it away where a
    /// client did not ask for it, and where a list is too long.
    fn groups(&self, claims: &Map<String, Value>) -> Groups {
        let named = self.groups_claim.as_ref().and_then(|name| claims.get(name));
        let groups: Groups = words(named, false).filter_map(|word| word.parse::<Group>().ok()).collect();
        let is_whole = match named {
            Some(Value::Array(list)) => list.len() <= MAX_WORDS && list.iter().all(Value::is_string),
            named => named.is_some_and(Value::is_string),
        };
        if is_whole { groups } else { groups.and_perhaps_others() }
    }
}

/// The texts of a list, or of one text, with spaces between where it is `split`.
fn words(value: Option<&Value>, split: bool) -> impl Iterator<Item = &str> {
    let texts = match value {
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(text)) if split => text.split(' ').filter(|word| !word.is_empty()).collect(),
        Some(Value::String(text)) => vec![text.as_str()],
        _ => Vec::new(),
    };
    texts.into_iter().take(MAX_WORDS)
}

/// A NumericDate (RFC 7519 section 2): seconds since 1970, perhaps with a fraction, which is cut off.
fn time(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| {
        let seconds = value.as_f64()?;
        // Beyond this a number is no time, and would not fit.
        (0.0..1e15).contains(&seconds).then_some(seconds as u64)
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::super::Issuer;
    use super::*;

    const NOW: u64 = 1_800_000_000;
    const ISSUER: &str = "https://login.example.com";
    const US: &str = "https://packs.example.com/mcp";

    fn settings() -> OAuthSettings {
        let mut settings =
            OAuthSettings::new(Issuer::parse(ISSUER, false).expect("an issuer"), vec![US.to_owned()]);
        settings.groups_claim = Some("groups".to_owned());
        settings
    }

    fn good() -> Value {
        json!({"iss": ISSUER, "aud": US, "sub": "alice", "exp": NOW + 300, "iat": NOW, "scope": "openid packs:call"})
    }

    fn check(settings: &OAuthSettings, claims: &Value) -> Result<Proved, Unproved> {
        settings.check(claims.as_object().expect("an object"), NOW)
    }

    fn with(name: &str, value: Value) -> Result<Proved, Unproved> {
        let mut claims = good();
        claims[name] = value;
        check(&settings(), &claims)
    }

    fn without(name: &str) -> Result<Proved, Unproved> {
        let mut claims = good();
        claims.as_object_mut().expect("an object").remove(name);
        check(&settings(), &claims)
    }

    #[test]
    fn a_good_token_says_who_and_what() {
        let proved = check(&settings(), &good()).expect("it is good");
        assert_eq!(proved.identity.caller.as_str(), "oauth:login.example.com:alice");
        assert_eq!(proved.identity.scopes.to_string(), "packs:call");
        assert_eq!(proved.until, NOW + 360);
    }

    #[test]
    fn a_token_of_another_issuer_proves_nothing() {
        for issuer in [
            json!("https://login.example.com/"),
            json!("https://LOGIN.example.com"),
            json!("https://evil.example"),
            json!("http://login.example.com"),
            json!([ISSUER]),
            json!(1),
            Value::Null,
        ] {
            assert_eq!(with("iss", issuer.clone()).err(), Some(Unproved::Issuer), "{issuer}");
        }
        assert_eq!(without("iss").err(), Some(Unproved::Issuer));
    }

    #[test]
    fn a_token_for_another_audience_proves_nothing() {
        for audience in [
            json!("https://packs.example.com"),
            json!("https://packs.example.com/mcp/"),
            json!(["https://other.example"]),
            json!([]),
            json!([US, 1]),
            json!({"a": US}),
            json!(""),
            Value::Null,
            Value::Array(vec![json!(US); MAX_WORDS + 1]),
        ] {
            assert_eq!(with("aud", audience.clone()).err(), Some(Unproved::Audience), "{audience}");
        }
        assert_eq!(without("aud").err(), Some(Unproved::Audience));
        assert!(with("aud", json!(["https://other.example", US])).is_ok());
    }

    #[test]
    fn a_token_is_good_between_its_times_give_or_take_the_skew() {
        for (name, value, why) in [
            ("exp", json!(NOW - 60), Some(Unproved::Expired)),
            ("exp", json!(NOW - 59), None),
            ("exp", json!((NOW - 59) as f64 + 0.5), None),
            ("exp", json!(0), Some(Unproved::Expired)),
            ("exp", json!(-1), Some(Unproved::NoEnd)),
            ("exp", json!(1e300), Some(Unproved::NoEnd)),
            ("exp", json!((NOW + 300).to_string()), Some(Unproved::NoEnd)),
            ("exp", Value::Null, Some(Unproved::NoEnd)),
            ("exp", json!(u64::MAX), None),
            ("nbf", json!(NOW + 61), Some(Unproved::NotYet)),
            ("nbf", json!(NOW + 60), None),
            ("nbf", json!("soon"), Some(Unproved::Claims)),
            ("iat", json!(NOW + 61), Some(Unproved::NotYet)),
            ("iat", json!(NOW + 60), None),
        ] {
            assert_eq!(with(name, value.clone()).err(), why, "{name}: {value}");
        }
        assert_eq!(without("exp").err(), Some(Unproved::NoEnd));
        assert!(without("iat").is_ok());
        let mut strict = settings();
        strict.skew = Duration::ZERO;
        let mut claims = good();
        claims["exp"] = NOW.into();
        assert_eq!(check(&strict, &claims).err(), Some(Unproved::Expired));
        claims["exp"] = (NOW + 1).into();
        assert!(check(&strict, &claims).is_ok());
    }

    #[test]
    fn a_token_of_nobody_proves_nothing() {
        for subject in [json!(""), json!(1), Value::Null, json!("x".repeat(256)), json!(["alice"])] {
            assert_eq!(with("sub", subject.clone()).err(), Some(Unproved::Subject), "{subject}");
        }
        assert_eq!(without("sub").err(), Some(Unproved::Subject));
    }

    #[test]
    fn a_token_that_is_bound_to_a_key_is_no_bearers() {
        assert_eq!(with("cnf", json!({"jkt": "AAAA"})).err(), Some(Unproved::Bound));
    }

    #[test]
    fn what_is_granted_is_what_is_ours() {
        let scopes = |settings: &OAuthSettings, name: &str, value: Value| {
            let mut claims = good();
            claims.as_object_mut().expect("an object").remove("scope");
            claims[name] = value;
            check(settings, &claims).expect("it is good").identity.scopes.to_string()
        };
        let plain = settings();
        assert_eq!(scopes(&plain, "scope", json!("")), "");
        assert_eq!(scopes(&plain, "scope", json!("openid  email packs:list  x")), "packs:list");
        assert_eq!(scopes(&plain, "scp", json!(["packs:call:http.*", 1, "a b"])), "packs:call:http.*");
        assert_eq!(scopes(&plain, "scp", json!("packs:list admin")), "admin packs:list");
        assert_eq!(scopes(&plain, "roles", json!("packs:call")), "");
        let mut named = settings();
        named.scope_prefix = "api://packs/".into();
        assert_eq!(scopes(&named, "scope", json!("packs:call api://packs/packs:list")), "packs:list");
    }

    #[test]
    fn groups_are_those_of_the_claim_that_was_named() {
        let groups = |settings: &OAuthSettings, value: Value| {
            let mut claims = good();
            claims["groups"] = value;
            let proved = check(settings, &claims).expect("it is good");
            proved.identity.groups.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(groups(&settings(), json!(["ops", "Domain Admins", 1, "dev"])), ["dev", "ops"]);
        assert_eq!(groups(&settings(), json!("ops")), ["ops"]);
        let unnamed = OAuthSettings { groups_claim: None, ..settings() };
        assert!(groups(&unnamed, json!(["ops"])).is_empty());
    }

    #[test]
    fn who_does_not_say_all_groups_may_be_in_others() {
        let unnamed = OAuthSettings { groups_claim: None, ..settings() };
        let many: Vec<_> = (0..=Groups::MAX).map(|n| format!("a{n}")).collect();
        for (settings, value, may) in [
            (settings(), json!(["ops", "Domain Admins"]), false),
            (settings(), json!("ops"), false),
            (settings(), json!([]), false),
            (settings(), Value::Null, true),
            (settings(), json!(["ops", 1]), true),
            (settings(), json!({ "ops": true }), true),
            (settings(), json!(many), true),
            (settings(), json!(vec!["ops"; MAX_WORDS + 1]), true),
            (unnamed, json!(["ops"]), true),
        ] {
            let mut claims = good();
            claims["groups"] = value.clone();
            let groups = check(&settings, &claims).expect("it is good").identity.groups;
            assert!(!groups.hold("guests"), "{value}");
            assert_eq!(groups.may_hold("guests"), may, "{value}");
        }
        let proved = check(&settings(), &good()).expect("it is good");
        assert!(proved.identity.groups.may_hold("guests"), "a token without the claim");
    }
}
