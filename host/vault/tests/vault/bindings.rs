//! Where a credential may be used, and what is no binding.

use packhost_core::Caller;
use packhost_core::Placement;
use packhost_vault::{Binding, Unbound};

use crate::{Tried, binding, github};

#[test]
fn everything_has_to_fit() {
    assert_eq!(github().admits(&Tried::good().of()), Ok(()));
    let other = |change: fn(&mut Tried)| {
        let mut tried = Tried::good();
        change(&mut tried);
        github().admits(&tried.of())
    };
    let url = |tried: &mut Tried, text: &str| tried.url = text.parse().expect("a good URL");
    assert_eq!(other(|t| t.pack = "http.fetch".parse().expect("a name")), Err(Unbound::Pack));
    assert_eq!(other(|t| t.pack = "github".parse().expect("a name")), Err(Unbound::Pack));
    assert_eq!(other(|t| t.pack = "githubber.x".parse().expect("a name")), Err(Unbound::Pack));
    assert_eq!(other(|t| t.method = "DELETE"), Ok(()));
    for (text, why) in [
        ("https://github.com/", Err(Unbound::Host)),
        ("https://api.github.com.evil.example/", Err(Unbound::Host)),
        ("https://evil.example/?api.github.com", Err(Unbound::Host)),
        ("https://api.github.com:8443/", Err(Unbound::Host)),
        ("https://API.GitHub.com/", Ok(())),
        ("https://api.github.com./", Ok(())),
        ("http://api.github.com:443/", Err(Unbound::Plain)),
    ] {
        let mut tried = Tried::good();
        url(&mut tried, text);
        assert_eq!(github().admits(&tried.of()), why, "{text}");
    }
    for place in [
        Placement::Header { name: "authorization".into(), scheme: Some("Basic".into()) },
        Placement::Header { name: "authorization".into(), scheme: None },
        Placement::Header { name: "cookie".into(), scheme: Some("Bearer".into()) },
        Placement::Query { name: "authorization".into() },
        Placement::Path,
        Placement::Body,
    ] {
        let tried = Tried { place, ..Tried::good() };
        assert_eq!(github().admits(&tried.of()), Err(Unbound::Place), "{:?}", tried.place);
    }
}

#[test]
fn methods_paths_callers_and_plain_connections_are_bound_where_they_are_named() {
    let narrow = binding(
        r#"{ "hosts": ["intra.example"], "ports": [80], "plain": true, "methods": ["POST"], "paths": ["/hooks/*"],
             "places": ["body"], "packs": ["http.fetch"], "callers": ["token:ci"] }"#,
    );
    let tried = |caller, method, url: &str| {
        let pack = "http.fetch".parse().expect("a name");
        let url = url.parse().expect("a good URL");
        let tried = Tried { pack, caller, method, url, place: Placement::Body };
        narrow.admits(&tried.of())
    };
    let ci = || Caller::token("ci");
    assert_eq!(tried(ci(), "POST", "http://intra.example/hooks/1"), Ok(()));
    assert_eq!(tried(Caller::local(), "POST", "http://intra.example/hooks/1"), Err(Unbound::Caller));
    assert_eq!(tried(ci(), "GET", "http://intra.example/hooks/1"), Err(Unbound::Request));
    assert_eq!(tried(ci(), "POST", "http://intra.example/hooks/1/2"), Err(Unbound::Request));
    assert_eq!(tried(ci(), "POST", "http://intra.example/hooks/..%2fadmin"), Err(Unbound::Request));
}

#[test]
fn of_several_bindings_one_is_enough_and_the_closest_says_why_not() {
    let other = binding(r#"{ "hosts": ["b.example"], "packs": ["http.fetch"], "places": ["body"] }"#);
    let both = [other, github()];
    assert_eq!(Binding::any_admits(&both, &Tried::good().of()), Ok(&both[1]));
    let mut tried = Tried::good();
    tried.place = Placement::Path;
    assert_eq!(Binding::any_admits(&both, &tried.of()), Err(Unbound::Place));
    assert_eq!(Binding::any_admits(&[], &tried.of()), Err(Unbound::Nowhere));
}

#[test]
fn a_binding_is_written_as_it_was_read() {
    for text in [
        r#"{"hosts":["api.github.com"],"places":[{"header":{"name":"authorization","scheme":"Bearer"}}],"packs":["github.*"]}"#,
        r#"{"hosts":["*.example.com","10.0.0.1"],"ports":[8443],"methods":["GET"],"paths":["/a/**"],"places":[{"query":{"name":"key"}},"path","body"],"packs":["a.b"],"callers":["local"]}"#,
    ] {
        assert_eq!(serde_json::json!(binding(text)).to_string(), text);
    }
}

#[test]
fn what_grants_nothing_or_too_much_is_no_binding() {
    let with = |key: &str, value: &str| {
        let mut json = serde_json::json!({
            "hosts": ["a.example"], "packs": ["a"], "places": ["body"],
        });
        json[key] = serde_json::from_str(value).expect("JSON");
        serde_json::from_value::<Binding>(json).map_err(|error| error.to_string())
    };
    for key in ["hosts", "ports", "methods", "paths", "places", "packs", "callers"] {
        let refused = with(key, "[]").expect_err(key);
        assert!(refused.contains(key), "{refused}");
    }
    for (key, value) in [
        ("hosts", r#"["*"]"#),
        ("hosts", r#"["*.com"]"#),
        ("hosts", r#"["https://a.example"]"#),
        ("hosts", r#"["${input.host}.a.example"]"#),
        ("paths", r#"["a"]"#),
        ("paths", r#"["/${input.a}"]"#),
        ("methods", r#"["get"]"#),
        ("packs", r#"["*"]"#),
        ("packs", r#"["a*"]"#),
        ("places", r#"["header"]"#),
        ("places", r#"[{"header": {"name": "a b"}}]"#),
        ("places", r#"[{"header": {"name": "a", "scheme": "Bearer x"}}]"#),
        ("places", r#"[{"query": {"name": ""}}]"#),
        ("surprise", "1"),
    ] {
        assert!(with(key, value).is_err(), "{key}: {value}");
    }
    for header in [
        "User-Agent",
        "Origin",
        "referer",
        "X-Request-Id",
        "traceparent",
        "Sec-CH-UA",
        "Host",
        "X-Forwarded-For",
    ] {
        let refused =
            with("places", &format!(r#"[{{"header": {{"name": "{header}"}}}}]"#)).expect_err(header);
        assert!(refused.contains(&header.to_lowercase()), "{refused}");
    }
}
