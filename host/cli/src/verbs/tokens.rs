//! `packhost tokens`: who may call over HTTP. A token comes out once, when it is made.

use std::time::{SystemTime, UNIX_EPOCH};

use packhost_callers::{About, NewToken, Tokens};
use serde_json::json;
use time::OffsetDateTime;

use crate::args::{Create, Expiry, Global, Tokens as Args};
use crate::callers;
use crate::dirs::Dirs;
use crate::exit::Error;
use crate::output::{BOLD, DIM, NOTE, Output, eprintln, println};
use crate::record::{Act, Acts};
use crate::walls::make_dirs;

pub(crate) fn run(global: &Global, args: &Args, output: Output) -> Result<(), Error> {
    let dirs = Dirs::of(global)?;
    make_dirs(global, &dirs)?;
    let tokens = callers::tokens(&dirs)?;
    match args {
        Args::Create(args) => create(&dirs, &tokens, args, output),
        Args::List => list(&tokens, output),
        Args::Revoke { name } => {
            let revoke = || Ok(tokens.revoke(name)?);
            Acts::open(&dirs)?.record(Act::new("tokens.revoke", name), revoke)?;
            output.answer(&json!({ "revoked": name }), || println!("revoked {BOLD}{name}{BOLD:#}"));
            Ok(())
        }
    }
}

/// stdout has the token and nothing else, so that it can be led into a file.
fn create(dirs: &Dirs, tokens: &Tokens, args: &Create, output: Output) -> Result<(), Error> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let new = NewToken {
        name: args.name.clone(),
        scopes: args.scope.clone(),
        groups: args.group.iter().cloned().collect(),
        expires: args.expires.map(|expiry: Expiry| expiry.moment(now)),
    };
    let act = Act::new("tokens.create", &new.name).with_names("scopes", &new.scopes);
    let act = act.with_names("groups", new.groups.iter());
    let act = match new.expires {
        Some(moment) => act.with("expires", day(moment)),
        None => act,
    };
    let begun = Acts::open(dirs)?.begin(act)?;
    let made = tokens.create(new).map_err(Error::from);
    let (secret, about) = begun.end_with(made, |act, (_, about)| act.with("scopes", &about.scopes))?;
    let mut document = json!(about);
    document["token"] = secret.expose().into();
    output.answer(&document, || {
        println!("{}", secret.expose());
        let (name, scopes, until) = (&about.name, &about.scopes, until(&about));
        eprintln!("{DIM}its holder is{DIM:#} {BOLD}token:{name}{BOLD:#}{DIM}, may {scopes}, {until}{DIM:#}");
        eprintln!("{DIM}it is not shown again{DIM:#}");
    });
    Ok(())
}

fn list(tokens: &Tokens, output: Output) -> Result<(), Error> {
    let tokens = tokens.list()?;
    output.answer(&json!({ "tokens": tokens }), || {
        if tokens.is_empty() {
            println!("no tokens; `packhost tokens create --help` says how to make one");
        }
        let widest = tokens.iter().map(|about| about.name.as_str().len()).max().unwrap_or(0);
        for about in &tokens {
            let (name, scopes, made, until) =
                (about.name.as_str(), &about.scopes, day(about.created), until(about));
            let groups: Vec<_> = about.groups.iter().map(|group| format!(" group:{group}")).collect();
            let groups = groups.concat();
            let over = if about.has_expired() { NOTE } else { DIM };
            println!(
                "{BOLD}{name:widest$}{BOLD:#}  {scopes}{groups}  {DIM}made {made},{DIM:#} {over}{until}{over:#}"
            );
        }
    });
    Ok(())
}

fn until(about: &About) -> String {
    match about.expires {
        None => "never expires".to_owned(),
        Some(moment) if about.has_expired() => format!("expired on {}", day(moment)),
        Some(moment) => format!("expires on {}", day(moment)),
    }
}

/// The day of a moment in seconds since 1970, in UTC: `2026-01-31`.
fn day(seconds: u64) -> String {
    let moment =
        i64::try_from(seconds).ok().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    moment.map_or_else(|| "?".into(), |moment| moment.date().to_string())
}
