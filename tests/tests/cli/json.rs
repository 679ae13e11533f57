//! `--json`: whatever is asked and however it ends, stdout is one JSON document and nothing else.

use packhost_tests::host::Setup;
use serde_json::Value;

#[test]
fn every_verb_says_one_document() {
    let setup = Setup::new().warmed();
    let write = |name: &str, text: &str| {
        let path = setup.root().join(name);
        std::fs::write(&path, text).expect("the directory is the test's");
        path.display().to_string()
    };
    let good = write("good.yaml", "version: 1\npacks: { text.stats: {} }\n");
    let broken = write("broken.yaml", "version: 1\npacs: {}\n");
    let cases = write("cases.yaml", "- { pack: text.stats, env: HOME, expect: deny }\n");
    let wrong = write("wrong.yaml", "- { pack: text.stats, env: HOME, expect: allow }\n");
    // The words, how it ends, and whether the document is an error: what `doctor` found and what `policy test` ran are
    // answers, bad ones among them.
    let asked: &[(&[&str], i32, bool)] = &[
        (&["packs", "list"], 0, false),
        (&["packs", "show", "fs.read"], 0, false),
        (&["packs", "show", "no.such"], 13, true),
        (&["call", "text.stats", "{\"text\": \"a\"}"], 0, false),
        (&["call", "text.stats", "{}"], 10, true),
        (&["call", "text.stats", "@/no/such/file"], 1, true),
        (&["policy", "check"], 0, false),
        (&["policy", "check", &good], 0, false),
        (&["policy", "check", &broken], 1, true),
        (&["policy", "check", "/no/such/file.yaml"], 1, true),
        (&["policy", "explain", "fs.read"], 0, false),
        (&["policy", "explain", "no.such"], 13, true),
        (&["policy", "diff", &good, &good], 0, false),
        (&["policy", "diff", &good, &broken], 1, true),
        (&["policy", "test", &cases], 0, false),
        (&["policy", "test", &wrong], 1, false),
        (&["policy", "suggest", "fs.read"], 0, false),
        (&["policy", "suggest", "fs_read"], 0, false),
        (&["policy", "suggest", "No Pack"], 1, true),
        (&["policy", "suggest", "fs.raed"], 13, true),
        (&["policy", "schema"], 0, false),
        (&["tokens", "create", "ci"], 0, false),
        (&["audit", "query"], 0, false),
        (&["audit", "query", "--kind", "no_such"], 0, false),
        (&["audit", "query", "--since", "nonsense"], 2, true),
        (&["audit", "query", "--dir", "/no/such/directory"], 13, true),
        (&["audit", "verify"], 0, false),
        (&["audit", "verify", "--checkpoint", "/no/such/file"], 1, true),
        (&["audit", "verify", "--checkpoint", &good], 10, true),
        (&["audit", "checkpoint"], 0, false),
        (&["audit", "keys"], 0, false),
        (&["audit", "begin"], 10, true),
        (&["vault", "verify"], 0, false),
        (&["audit", "rotate-key"], 0, false),
        (&["connect", "claude-code"], 0, false),
        (&["connect", "nobody"], 2, true),
        (&["nonsense"], 2, true),
        (&["doctor", "--nonsense"], 2, true),
        (&["--policy", &broken, "doctor"], 1, false),
        (&["--policy", &broken, "packs", "list"], 1, true),
        (&["--policy", &broken, "serve", "--listen", "127.0.0.1:0"], 1, true),
        (&["--policy", &broken, "demo"], 1, true),
    ];
    for (words, code, is_error) in asked {
        let mut line = vec!["--json"];
        line.extend(*words);
        let ran = setup.run(line);
        assert_eq!(ran.code, *code, "{words:?}: {ran:?}");
        let said = ran.json();
        assert_eq!(said["error"]["code"].is_string(), *is_error, "{words:?}: {said}");
    }
}

#[test]
fn the_stdout_of_mcp_is_the_protocols() {
    let setup = Setup::new();
    let missing = setup.root().join("missing").display().to_string();
    let ran = setup.run(["--json", "--policy", &missing, "mcp"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
    let error: Value = ran.stderr.lines().find_map(|line| serde_json::from_str(line).ok()).expect("JSON");
    assert_eq!(error["error"]["code"], "file_failed", "{}", ran.stderr);
}
