//! What calls leave, over the HTTP API: artifacts, sandboxes, workspaces and the record, each for its owner.

use packhost_tests::host::{Served, Setup};
use packhost_tests::http::{self, Response};
use packhost_tests::record;
use serde_json::{Value, json};

use crate::{host, text};

const CSV: &str = "name,price\npen,2\n";
const NEVER: &str = "art-00000000000000000000000000";

/// Somebody with a token.
struct Caller<'a> {
    served: &'a Served,
    token: String,
}

/// A host with these callers, each with its scopes; the usual ones where there are none.
fn with<const N: usize>(callers: [(&str, &[&str]); N]) -> (Setup, Served, [String; N]) {
    let setup = host();
    let tokens = callers.map(|(name, scopes)| {
        let scopes = scopes.iter().flat_map(|scope| ["--scope", scope]);
        let made = setup.run(["tokens", "create", name].into_iter().chain(scopes));
        assert_eq!(made.code, 0, "{made:?}");
        made.stdout.trim().to_owned()
    });
    let served = setup.serve(&[]);
    (setup, served, tokens)
}

impl Caller<'_> {
    fn send(&self, method: &str, path: &str, head: &[(&str, &str)], body: &[u8]) -> Response {
        let bearer = format!("Bearer {}", self.token);
        let head = [head, &[("authorization", bearer.as_str())]].concat();
        http::send(self.served.address, &head, method, path, body)
    }

    fn get(&self, path: &str) -> Response {
        self.send("GET", path, &[], b"")
    }

    fn list(&self, path: &str) -> Value {
        let response = self.get(path);
        assert_eq!(response.status, 200, "{path}: {}", response.text());
        response.message()
    }

    fn run(&self, command: &str) -> Value {
        let body = json!({ "input": { "command": command } }).to_string();
        let head = [("content-type", "application/json"), ("user-agent", "shelf/1.2 (tests)")];
        let response = self.send("POST", "/v1/packs/cmd.run/calls", &head, body.as_bytes());
        assert_eq!(response.status, 200, "{}", response.text());
        response.message()
    }
}

/// What a refusal says, without what is said of the request.
fn refusal(response: &Response) -> (u16, Value) {
    let problem = response.message();
    (response.status, json!([problem["code"], problem["detail"], problem["fix"]]))
}

#[test]
fn what_a_call_has_made_is_fetched_whole_and_in_parts_and_removed_by_its_owner() {
    let (setup, served, [token]) = with([("ada", &[])]);
    let ada = Caller { served: &served, token };
    let answer = ada.run(&format!("mkdir out; printf '{CSV}' > out/table.csv"));
    let made = &answer["artifacts"][0];
    assert_eq!((&made["name"], &made["size"]), (&json!("table.csv"), &json!(CSV.len())), "{answer}");
    let place = format!("/v1/artifacts/{}", text(made, "id"));
    assert_eq!(ada.list(&place), *made);
    let content = format!("{place}/content");
    let whole = ada.get(&content);
    assert_eq!((whole.status, whole.text()), (200, CSV.into()));
    assert_eq!(whole.header("content-type"), Some("text/csv"));
    assert_eq!(whole.header("content-disposition"), Some("attachment; filename*=UTF-8''table.csv"));
    assert_eq!(whole.header("content-security-policy"), Some("default-src 'none'; sandbox"));
    let tag = whole.header("etag").expect("a tag");
    for (head, status, part) in [
        (vec![("range", "bytes=5-9")], 206, "price"),
        (vec![("range", "bytes=-2")], 206, "2\n"),
        (vec![("range", "bytes=5-9"), ("if-range", tag)], 206, "price"),
        (vec![("range", "bytes=5-9"), ("if-range", "\"another\"")], 200, CSV),
        (vec![("range", "bytes=0-1,3-4")], 200, CSV),
        (vec![("range", "lines=1-2")], 200, CSV),
    ] {
        let response = ada.send("GET", &content, &head, b"");
        assert_eq!((response.status, response.text().as_str()), (status, part), "{head:?}");
    }
    let beyond = ada.send("GET", &content, &[("range", "bytes=999-")], b"");
    assert_eq!((beyond.status, beyond.header("content-range")), (416, Some("bytes */17")));
    assert_eq!(ada.send("DELETE", &place, &[], b"").status, 204);
    assert_eq!(ada.get(&place).status, 404);
    let acts = record::of_kind(&setup.state(), "act");
    let act = acts.iter().find(|act| act["verb"] == "artifacts.rm").expect("on record");
    assert_eq!((&act["actor"], &act["subject"]), (&json!("token:ada"), &made["id"]), "{act}");
    let call = record::of_kind(&setup.state(), "call").pop().expect("on record");
    assert_eq!((&call["door"], &call["client"]["name"]), (&json!("api"), &json!("shelf")), "{call}");
}

#[test]
fn nothing_that_belongs_to_one_caller_is_there_for_another() {
    let (setup, served, tokens) = with([("ada", &[]), ("bob", &[])]);
    let [ada, bob] = tokens.map(|token| Caller { served: &served, token });
    let answer = ada.run("mkdir out; echo x > out/x");
    let artifact = text(&answer["artifacts"][0], "id");
    let session = ada.list("/v1/sessions")["sessions"][0].clone();
    let workspace = ada.list("/v1/workspaces")["workspaces"][0].clone();
    assert_eq!(workspace["name"], answer["output"]["workspace"], "{answer}");
    for (list, items) in
        [("/v1/artifacts", "artifacts"), ("/v1/sessions", "sessions"), ("/v1/workspaces", "workspaces")]
    {
        assert_eq!(bob.list(list)[items], json!([]), "{list}");
        let all = bob.get(&format!("{list}?all=true"));
        assert_eq!(all.status, 403, "{}", all.text());
        assert!(all.text().contains("\\\"admin\\\""), "{}", all.text());
    }
    let session = text(&session, "id");
    let workspace = text(&workspace, "name");
    // Each beside one that never was.
    for (method, theirs, never) in [
        ("GET", format!("/v1/artifacts/{artifact}"), format!("/v1/artifacts/{NEVER}")),
        ("GET", format!("/v1/artifacts/{artifact}/content"), format!("/v1/artifacts/{NEVER}/content")),
        ("DELETE", format!("/v1/artifacts/{artifact}"), format!("/v1/artifacts/{NEVER}")),
        ("DELETE", format!("/v1/sessions/{session}"), "/v1/sessions/nothing".into()),
        ("DELETE", format!("/v1/workspaces/{workspace}"), "/v1/workspaces/ws-0000000000000000".into()),
    ] {
        let refused = refusal(&bob.send(method, &theirs, &[], b""));
        assert_eq!(refused.0, 404, "{method} {theirs}");
        assert_eq!(refused, refusal(&bob.send(method, &never, &[], b"")), "{method} {theirs}");
    }
    assert!(record::of_kind(&setup.state(), "act").iter().all(|act| act["actor"] != "token:bob"));
    assert_eq!(ada.send("DELETE", &format!("/v1/sessions/{session}"), &[], b"").status, 204);
    assert_eq!(ada.list("/v1/sessions")["sessions"], json!([]));
    assert_eq!(ada.send("DELETE", &format!("/v1/workspaces/{workspace}"), &[], b"").status, 204);
    assert_eq!(ada.list("/v1/workspaces")["workspaces"], json!([]));
}

#[test]
fn an_operator_sees_what_everybody_has_and_only_who_may_read_the_record_does() {
    let (_setup, served, tokens) =
        with([("ada", &["packs:*"]), ("root", &["admin"]), ("reader", &["audit:read"])]);
    let [ada, root, reader] = tokens.map(|token| Caller { served: &served, token });
    let answer = ada.run("mkdir out; echo x > out/x");
    let artifact = text(&answer["artifacts"][0], "id");
    let refused = ada.get(&format!("/v1/artifacts/{artifact}"));
    assert!(refused.status == 403 && refused.text().contains("artifacts:read"), "{}", refused.text());
    let removal = ada.send("DELETE", &format!("/v1/artifacts/{artifact}"), &[], b"");
    assert!(removal.status == 403 && removal.text().contains("artifacts:write"), "{}", removal.text());
    assert_eq!(root.list("/v1/sessions?all=true")["sessions"][0]["owner"], "token:ada");
    assert_eq!(root.list("/v1/workspaces?all=true")["workspaces"][0]["owner"], "token:ada");
    let all = root.list("/v1/artifacts?all=true");
    assert!(all["artifacts"].as_array().expect("a list").iter().any(|one| one["id"] == artifact), "{all}");
    assert_eq!(root.list("/v1/artifacts")["artifacts"], json!([]));
    let content = root.get(&format!("/v1/artifacts/{artifact}/content?all=true"));
    assert_eq!((content.status, content.text()), (200, "x\n".into()));

    assert_eq!(ada.get("/v1/audit").status, 403);
    let calls = reader.list("/v1/audit?kind=call&caller=token:ada");
    let record = &calls["records"][0];
    assert_eq!(record["body"]["run"], answer["run"], "{calls}");
    let both = reader.list("/v1/audit?kind=act,call&since=1h");
    assert!(both["records"].as_array().expect("a list").len() >= 4, "{both}");
    let page = reader.list("/v1/audit?limit=1");
    let newest = page["records"][0]["n"].as_u64().expect("a number");
    assert_eq!(page["next"], newest);
    let older = reader.list(&format!("/v1/audit?limit=1&before={newest}"));
    assert_eq!(older["records"][0]["n"], newest - 1, "{older}");
    for wrong in ["limit=0", "limit=1001", "since=yesterday", "colour=red", "before=-1"] {
        let refused = reader.get(&format!("/v1/audit?{wrong}"));
        let problem = refused.message();
        assert_eq!((refused.status, &problem["code"]), (400, &json!("invalid_input")), "{wrong}");
        assert!(text(&problem, "title").starts_with("The request"), "a query has no schema: {problem}");
    }
}

#[test]
fn a_link_is_good_without_a_token_for_its_artifact_its_time_and_its_caller() {
    let (setup, served, tokens) = with([("ada", &[]), ("bob", &[])]);
    let [ada, bob] = tokens.map(|token| Caller { served: &served, token });
    let answer = ada.run(&format!("mkdir out; printf '{CSV}' > out/table.csv"));
    let place = format!("/v1/artifacts/{}/links", text(&answer["artifacts"][0], "id"));
    assert_eq!(bob.send("POST", &place, &[], b"").status, 404);
    assert_eq!(ada.send("POST", &format!("{place}?seconds=604801"), &[], b"").status, 400);
    let made = ada.send("POST", &place, &[], b"");
    assert_eq!(made.status, 201, "{}", made.text());
    let link = text(&made.message(), "url").to_owned();
    let follow = |link: &str| http::send(served.address, &[], "GET", link, b"");
    let whole = follow(&link);
    assert_eq!(
        (whole.status, whole.text(), whole.header("content-type")),
        (200, CSV.into(), Some("text/csv"))
    );
    let part = http::send(served.address, &[("range", "bytes=0-3")], "GET", &link, b"");
    assert_eq!((part.status, part.text()), (206, "name".into()));
    // Any letter that is another makes it another link. (The last of base64 may hold bits that mean nothing.)
    let at = |index: usize| {
        let mut other = link.clone().into_bytes();
        other[index] = if other[index] == b'A' { b'B' } else { b'A' };
        String::from_utf8(other).expect("text")
    };
    for index in ("/v1/links/".len()..link.len() - 1).step_by(7) {
        assert_eq!(follow(&at(index)).status, 404, "a letter at {index}");
    }
    let elsewhere = http::send(served.address, &[("host", "evil.example")], "GET", &link, b"");
    assert_eq!(elsewhere.status, 403, "{}", elsewhere.text());
    assert_eq!(setup.run(["tokens", "revoke", "ada"]).code, 0);
    assert_eq!(follow(&link).status, 404, "whose token is taken back has no links");
}

#[test]
fn what_an_operator_looks_at_is_for_operators() {
    let (_setup, served, tokens) = with([("ada", &[]), ("root", &["admin"]), ("reader", &["audit:read"])]);
    let [ada, root, reader] = tokens.map(|token| Caller { served: &served, token });
    let answer = ada.run("mkdir out; echo x > out/x");
    let artifact = text(&answer["artifacts"][0], "id");
    for path in ["/v1/live", "/v1/denials", "/v1/credentials", "/v1/packs/cmd.run/grants"] {
        assert_eq!(root.get(path).status, 200, "{path}");
        for other in [&ada, &reader] {
            let refused = other.get(path);
            assert!(refused.status == 403 && refused.text().contains("admin"), "{path}: {}", refused.text());
        }
    }
    assert_eq!(root.get("/v1/packs/no.such/grants").status, 404);
    assert_eq!(ada.get("/v1/audit/verification").status, 403);
    assert_eq!(reader.list("/v1/audit/verification")["intact"], true);
    let grants = root.list("/v1/packs/cmd.run/grants");
    assert_eq!(grants["name"], "cmd.run", "{grants}");
    assert!(grants["may"].as_array().is_some_and(|may| !may.is_empty()), "{grants}");
    let place = format!("/v1/artifacts/{artifact}/verification");
    let report = ada.list(&place);
    assert_eq!(
        (&report["good"], &report["runs"][0]["artifacts"][0]["finding"]["is"]),
        (&json!(true), &json!("sound"))
    );
    assert_eq!(root.get(&place).status, 404);
    assert_eq!(root.list(&format!("{place}?all=true"))["good"], true);
}
