//! Bindings as the command line has them.

use packhost_core::{ErrorCode, Failure, Placement};
use packhost_vault::Binding;
use serde_json::{Value, json};

use crate::args::Bindings as Args;
use crate::exit::{Error, sentence};

/// A set of options that works, for those who have none.
const EXAMPLE: &str = "--host api.github.com --header authorization:Bearer --pack 'github.*'";

/// The bindings that were asked for; none where no option was given.
pub(super) fn read(args: &Args) -> Result<Vec<Binding>, Error> {
    let mut bindings = Vec::new();
    for json in &args.bind {
        let read = serde_json::from_str(json).map_err(|error| wrong(&format!("--bind: {error}")))?;
        bindings.push(read);
    }
    if let Some(written) = of_options(args)? {
        bindings.push(serde_json::from_value(written).map_err(|error| wrong(&error.to_string()))?);
    }
    Ok(bindings)
}

/// What to say to somebody who gave none, with a command that works.
pub(super) fn none(verb: &str, end: &str) -> Error {
    let message =
        "A credential without a binding cannot be used: say which packs may put it where, for which hosts.";
    Failure::new(ErrorCode::InvalidInput, message)
        .fix(format!("For example: packhost vault {verb} {EXAMPLE}{end}"))
        .into()
}

fn wrong(why: &str) -> Error {
    Failure::new(ErrorCode::InvalidInput, sentence(why)).fix(format!("For example: {EXAMPLE}")).into()
}

/// The JSON of the one binding that the options make.
fn of_options(args: &Args) -> Result<Option<Value>, Error> {
    let places = places(args);
    let narrows = [
        args.caller.is_empty(),
        args.port.is_empty(),
        args.method.is_empty(),
        !args.allow_plain,
        args.sign.is_none(),
    ];
    let parts = [
        (args.host.is_empty(), "--host"),
        (places.is_empty(), "--header, --query, --path or --body"),
        (args.pack.is_empty(), "--pack"),
    ];
    let absent: Vec<&str> = parts.iter().filter(|(absent, _)| *absent).map(|(_, option)| *option).collect();
    if absent.len() == parts.len() && narrows.iter().all(|absent| *absent) {
        return Ok(None);
    }
    if !absent.is_empty() {
        return Err(wrong(&format!("a binding also needs {}", absent.join(" and "))));
    }
    let mut binding =
        json!({ "hosts": args.host, "places": places, "packs": args.pack, "plain": args.allow_plain });
    if !args.port.is_empty() {
        binding["ports"] = json!(args.port);
    } else if args.allow_plain {
        binding["ports"] = json!([443, 80]);
    }
    if !args.method.is_empty() {
        binding["methods"] = json!(args.method);
    }
    if !args.caller.is_empty() {
        binding["callers"] = json!(args.caller);
    }
    if let Some(sign) = &args.sign {
        binding["sign"] = serde_json::from_str(sign).map_err(|error| wrong(&format!("--sign: {error}")))?;
    }
    Ok(Some(binding))
}

fn places(args: &Args) -> Vec<Placement> {
    let header = |text: &String| {
        let (name, scheme) =
            text.split_once(':').map_or((text.as_str(), None), |(name, scheme)| (name, Some(scheme)));
        Placement::Header {
            name: name.trim().to_owned(),
            scheme: scheme.map(|scheme| scheme.trim().to_owned()),
        }
    };
    let query = |name: &String| Placement::Query { name: name.clone() };
    let headers = args.header.iter().map(header);
    let others = [(args.path, Placement::Path), (args.body, Placement::Body)];
    let others = others.into_iter().filter(|(may, _)| *may).map(|(_, place)| place);
    headers.chain(args.query.iter().map(query)).chain(others).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn github() -> Args {
        Args {
            host: strings(&["api.github.com"]),
            header: strings(&["Authorization: Bearer"]),
            pack: strings(&["github.*"]),
            ..Args::default()
        }
    }

    fn written(args: &Args) -> Value {
        json!(read(args).expect("good options"))
    }

    #[test]
    fn options_make_one_binding() {
        let header = json!({ "header": { "name": "authorization", "scheme": "Bearer" } });
        let short = json!({ "hosts": ["api.github.com"], "places": [header], "packs": ["github.*"] });
        assert_eq!(written(&github()), json!([short]));
        let long = Args {
            query: strings(&["key"]),
            path: true,
            body: true,
            caller: strings(&["local"]),
            method: strings(&["GET"]),
            port: vec![8443],
            allow_plain: true,
            bind: vec![short.to_string()],
            ..github()
        };
        let places = json!([header, { "query": { "name": "key" } }, "path", "body"]);
        let made = json!({ "hosts": ["api.github.com"], "ports": [8443], "plain": true, "methods": ["GET"],
            "places": places, "packs": ["github.*"], "callers": ["local"] });
        assert_eq!(written(&long), json!([short, made]));
        let sign = json!({ "jwt": { "algorithm": "RS256", "claims": { "iss": "1" }, "lifetime_s": 60 } });
        let signed = written(&Args { sign: Some(sign.to_string()), ..github() });
        assert_eq!(signed[0]["sign"], sign);
        let plain = written(&Args { allow_plain: true, ..github() });
        assert_eq!(plain[0]["ports"], json!([443, 80]), "without TLS there is another usual port");
    }

    #[test]
    fn half_a_binding_is_refused_with_what_it_lacks() {
        assert!(read(&Args::default()).expect("nothing is asked for").is_empty());
        let lacks = |args: Args, words: &str| {
            let refused = read(&args).expect_err(words).to_string();
            assert!(refused.contains(words), "{refused}");
        };
        lacks(Args { pack: Vec::new(), ..github() }, "also needs --pack.");
        lacks(Args { header: Vec::new(), ..github() }, "also needs --header, --query, --path or --body.");
        lacks(Args { allow_plain: true, ..Args::default() }, "--host and --header");
        lacks(Args { header: strings(&["user-agent"]), ..github() }, "user-agent");
        lacks(Args { host: strings(&["https://a.example"]), ..github() }, "no host");
        lacks(Args { sign: Some("{}".into()), ..Args::default() }, "--host and --header");
        lacks(Args { sign: Some("{".into()), ..github() }, "--sign: ");
        lacks(Args { sign: Some(r#"{"rot13": {}}"#.into()), ..github() }, "rot13");
        lacks(Args { bind: strings(&["{}"]), ..Args::default() }, "--bind: ");
    }
}
