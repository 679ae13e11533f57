//! The same packs in containers: an engine, an image of packhost's own that is pinned, and nothing else that differs.

use packhost_test_engine::Engine;
use packhost_tests::host::{Setup, wait_until};
use packhost_tests::record;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::{answer, connect, failure, meta, shell, text};

const FILES: &str =
    "files: { read_write: [/sandbox, /tmp], read_only: [/usr, /lib, /lib64, /bin, /etc/ssl, /proc] }";
const LIMITS: &str = "limits: { time: 60s, sandbox_memory: 256MiB, processes: 64, disk: 64MiB }";

/// Every pack of programs on Docker alone, from this image.
fn manifest(image: &str) -> String {
    let entry = |pack: &str| {
        format!(
            "  {pack}:\n    session:\n      on: [docker]\n      image: {image}\n      {FILES}\n    workspace: true\n    {LIMITS}\n"
        )
    };
    format!("version: 1\nextends: shipped\npacks:\n{}{}", entry("python.run"), entry("cmd.run"))
}

/// Who built the image, and what came of it.
fn is_on_record(setup: &Setup, digest: &Value) {
    let acts = record::of_kind(&setup.state(), "act");
    let said: Vec<_> = acts
        .iter()
        .map(|act| ["verb", "subject", "outcome"].map(|key| act[key].as_str().unwrap_or_default()))
        .collect();
    let image = ["images.build", "packhost/python"];
    assert_eq!(said, ["begun", "done"].map(|outcome| [image[0], image[1], outcome]), "{acts:?}");
    let digests = [&acts[0], &acts[1]].map(|act| &act["details"]["digest"]);
    assert_eq!(digests, [&Value::Null, digest], "it is known once it is built: {acts:?}");
}

#[test]
fn an_image_that_is_built_here_runs_packs_in_an_engine() {
    let engine = Runtime::new().expect("threads").block_on(Engine::start());
    let builder = Setup::new().env("DOCKER_HOST", &engine.address());
    let built = builder.run(["--json", "images", "build", "python"]);
    assert_eq!(built.code, 0, "{built:?}");
    let built = built.json();
    let pinned = format!("packhost/python@{}", text(&built, "digest"));
    is_on_record(&builder, &built["digest"]);
    let id = text(&built, "docker");
    let listed = engine.docker(&["images", "--quiet", "--no-trunc", "packhost/python"]);
    assert_eq!(listed, id);

    let setup = Setup::new().warmed().policy(&manifest(&pinned)).env("DOCKER_HOST", &engine.address());
    let mut rpc = connect(&setup);
    let code = "open('out.txt', 'w').write('made')\nimport os\n[os.getuid(), sum(range(10))]";
    let first = rpc.call("python_run", json!({ "code": code }));
    assert_eq!(meta(&first)["backend"], "docker", "{first}");
    let output = answer(first);
    assert_eq!(output["value"], json!([1000, 45]), "{output}");
    let workspace = text(&output, "workspace").to_owned();

    // What the container left is there for a component, which starts none, and the other way round.
    let read = answer(rpc.call("fs_read", json!({ "path": "out.txt", "workspace": workspace })));
    assert_eq!(text(&read, "content"), "made", "{read}");
    let written = json!({ "path": "in.txt", "content": "given", "workspace": workspace });
    answer(rpc.call("fs_write", written));
    let seen =
        rpc.call("cmd_run", json!({ "command": "cat in.txt; ls /sys/class/net", "workspace": workspace }));
    assert_eq!(meta(&seen)["backend"], "docker");
    let seen = answer(seen);
    assert!(text(&seen, "stdout").starts_with("given"), "{seen}");
    assert!(!text(&seen, "stdout").contains("eth0"), "{seen}");

    // A container that is killed from outside ends its call, and the next call has another.
    let call = rpc.start("cmd_run", json!({ "command": "sleep 4545", "workspace": workspace }));
    let sleeps = || {
        engine.docker(&["ps", "--quiet"]).lines().any(|id| engine.docker(&["top", id]).contains("sleep 4545"))
    };
    wait_until("the program runs", &sleeps);
    let running = engine.docker(&["ps", "--quiet"]);
    for id in running.lines() {
        engine.docker(&["kill", id]);
    }
    let ended = rpc.answer(call)["result"].clone();
    assert_eq!(failure(&ended)["code"], "session_unavailable", "{ended}");
    assert_eq!(text(&shell(&mut rpc, "echo works"), "stdout"), "works\n");

    assert_eq!(rpc.close().0, 0);
    assert_eq!(engine.docker(&["ps", "--all", "--quiet"]), "", "nothing is left when the host ends");
}

#[test]
fn an_engine_that_is_away_is_said_with_what_to_do() {
    let setup = Setup::new().warmed().policy(&manifest("packhost/python"));
    let socket = format!("unix://{}", setup.root().join("no.sock").display());
    let setup = setup.env("DOCKER_HOST", &socket);
    let refused = setup.run(["call", "cmd.run", r#"{"command": "true"}"#]);
    assert_eq!(refused.code, 20, "{refused:?}");
    let why = format!("the Docker Engine at {} cannot be used", setup.root().join("no.sock").display());
    assert!(refused.stderr.contains(&why), "{refused:?}");
    assert!(refused.stderr.contains("start it"), "{refused:?}");
    let looked = setup.run(["doctor"]);
    let row = looked.stdout.lines().find(|line| line.contains("docker")).unwrap_or_default().to_owned();
    assert!(row.contains("bad") && row.contains("cannot be used"), "{looked:?}");
}

#[test]
fn an_edit_that_grants_what_the_host_was_not_made_ready_for_says_so() {
    let setup = Setup::new().warmed().policy("version: 1\npacks: { text.stats: {} }\n");
    let mut rpc = connect(&setup);
    std::fs::write(setup.policy_file(), manifest("packhost/python")).expect("the directory is ours");
    rpc.logged("grants sandboxes of the docker backend, which this host did not have when it started");
}
