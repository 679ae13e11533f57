//! An entry is taken under a ceiling exactly if brute force finds nothing that the ceiling does not allow.

use std::path::PathBuf;

use packhost_manifest::{Decision, Limits, Manifest, Origin, Source};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::oracle::{
    ceiling_rule, entry_rule, inputs, parse, requests, rules_yaml, session_rule, session_yaml, source, vars,
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn containment_agrees_with_brute_force(rule in entry_rule(), ceiling in prop::collection::vec(ceiling_rule(), 1..5), report in 0..4_u8) {
        let with = |mut map: Value, report: bool| {
            if report {
                map["report"] = true.into();
            }
            map
        };
        let (reports, may_report) = (report == 1 || report == 3, report >= 2);
        let set = [source("a.yaml", &json!({
            "version": 1,
            "packs": { "a": with(json!({ "http": rules_yaml(std::slice::from_ref(&rule)) }), reports) },
            "ceiling": with(json!({ "http": rules_yaml(&ceiling) }), may_report),
        }))];
        let beyond = inputs().into_iter().find_map(|input| {
            requests().into_iter().find(|request| {
                rule.allows(request, &input) && !ceiling.iter().any(|own| own.allows(request, &input))
            })
        });
        match (Manifest::parse(&set), beyond) {
            (Ok(_), None) if reports && !may_report => prop_assert!(false, "taken, though it reports"),
            (Err(_), None) if reports && !may_report => {}
            (Ok(_), Some(request)) => prop_assert!(false, "taken, though it allows {request:?}"),
            (Err(errors), None) => prop_assert!(false, "refused, though brute force finds nothing: {errors}"),
            _ => {}
        }
    }

    #[test]
    fn what_leaves_a_sandbox_is_contained_as_brute_force_finds(rule in session_rule(), ceiling in prop::collection::vec(ceiling_rule(), 0..5)) {
        let set = [source("a.yaml", &json!({
            "version": 1,
            "packs": { "a": { "session": { "on": ["docker"], "image": "i", "http": [session_yaml(&rule)] } } },
            "ceiling": { "session": { "on": ["docker"], "images": ["i"], "http": rules_yaml(&ceiling) } },
        }))];
        let beyond = inputs().into_iter().find_map(|input| {
            requests().into_iter().find(|request| {
                rule.allows(request, &input) && !ceiling.iter().any(|own| own.allows(request, &input))
            })
        });
        match (Manifest::parse(&set), beyond) {
            (Ok(_), Some(request)) => prop_assert!(false, "taken, though it allows {request:?}"),
            (Err(errors), None) => prop_assert!(false, "refused, though brute force finds nothing: {errors}"),
            _ => {}
        }
    }

    #[test]
    fn sandboxes_are_contained_as_brute_force_finds(own in sandbox(), other in sandbox(), differs in 0..6_usize, times in prop::array::uniform4(1..4_u8), may_have in 0..4_u8) {
        let [idle, lifetime, most_idle, most_lifetime] = times;
        let (ceiling, may_have) = (own.but_for(differs, &other), may_have > 0);
        let session = json!({
            "on": own.on, "image": own.image, "files": { "read_write": own.write, "read_only": own.read },
            "env": own.env.iter().map(|name| ((*name).to_owned(), json!("x"))).collect::<serde_json::Map<_, _>>(),
            "idle": format!("{idle}m"), "lifetime": format!("{lifetime}h"),
        });
        let bound = json!({
            "on": ceiling.on, "images": [ceiling.image], "files": { "read_write": ceiling.write, "read_only": ceiling.read },
            "env": ceiling.env, "idle": format!("{most_idle}m"), "lifetime": format!("{most_lifetime}h"),
        });
        let below = |path: &&str, outer: &[&str]| outer.iter().any(|outer| path == outer || path.starts_with(&format!("{outer}/")));
        let within = may_have
            && own.on.iter().all(|backend| ceiling.on.contains(backend))
            && (own.image == ceiling.image || own.image.strip_suffix(DIGEST) == Some(ceiling.image.as_str()))
            && own.write.iter().all(|path| below(path, &ceiling.write))
            && own.read.iter().all(|path| below(path, &ceiling.read) || below(path, &ceiling.write))
            && own.env.iter().all(|name| ceiling.env.contains(name))
            && idle <= most_idle
            && lifetime <= most_lifetime;
        let bounds = if may_have { json!({ "session": bound }) } else { json!({}) };
        let set = json!({ "version": 1, "packs": { "a": { "session": session } }, "ceiling": bounds });
        let parsed = Manifest::parse(&[source("a.yaml", &set)]);
        prop_assert_eq!(parsed.is_ok(), within, "{}: {:?}", set, parsed.map(drop));
    }

    #[test]
    fn addresses_are_contained_as_brute_force_finds(own in nets(), ceiling in nets(), split in nets()) {
        let rule = |nets: &[&str]| json!({ "host": "a.test", "methods": ["GET"], "addresses": nets });
        // A ceiling may say it in several rules.
        let rules: Value = [&ceiling, &split].iter().filter(|nets| !nets.is_empty()).map(|nets| rule(nets)).collect();
        let entry = if own.is_empty() { json!({ "host": "a.test", "methods": ["GET"] }) } else { rule(&own) };
        let packs = json!({ "a": { "http": [entry] } });
        let alone = parse(&[source("a.yaml", &json!({ "version": 1, "packs": packs }))]);
        let most = parse(&[source("a.yaml", &json!({ "version": 1, "packs": { "a": { "http": rules } } }))]);
        let (alone, most) = (reached(&alone), reached(&most));
        let within = alone.iter().all(|address| most.contains(address));
        let set = json!({ "version": 1, "packs": packs, "ceiling": { "http": rules } });
        let parsed = Manifest::parse(&[source("a.yaml", &set)]);
        prop_assert_eq!(parsed.is_ok(), within, "{:?} within {:?}: {:?}", alone, most, parsed.map(drop));
    }

    #[test]
    fn directories_are_contained_as_brute_force_finds(own in directory(), writes in any::<bool>(), ceiling in prop::collection::vec((bound(), any::<bool>()), 0..4)) {
        let mode = |writes: bool| if writes { "read-write" } else { "read-only" };
        let rule = json!({ "host": own, "guest": "/f", "mode": mode(writes) });
        let bounds: Value = ceiling.iter().map(|(host, writes)| json!({ "host": host, "mode": mode(*writes) })).collect();
        let packs = json!({ "a": { "fs": [rule] } });
        let alone = parse(&[source("a.yaml", &json!({ "version": 1, "packs": packs }))]);
        let within = ["q", "a", "b"].iter().all(|value| {
            let grants = alone.entries().next().unwrap().narrow(&json!({ "v": value }), &vars());
            grants.fs.iter().all(|grant| {
                ceiling.iter().any(|(host, may_write)| grant.host.starts_with(real(host)) && (*may_write || !writes))
            })
        });
        let set = json!({ "version": 1, "packs": packs, "ceiling": { "fs": bounds } });
        let parsed = Manifest::parse(&[source("a.yaml", &set)]);
        // A ceiling compares paths as they are written; none of these names one place in two ways.
        prop_assert_eq!(parsed.is_ok(), within, "{}: {:?}", set, parsed.map(drop));
    }

    #[test]
    fn names_and_limits_are_contained_as_brute_force_finds(own in names(), ceiling in names(), asks in names(), may_ask in names(), at in 0..Limits::TABLE.len(), value in 0..4_u64, most in 0..4_u64) {
        let limit = &Limits::TABLE[at];
        let step = |n: u64| json_limit(at, limit.min + (limit.max - limit.min) / 4 * n);
        let map = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), json!("x"))).collect::<serde_json::Map<_, _>>();
        let ask = |names: &[&str]| names.iter().map(|name| if *name == "A" { "user" } else { "model" }).collect::<Vec<_>>();
        let within = own.iter().all(|name| ceiling.contains(name))
            && ask(&asks).iter().all(|whom| ask(&may_ask).contains(whom))
            && value <= most;
        for key in ["env", "config"] {
            let set = json!({
                "version": 1,
                "packs": { "a": { key: map(&own), "ask": ask(&asks), "limits": { limit.name: step(value) } } },
                "ceiling": { key: ceiling, "ask": ask(&may_ask), "limits": { limit.name: step(most) } },
            });
            prop_assert_eq!(Manifest::parse(&[source("a.yaml", &set)]).is_ok(), within, "{}", set);
        }
    }
}

const DIGEST: &str = "@sha256:0000000000000000000000000000000000000000000000000000000000000000";

#[derive(Debug, Clone)]
struct Sandbox {
    on: Vec<&'static str>,
    image: String,
    write: Vec<&'static str>,
    read: Vec<&'static str>,
    env: Vec<&'static str>,
}

impl Sandbox {
    /// The same with one field of another, so that most of these are on either side of the edge.
    fn but_for(&self, field: usize, other: &Self) -> Self {
        let mut one = self.clone();
        match field {
            0 => one.on = other.on.clone(),
            1 => one.image = other.image.clone(),
            2 => one.write = other.write.clone(),
            3 => one.read = other.read.clone(),
            4 => one.env = other.env.clone(),
            _ => {}
        }
        one
    }
}

fn sandbox() -> impl Strategy<Value = Sandbox> {
    let on = prop::sample::subsequence(vec!["process", "docker"], 1..=2).prop_shuffle();
    let image = (prop::sample::select(vec!["a", "b"]), any::<bool>())
        .prop_map(|(name, pinned)| format!("{name}{}", if pinned { DIGEST } else { "" }));
    let write = prop::sample::subsequence(vec!["/w", "/w/a", "/wa"], 0..=3);
    let read = prop::sample::subsequence(vec!["/r", "/r/a", "/ra"], 0..=3);
    (on, image, write, read, names()).prop_map(|(on, image, write, read, env)| Sandbox {
        on,
        image,
        write,
        read,
        env,
    })
}

/// Networks that overlap in every way, with holes that no rule opens, and public halves.
fn nets() -> impl Strategy<Value = Vec<&'static str>> {
    let all = vec![
        "10.0.0.0/7",
        "10.0.0.0/8",
        "10.0.0.0/9",
        "10.128.0.0/9",
        "10.0.0.1/32",
        "100.64.0.0/10",
        "100.100.100.0/24",
        "fd00::/8",
        "fd00:ec2::/31",
        "::1/128",
    ];
    prop::sample::subsequence(all, 0..4)
}

/// Which of some addresses a request of the pack to a.test may go to: the ends and the middles of the networks.
fn reached(manifest: &Manifest) -> Vec<&'static str> {
    let grants = manifest.entries().next().unwrap().narrow(&json!({}), &vars());
    let Decision::Allowed(allowed) = grants.http.decide("GET", &"https://a.test/".parse().unwrap()) else {
        return Vec::new();
    };
    let all = [
        "8.8.8.8",
        "10.0.0.0",
        "10.0.0.1",
        "10.127.0.1",
        "10.128.0.0",
        "10.255.0.1",
        "11.0.0.1",
        "100.64.0.1",
        "100.100.100.1",
        "100.100.100.200",
        "fd00::1",
        "fd00:ec2::1",
        "fd00:ec3::1",
        "fd01::1",
        "::1",
    ];
    all.into_iter().filter(|ip| allowed.reaches(ip.parse().unwrap())).collect()
}

fn directory() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "${state}/a",
        "${state}/a/b",
        "${state}/a/${input.v}",
        "${state}/a/${input.v}/b",
        "${state}/a/b${input.v}",
        "/srv",
        "/srv/${input.v}",
        "~/a/${input.v}",
    ])
}

fn bound() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "${state}",
        "${state}/a",
        "${state}/a/b",
        "/srv",
        "/srv/a",
        "/srv/q",
        "~",
        "~/a",
        "/",
    ])
}

fn real(host: &str) -> PathBuf {
    host.replace("${state}", "/state").replace('~', "/home/me").into()
}

fn names() -> impl Strategy<Value = Vec<&'static str>> {
    prop::sample::subsequence(vec!["A", "B"], 0..=2)
}

/// A value of a limit as a manifest has it: counts are numbers.
fn json_limit(at: usize, value: u64) -> Value {
    let limit = &Limits::TABLE[at];
    let shown = limit.show(value);
    shown.parse::<u64>().map_or_else(|_| json!(shown), |number| json!(number))
}

#[test]
fn each_counterexample_is_shown() {
    let entries = [
        ("http: [{host: api.x.test, methods: [GET, POST]}]", "may send POST https://api.x.test/"),
        ("http: [{host: api.x.test, methods: [CONNECT]}]", "may send CONNECT https://api.x.test/"),
        ("http: [{host: x.test}]", "may send GET https://x.test/"),
        ("http: [{host: '*.test.test'}]", "may send GET https://any.test.test/"),
        (
            "http: [{host: '${input.a}.${input.b}.x.test'}, {host: '${input.a}.y.test'}]",
            "may send GET https://any.y.test/",
        ),
        (
            "http: [{host: api.x.test, addresses: ['10.0.0.0/7', '172.16.0.0/12']}]",
            "at the address 172.16.0.0",
        ),
        ("http: [{host: 10.0.0.1}]", "may send GET https://10.0.0.1/"),
        ("http: [{host: p.test, paths: ['/v1/**']}]", "may send GET https://p.test/v1"),
        ("http: [{host: p.test}]", "may send GET https://p.test/any"),
        ("http: [{host: whole.test}]", "may send GET https://whole.test/any%2Fpath"),
        ("fs: [{host: '${state}/other', guest: /f}]", "may read ${state}/other"),
        ("fs: [{host: '/srv/${input.p}', guest: /f, mode: read-write}]", "may write /srv/any"),
        ("fs: [{host: '~/x', guest: /f}]", "may read ~/x"),
        ("env: {HOME: x}", "may have the environment variable HOME"),
        ("http: [{host: p.test, paths: [/v1/a], credentials: [A, B]}]", "/v1/a with the credential B"),
        (
            "http: [{host: api.x.test, addresses: ['10.0.0.0/8'], credentials: [A]}]",
            "may send GET https://api.x.test/any with the credential A",
        ),
        ("config: {base-url: x}", "may have the config value base-url"),
        ("ask: [user, model]", "may ask the model"),
        ("workspace: true", "may work in a workspace"),
        ("session: {on: [docker], image: i}", "may start a sandbox on docker, from image i"),
        ("report: true", "may send every request to a public host, also where no rule allows it"),
        ("limits: {time: 20s}", "may use time 20s, and the ceiling is 15s"),
    ];
    let ceiling = "ceiling:\n  http: [{host: '*.x.test', addresses: ['10.0.0.0/9', '10.128.0.0/9']}, {host: p.test, paths: [/v1/*], credentials: [A]}, {host: whole.test, paths: [/**]}]\n  fs: [{host: '${state}/files', mode: read-write}, {host: /srv}]\n  env: [TZ]\n  config: [region]\n  ask: [user]\n  limits: {time: 15s}\n";
    let parse = |entry: &str| {
        let text = format!("version: 1\npacks:\n  a.b:\n    {entry}\n{ceiling}");
        Manifest::parse(&[Source { name: "a.yaml".into(), text, origin: Origin::Operator }])
    };
    for (entry, expected) in entries {
        let errors = parse(entry).expect_err(entry).to_string();
        assert!(errors.contains(expected) && errors.starts_with("a.yaml:4:5"), "{entry}: {errors}");
    }
    for entry in [
        "http: [{host: '*.a.x.test', addresses: ['10.0.0.0/8']}]",
        "http: [{host: '${input.a}.x.test', paths: [/a]}]",
        "http: [{host: p.test, paths: [/v1/a, '/v1/${input.x}']}]",
        "fs: [{host: '${state}/files/${input.p}', guest: /f, mode: read-write}, {host: /srv/x, guest: /g}]",
        "env: {TZ: UTC}",
        "config: {region: x}",
        // What is public needs no ceiling, and half of this network is.
        "http: [{host: api.x.test, addresses: ['10.0.0.0/7']}]",
        "http: [{host: p.test, paths: [/v1/a], credentials: [A]}]",
        "{limits: {time: 15s}, ask: [user]}",
        "{deny: true, env: {HOME: x}, report: true}",
    ] {
        assert!(parse(entry).is_ok(), "{entry}: {}", parse(entry).unwrap_err());
    }
    let manifest = parse("{}").unwrap();
    assert_eq!(manifest.entries().next().unwrap().limits.time.as_secs(), 10);
    let text = "version: 1\npacks: {a: {}}\nceiling: {limits: {time: 3s}}";
    let lowered =
        Manifest::parse(&[Source { name: "a".into(), text: text.into(), origin: Origin::Operator }]).unwrap();
    assert_eq!(lowered.entries().next().unwrap().limits.time.as_secs(), 3);
}
