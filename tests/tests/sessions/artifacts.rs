//! What programs leave in `out/` of their workspace: linked in the answer, read as resources, signed, and nobody else's.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use packhost_tests::host::{Served, Setup};
use packhost_tests::http;
use packhost_tests::rpc::{Rpc, result};
use serde_json::{Value, json};

use crate::{answer, connect, host, text};

/// An image of one pixel.
const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const CSV: &str = "name,price\npen,2\n";

/// What leaves an image and a table.
fn drawing() -> Value {
    let code = format!(
        "import base64, os\nos.mkdir('out')\nopen('out/plot.png', 'wb').write(base64.b64decode('{PNG}'))\nopen('out/table.csv', 'w').write({CSV:?})\nopen('beside.txt', 'w').write('x')\n'done'"
    );
    json!({ "code": code })
}

/// The links in an answer, by name.
fn links(result: &Value) -> Vec<(String, Value)> {
    let blocks = result["content"].as_array().expect("blocks");
    let links = blocks.iter().filter(|block| block["type"] == "resource_link");
    links.map(|link| (text(link, "name").to_owned(), link.clone())).collect()
}

fn names(result: &Value) -> Vec<String> {
    links(result).into_iter().map(|(name, _)| name).collect()
}

fn read(rpc: &mut Rpc, uri: &str) -> Value {
    rpc.request("resources/read", json!({ "uri": uri }))
}

/// What the host says besides its links.
fn told(result: &Value) -> String {
    let blocks = result["content"].as_array().expect("blocks");
    blocks.iter().filter_map(|block| block["text"].as_str()).collect::<Vec<_>>().join("\n")
}

#[test]
fn an_image_and_a_table_are_linked_shown_listed_and_read() {
    let setup = host();
    let mut rpc = setup.mcp();
    let hello = rpc.initialize();
    assert!(hello["result"]["capabilities"]["resources"].is_object(), "{hello}");
    let ran = rpc.call("python_run", drawing());
    answer(ran.clone());
    let links = links(&ran);
    assert_eq!(names(&ran), ["plot.png", "table.csv"], "{ran}");
    let (plot, table) = (&links[0].1, &links[1].1);
    assert_eq!((&plot["mimeType"], &plot["size"]), (&json!("image/png"), &json!(70)), "{plot}");
    assert_eq!((&table["mimeType"], &table["size"]), (&json!("text/csv"), &json!(CSV.len())));
    let content = ran["content"].as_array().expect("blocks");
    let image = json!({ "type": "image", "mimeType": "image/png", "data": PNG });
    assert!(content.contains(&image), "a small image is in the answer: {ran}");
    let embedded =
        content.iter().find(|block| block["type"] == "resource").expect("a small text is in the answer");
    assert_eq!((&embedded["resource"]["uri"], &embedded["resource"]["text"]), (&table["uri"], &json!(CSV)));

    let listed = result(rpc.request("resources/list", json!({})));
    let resources = listed["resources"].as_array().expect("a list");
    let uris: Vec<_> = resources.iter().map(|resource| &resource["uri"]).collect();
    assert!(uris.contains(&&plot["uri"]) && uris.contains(&&table["uri"]) && uris.len() == 2, "{listed}");
    assert_eq!(resources[0]["_meta"]["packhost/run"], ran["_meta"]["packhost/run"]);

    let whole = result(read(&mut rpc, text(table, "uri")));
    assert_eq!(whole["contents"][0]["text"], CSV, "{whole}");
    let image = result(read(&mut rpc, text(plot, "uri")));
    assert_eq!(image["contents"][0]["blob"], PNG, "{image}");
}

#[test]
fn a_part_of_an_artifact_has_an_address_of_its_own() {
    let setup = host();
    let mut rpc = connect(&setup);
    let ran = rpc.call("cmd_run", json!({ "command": "mkdir out && seq 1 2000000 > out/numbers.bin" }));
    let uri = text(&links(&ran)[0].1, "uri").to_owned();
    let templates = result(rpc.request("resources/templates/list", json!({})));
    assert_eq!(templates["resourceTemplates"][0]["uriTemplate"], "packhost://artifacts/{id}{?bytes}");
    let part = result(read(&mut rpc, &format!("{uri}?bytes=0-3")));
    assert_eq!(part["contents"][0]["blob"], STANDARD.encode("1\n2\n"), "{part}");
    assert_eq!(part["contents"][0]["_meta"]["packhost/range"], "bytes 0-3/14888896");
    let end = result(read(&mut rpc, &format!("{uri}?bytes=-8")));
    assert_eq!(end["contents"][0]["blob"], STANDARD.encode("2000000\n"));
    let whole = read(&mut rpc, &uri);
    let said = text(&whole["error"], "message");
    assert!(said.contains("?bytes=0-4194303") && said.contains("packhost artifacts get art-"), "{whole}");
    for range in ["bytes=99999999-", "bytes=3-1", "bytes=", "lines=1-2", ""] {
        let refused = read(&mut rpc, &format!("{uri}?{range}"));
        assert_eq!(refused["error"]["code"], -32602, "{range}: {refused}");
    }
}

#[test]
fn what_a_call_did_not_make_or_change_is_not_its_own() {
    let setup = host();
    let mut rpc = connect(&setup);
    let first = rpc.call(
        "cmd_run",
        json!({ "command": "mkdir -p out/deep; echo 1 > out/stays; echo 1 > out/deep/changes" }),
    );
    assert_eq!(names(&first), ["deep/changes", "stays"], "{first}");
    let workspace = answer(first)["workspace"].clone();
    let input =
        json!({ "command": "echo 22 > out/deep/changes; echo 3 > out/comes", "workspace": workspace });
    let second = rpc.call("cmd_run", input);
    assert_eq!(names(&second), ["comes", "deep/changes"], "{second}");
    let third = rpc.call("cmd_run", json!({ "command": "cat out/stays", "workspace": workspace }));
    assert!(names(&third).is_empty(), "{third}");
    let written = rpc.call("fs_write", json!({ "path": "out/file", "content": "x", "workspace": workspace }));
    assert!(names(&written).is_empty(), "a pack without programs leaves files where they are: {written}");
}

#[test]
fn links_and_pipes_in_out_lead_nowhere() {
    let setup = host();
    let mut rpc = connect(&setup);
    let command = "mkdir out; cd out; ln -s /etc/hostname a; ln -s /etc b; mkfifo c; ln -s ../secret d; echo plain > e; echo s > ../secret";
    let ran = rpc.call("cmd_run", json!({ "command": command }));
    answer(ran.clone());
    assert_eq!(names(&ran), ["e"], "{ran}");
    for command in ["ln -s /etc out", "mkdir real; echo x > real/f; ln -s real out", "echo x > out"] {
        let ran = rpc.call("cmd_run", json!({ "command": command }));
        answer(ran.clone());
        assert!(names(&ran).is_empty(), "{command}: {ran}");
    }
}

/// Workspaces that hold no more than a mebibyte.
const SMALL: &str = "version: 1
packs:
  cmd.run:
    session:
      on: [process]
      files:
        read_write: [/sandbox, /tmp, /dev/shm]
        read_only: [/usr, /lib, /lib64, /bin, /etc/alternatives, /etc/ld.so.cache, /proc]
    workspace: true
    limits: { time: 30s, output: 1MiB, workspace: 1MiB, sandbox_memory: 256MiB, processes: 16, disk: 16MiB }
";

#[test]
fn a_file_that_cannot_be_kept_takes_no_answer_away() {
    let setup = Setup::new().policy(SMALL).warmed();
    let mut rpc = connect(&setup);
    let command = "mkdir out; truncate -s 3M out/large; echo small > out/small; printf x > \"out/two\nlines\"; echo done";
    let ran = rpc.call("cmd_run", json!({ "command": command }));
    assert_eq!(text(&answer(ran.clone()), "stdout"), "done\n");
    assert_eq!(names(&ran), ["small"], "{ran}");
    let told = told(&ran);
    assert!(told.contains("out/large was not kept: it has 3145728 bytes"), "{told}");
    assert!(told.contains("out/two\\nlines was not kept"), "{told}");
    let many = rpc
        .call("cmd_run", json!({ "command": "mkdir out; for n in $(seq 150); do echo $n > out/$n; done" }));
    assert_eq!(names(&many).len(), 100, "{many}");
    assert!(self::told(&many).contains("more in out/ than the 100 files"), "{many}");
}

#[test]
fn what_is_called_an_image_and_is_none_is_not_shown_as_one() {
    let setup = host();
    let mut rpc = connect(&setup);
    let ran = rpc
        .call("cmd_run", json!({ "command": "mkdir out; echo no > out/a.png; printf '\\377' > out/b.txt" }));
    assert_eq!(names(&ran), ["a.png", "b.txt"]);
    let kinds: Vec<_> =
        ran["content"].as_array().expect("blocks").iter().map(|block| text(block, "type")).collect();
    assert!(!kinds.contains(&"image") && !kinds.contains(&"resource"), "{ran}");
}

#[test]
fn an_operator_lists_gets_verifies_and_removes_artifacts() {
    let setup = host();
    let mut rpc = connect(&setup);
    let ran = rpc.call("python_run", drawing());
    let uri = text(&links(&ran)[1].1, "uri").to_owned();
    let id = uri.strip_prefix("packhost://artifacts/").expect("an address");
    let listed = setup.run(["--json", "artifacts", "ls"]).json();
    let rows = listed["artifacts"].as_array().expect("a list");
    let made: Vec<_> = rows.iter().filter(|row| row["kind"] == "made").collect();
    assert_eq!((rows.len(), made.len()), (3, 2), "the manifest of the run is one too: {listed}");
    let of = ran["_meta"]["packhost/run"].clone();
    assert!(
        made.iter().all(|row| row["owner"] == "local" && row["pack"] == "python.run" && row["run"] == of)
    );
    let named = setup.run(["artifacts", "ls", "--run", of.as_str().expect("an id")]);
    assert!(named.stdout.contains("table.csv") && named.stdout.contains("signed manifest"), "{named:?}");

    assert_eq!(setup.run(["artifacts", "get", id]).stdout, CSV);
    let file = setup.root().join("got.csv");
    let got = setup.run(["artifacts", "get", id, &file.display().to_string(), "--range", "bytes=0-3"]);
    assert_eq!((got.code, std::fs::read(&file).expect("it is there")), (0, b"name".to_vec()), "{got:?}");
    assert_eq!(
        setup.run(["artifacts", "get", id, &file.display().to_string()]).code,
        1,
        "no file is overwritten"
    );

    let verified = setup.run(["--json", "artifacts", "verify"]);
    assert_eq!(verified.code, 0, "{verified:?}");
    let report = verified.json();
    assert_eq!(
        (&report["good"], &report["runs"][0]["manifest"]["is"]),
        (&json!(true), &json!("by")),
        "{report}"
    );
    let keys = setup.state().join("keys/public").display().to_string();
    assert_eq!(setup.run(["artifacts", "verify", id, "--keys", &keys]).code, 0);
    damage(&setup.state().join("artifacts/blobs"), CSV);
    let damaged = setup.run(["--json", "artifacts", "verify"]);
    assert_eq!((damaged.code, &damaged.json()["good"]), (1, &json!(false)), "{damaged:?}");
    assert!(damaged.stdout.contains("altered") && damaged.stdout.contains("sound"), "{damaged:?}");

    assert_eq!(setup.run(["artifacts", "rm", id]).code, 0);
    assert_eq!(setup.run(["artifacts", "rm", id]).code, 13);
    assert_eq!(setup.run(["artifacts", "get", "../../keys"]).code, 2);
    assert_eq!(setup.run(["artifacts", "gc"]).code, 0);
    assert_eq!(read(&mut rpc, &uri)["error"]["code"], -32002, "it is gone for its caller, too");
}

/// Turns one letter of the object that has this content.
fn damage(objects: &Path, content: &str) {
    for entry in std::fs::read_dir(objects).expect("the host made it") {
        let object = entry.expect("readable").path();
        if std::fs::read(&object).is_ok_and(|bytes| bytes == content.as_bytes()) {
            std::fs::write(object, content.replace("pen", "ten")).expect("the file is ours");
            return;
        }
    }
    panic!("no object has that content");
}

/// A request of 2026-07-28 with a token.
fn ask(served: &Served, token: &str, method: &str, mut params: Value) -> Value {
    let bearer = format!("Bearer {token}");
    let name = params["name"].as_str().or(params["uri"].as_str()).map(str::to_owned);
    let mut head = vec![
        ("authorization", bearer.as_str()),
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", method),
    ];
    head.extend(name.as_deref().map(|name| ("mcp-name", name)));
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    http::post(served.address, &head, &message).message()
}

fn token(setup: &Setup, name: &str, scopes: &[&str]) -> String {
    let mut line = vec!["tokens", "create", name];
    line.extend(scopes.iter().flat_map(|scope| ["--scope", scope]));
    let made = setup.run(line);
    assert_eq!(made.code, 0, "{made:?}");
    made.stdout.trim().to_owned()
}

#[test]
fn an_artifact_of_another_is_as_one_that_never_was() {
    let setup = host();
    let scopes = ["packs:*", "artifacts:read"];
    let (ada, bob) = (token(&setup, "ada", &scopes), token(&setup, "bob", &scopes));
    let served = setup.serve(&[]);
    let call = json!({ "name": "python_run", "arguments": drawing() });
    let made = ask(&served, &ada, "tools/call", call)["result"].clone();
    let links = links(&made);
    let uri = text(&links[0].1, "uri");
    let never = "packhost://artifacts/art-00000000000000000000000000";
    let own = ask(&served, &ada, "resources/read", json!({ "uri": uri }));
    assert_eq!(own["result"]["contents"][0]["blob"], PNG, "{own}");
    assert_eq!(own["result"]["cacheScope"], "private", "{own}");
    let mine = ask(&served, &ada, "resources/list", json!({}));
    assert_eq!(mine["result"]["resources"].as_array().map(Vec::len), Some(2), "{mine}");
    let theirs = ask(&served, &bob, "resources/list", json!({}));
    assert_eq!(theirs["result"]["resources"], json!([]), "{theirs}");
    for tail in ["", "?bytes=0-1", "?bytes=999999-", "?nonsense"] {
        let foreign = ask(&served, &bob, "resources/read", json!({ "uri": format!("{uri}{tail}") }));
        let unknown = ask(&served, &bob, "resources/read", json!({ "uri": format!("{never}{tail}") }));
        assert_eq!(foreign["error"]["code"], unknown["error"]["code"], "{tail}");
        assert_eq!(foreign["error"]["message"], unknown["error"]["message"], "{tail}");
        assert_ne!(foreign["error"], Value::Null, "{foreign}");
    }
    // A place in another's list is a place in one's own.
    let cursor = format!("99999999999999.{}", uri.strip_prefix("packhost://artifacts/").expect("an address"));
    let behind = ask(&served, &bob, "resources/list", json!({ "cursor": cursor }));
    assert_eq!(behind["result"]["resources"], json!([]), "{behind}");
    let odd = ask(&served, &bob, "resources/list", json!({ "cursor": "../../ada" }));
    assert_eq!(odd["error"]["code"], -32602, "{odd}");
}

#[test]
fn a_token_without_the_scope_reads_no_artifacts_and_is_told_which_it_needs() {
    let setup = host();
    let caller = token(&setup, "caller", &["packs:*"]);
    let served = setup.serve(&[]);
    let made = ask(&served, &caller, "tools/call", json!({ "name": "python_run", "arguments": drawing() }));
    let uri = text(&links(&made["result"])[0].1, "uri").to_owned();
    let listed = ask(&served, &caller, "resources/list", json!({}));
    assert_eq!(listed["result"]["resources"], json!([]), "{listed}");
    let refused = ask(&served, &caller, "resources/read", json!({ "uri": uri }));
    assert!(text(&refused["error"], "message").contains("artifacts:read"), "{refused}");
    assert_eq!(refused["error"]["data"]["code"], "capability_denied", "{refused}");
}

#[test]
fn a_long_list_has_pages() {
    let setup = host();
    let mut rpc = connect(&setup);
    for _ in 0..3 {
        answer(rpc.call(
            "cmd_run",
            json!({ "command": "mkdir out; for n in $(seq 70); do echo $n > out/$n; done" }),
        ));
    }
    let (mut seen, mut pages, mut cursor) = (std::collections::BTreeSet::new(), 0, Value::Null);
    loop {
        let params = if cursor.is_null() { json!({}) } else { json!({ "cursor": cursor }) };
        let page = result(rpc.request("resources/list", params));
        let found = page["resources"].as_array().expect("a list");
        seen.extend(found.iter().map(|resource| text(resource, "uri").to_owned()));
        pages += 1;
        cursor = page["nextCursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!((seen.len(), pages), (210, 3));
}

#[test]
fn a_call_that_is_cut_off_leaves_nothing() {
    let setup = host();
    let mut rpc = connect(&setup);
    let id =
        rpc.start("cmd_run", json!({ "command": "mkdir out; echo x > out/x; echo started >&2; sleep 60" }));
    rpc.cancel(id);
    let timed = json!({ "command": "mkdir out; echo x > out/x; exec sleep 60", "timeout_seconds": 1 });
    let stopped = rpc.call("cmd_run", timed);
    assert_eq!(names(&stopped), ["x"], "a program that was killed has left what it has left: {stopped}");
    let listed = result(rpc.request("resources/list", json!({})));
    assert_eq!(listed["resources"].as_array().map(Vec::len), Some(1), "{listed}");
}

/// Lines of the lists of names that somebody somewhere stumbles over. They are kept beside the repository; where they are not,
/// there is nothing to run.
fn naughty() -> Option<Vec<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpora");
    let Ok(strings) = std::fs::read_to_string(folder.join("blns/blns.json")) else {
        assert!(std::env::var_os("CI").is_none(), "the corpus is not there: {}", folder.display());
        eprintln!("not run: the corpus of names is not there ({})", folder.display());
        return None;
    };
    let mut names: Vec<String> = serde_json::from_str(&strings).expect("a list of texts");
    let paths =
        std::fs::read_to_string(folder.join("traversal/directory_traversal.txt")).expect("it is beside it");
    names.extend(paths.lines().map(String::from));
    Some(names)
}

#[test]
fn names_that_others_stumble_over_are_labels_and_nothing_else() {
    let Some(naughty) = naughty() else { return };
    let setup = host();
    let mut rpc = connect(&setup);
    let code = "import json, os\nos.makedirs('out', exist_ok=True)\nmade = []\nfor name in json.load(open('names.json')):\n    name = name.replace('/', '\\u2215').replace('\\0', '')\n    if name in ('', '.', '..') or len(name.encode()) > 255: continue\n    open('out/' + name, 'w').write(name)\n    made.append(name)\nsorted(set(made))";
    let mut kept = 0;
    for some in naughty.chunks(90) {
        let files = json!([{ "path": "names.json", "content": json!(some).to_string() }]);
        let ran = rpc.call("python_run", json!({ "code": code, "files": files }));
        let output = answer(ran.clone());
        assert_eq!(output["exit_code"], 0, "{output}");
        let made: Vec<_> =
            output["value"].as_array().expect("names").iter().filter_map(Value::as_str).collect();
        for (name, link) in links(&ran) {
            assert!(made.contains(&name.as_str()), "{name:?} was not made");
            let content = result(read(&mut rpc, text(&link, "uri")));
            let bytes =
                content["contents"][0]["blob"].as_str().map(|blob| STANDARD.decode(blob).expect("base64"));
            let bytes = bytes.unwrap_or_else(|| text(&content["contents"][0], "text").as_bytes().to_vec());
            assert_eq!(String::from_utf8_lossy(&bytes), name, "another one's content");
            kept += 1;
        }
        let refused = told(&ran).matches(" was not kept: ").count();
        assert!(links(&ran).len() + refused <= made.len(), "{ran}");
    }
    assert!(kept > 300, "{kept}");
    for entry in std::fs::read_dir(setup.state().join("artifacts/blobs")).expect("the host made it") {
        let name = entry.expect("readable").file_name();
        let plain = name.to_str().is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert!(plain, "an object is called {name:?}");
    }
    assert_eq!(setup.run(["artifacts", "verify"]).code, 0);
    let shown = setup.run(["artifacts", "ls", "--most", "1000"]);
    let tame = shown.stdout.chars().all(|c| c == '\n' || !c.is_control() || c == '\u{1b}');
    assert!(tame && shown.code == 0, "a name reached the terminal as more than text");
}

#[test]
fn artifacts_outlive_their_host_and_their_workspace() {
    let setup = host();
    let made = shell_link(&setup);
    let mut later = connect(&setup);
    let workspaces = setup.run(["--json", "workspaces", "ls"]).json();
    for workspace in workspaces["workspaces"].as_array().expect("a list") {
        assert_eq!(setup.run(["workspaces", "rm", text(workspace, "name")]).code, 0);
    }
    assert_eq!(result(read(&mut later, &made))["contents"][0]["text"], "kept\n");
}

fn shell_link(setup: &Setup) -> String {
    let mut rpc = connect(setup);
    let ran = rpc.call("cmd_run", json!({ "command": "mkdir out; echo kept > out/kept.txt" }));
    text(&links(&ran)[0].1, "uri").to_owned()
}
