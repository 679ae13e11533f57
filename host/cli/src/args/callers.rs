//! The command lines of tokens, and of who may call a host that serves.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args as ClapArgs, Subcommand};
use ipnet::IpNet;
use packhost_audit::When;
use packhost_callers::TokenName;
use packhost_core::{Group, Scope};
use time::Date;
use url::Url;

const CREATE: &str = "The token is made by this host, printed once on stdout, and cannot be shown again: what is kept is its \
digest. Its holder is the caller token:NAME.

  packhost tokens create laptop --expires 90d --scope 'packs:call:web.*' > token

A scope is packs:call (every pack that the manifest lets the caller call), packs:call:web.scrape, packs:call:web.*, packs:list \
(see what could be called), packs:* (both), artifacts:read, artifacts:write, audit:read or admin (everything).";

/// `packhost tokens`
#[derive(Debug, Subcommand)]
pub(crate) enum Tokens {
    /// Make a token and print it
    #[command(after_help = CREATE)]
    Create(Create),
    /// List the tokens of this host; what they are is not shown
    List,
    /// Take a token back: from now on its holder is refused, also by a host that runs
    Revoke {
        /// The token, as `list` names it
        name: TokenName,
    },
}

/// `packhost tokens create`
#[derive(Debug, ClapArgs)]
pub(crate) struct Create {
    /// What the records call its holder: letters, digits, dots, - and _
    pub(crate) name: TokenName,
    /// When it stops being good: after a time such as 12h, 90d or 4w, or at the start of a day (UTC) such as 2027-01-31.
    /// Without it, never
    #[arg(long, value_name = "TIME")]
    pub(crate) expires: Option<Expiry>,
    /// What its holder may do; repeatable. Without it packs:*, artifacts:read and artifacts:write
    #[arg(long, value_name = "SCOPE")]
    pub(crate) scope: Vec<Scope>,
    /// A group that its holder is in, which a manifest may name as group:GROUP; repeatable
    #[arg(long, value_name = "GROUP")]
    pub(crate) group: Vec<Group>,
}

/// When something is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expiry {
    After(Duration),
    On(Date),
}

impl Expiry {
    /// The moment, in seconds since 1970.
    pub(crate) fn moment(self, now: u64) -> u64 {
        match self {
            Self::After(time) => now.saturating_add(time.as_secs()),
            Self::On(day) => u64::try_from(day.midnight().assume_utc().unix_timestamp()).unwrap_or(0),
        }
    }
}

impl FromStr for Expiry {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        When::time(text).map(Self::After).or_else(|| When::day(text).map(Self::On)).ok_or_else(|| {
            "a number and s, m, h, d or w, such as 90d; or a day, such as 2027-01-31".to_owned()
        })
    }
}

/// Who may call a host that serves, besides the holders of tokens that it has made.
#[derive(Debug, Clone, ClapArgs)]
#[command(next_help_heading = "Who may call")]
pub(crate) struct WhoMayCall {
    /// A file with one `name token` a line; only their holders are answered. The tokens are read from the file so
    /// that they are on no command line
    #[arg(long, value_name = "FILE")]
    pub(crate) tokens: Option<PathBuf>,
    /// Requests that one caller may make in a minute; 0 is no limit. The local user has none
    #[arg(long, value_name = "N", default_value_t = 6000)]
    pub(crate) requests_per_minute: u32,
    /// An authorization server (OAuth 2.1) whose access tokens are accepted: its issuer URL, to the letter
    #[arg(long, value_name = "URL", requires = "oauth_audience")]
    pub(crate) oauth_issuer: Option<String>,
    /// What a token must be for: first the URL under which clients know this host, such as https://packs.example.com/mcp;
    /// repeatable, for servers that write something else there
    #[arg(long, value_name = "URL", requires = "oauth_issuer")]
    pub(crate) oauth_audience: Vec<String>,
    /// Where the issuer's keys are. Without it, where its metadata says, at its own origin
    #[arg(long, value_name = "URL", requires = "oauth_issuer")]
    pub(crate) oauth_jwks: Option<Url>,
    /// A scope that the issuer can grant, as clients are told them; repeatable, the smallest first. Without it packs:call
    #[arg(long, value_name = "SCOPE", requires = "oauth_issuer")]
    pub(crate) oauth_scope: Vec<Scope>,
    /// What the issuer writes in front of scopes of this host, such as api://packhost/
    #[arg(
        long,
        value_name = "TEXT",
        requires = "oauth_issuer",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) oauth_scope_prefix: String,
    /// The claim with the groups of a caller. Without it, tokens say nothing of groups
    #[arg(long, value_name = "CLAIM", requires = "oauth_issuer")]
    pub(crate) oauth_groups: Option<String>,
    /// The type of token that is accepted (`typ`), such as JWT; repeatable. Without it at+jwt (RFC 9068)
    #[arg(long, value_name = "TYPE", requires = "oauth_issuer")]
    pub(crate) oauth_type: Vec<String>,
    /// By how many seconds the issuer's clock may be wrong
    #[arg(long, value_name = "SECONDS", requires = "oauth_issuer", default_value_t = 60, value_parser = clap::value_parser!(u16).range(0..=600))]
    pub(crate) oauth_skew: u16,
    /// A network outside of the public internet in which the issuer may be, such as 10.1.0.0/16; repeatable. With one of
    /// loopback the issuer may be without TLS there
    #[arg(long, value_name = "CIDR", requires = "oauth_issuer")]
    pub(crate) oauth_network: Vec<IpNet>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_or_a_day_says_when_it_is_over() {
        let moment = |text: &str| text.parse::<Expiry>().expect(text).moment(1000);
        for (text, seconds) in [
            ("1s", 1001),
            ("5m", 1300),
            ("12h", 44_200),
            ("90d", 7_777_000),
            ("2w", 1_210_600),
            ("2027-01-31", 1_801_353_600),
            ("1970-01-01", 0),
        ] {
            assert_eq!(moment(text), seconds, "{text}");
        }
        for wrong in [
            "",
            "0s",
            "1",
            "d",
            "-1d",
            "1.5h",
            "1 d",
            "1y",
            "99999999999999999999d",
            "40000d",
            "2027-1-31",
            "2027-02-29",
            "2027-13-01",
            "2027-01-31-",
            "+027-01-31",
            "27-01-31",
            "é",
        ] {
            assert!(wrong.parse::<Expiry>().is_err(), "{wrong}");
        }
    }
}
