//! What a sandbox is not made from, and that nothing is left then.

use packhost_sessions::docker::{DockerSettings, Supervisor};
use packhost_sessions::{Access, Image, Mount, RuntimeError, SessionRuntime};
use packhost_test_engine::{Engine, IMAGE};

use crate::docker::support::{Host, host, image, settings, soon, spec, with};

async fn nothing_is_left(engine: &Engine, host: &Host) {
    assert_eq!(engine.containers().await, Vec::<String>::new());
    assert_eq!(host.places(), Vec::<std::path::PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_has_to_be_there_and_to_be_the_pinned_one() {
    let engine = Engine::start().await;
    let host = host(&engine, "h");
    let refused =
        async |image: Image| host.refused(&packhost_sessions::SandboxSpec { image, ..spec() }).await;

    let RuntimeError::Image(why) = refused(image("packhost/python")).await else { panic!("no image") };
    assert!(why.contains("`packhost images build python`"), "{why}");
    let RuntimeError::Image(why) = refused(image("debian")).await else { panic!("no image") };
    assert!(why.contains("`docker pull debian`"), "{why}");
    assert!(matches!(refused(image("../containers/json")).await, RuntimeError::Image(_)));
    assert!(matches!(refused(Image::Host(vec!["/usr".into()])).await, RuntimeError::Unsupported(_)));

    engine.import("with/volume", &["VOLUME /data"]).await;
    let RuntimeError::Image(why) = refused(image("with/volume")).await else { panic!("a volume") };
    assert!(why.contains("/data"), "{why}");

    let pinned = |digest: String| Image::Named { name: IMAGE.into(), digest: Some(digest) };
    let RuntimeError::Image(why) = refused(pinned(format!("sha256:{}", "0".repeat(64)))).await else {
        panic!("a pin")
    };
    assert!(why.contains("pinned to sha256:0000"), "{why}");
    nothing_is_left(&engine, &host).await;

    let inspected = engine.client().await.inspect_image(IMAGE).await.expect("the image");
    let layer = inspected.root_fs.and_then(|files| files.layers).expect("layers").remove(0);
    for digest in [engine.image_id(IMAGE).await, layer] {
        let id = host.create(&packhost_sessions::SandboxSpec { image: pinned(digest), ..spec() }).await;
        host.runtime.destroy(&id).await.expect("it is destroyed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engines_socket_never_gets_into_a_sandbox() {
    let engine = Engine::start().await;
    let host = host(&engine, "h");
    let alias = engine.directory().join("alias");
    std::os::unix::fs::symlink(engine.directory(), &alias).expect("a link");
    for path in [
        &engine.socket(),
        engine.directory(),
        &alias,
        &alias.join("docker.sock"),
        &engine.directory().join("data"),
    ] {
        let mut wanted = spec();
        wanted.mounts =
            vec![Mount { host: path.to_owned(), inside: "/data".into(), access: Access::ReadOnly }];
        assert!(matches!(host.refused(&wanted).await, RuntimeError::Unsupported(_)), "{}", path.display());
    }
    nothing_is_left(&engine, &host).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_that_cannot_come_up_leaves_nothing() {
    let engine = Engine::start().await;
    let room = tempfile::tempdir().expect("a directory");
    let garbage = room.path().join("garbage");
    std::fs::write(&garbage, "no program").expect("a file");
    let broken =
        with(DockerSettings { supervisor: Supervisor::File(garbage), ..settings(&engine, "broken") });
    broken.refused(&spec()).await;
    nothing_is_left(&engine, &broken).await;

    // A program that runs and is no supervisor.
    let other = with(DockerSettings {
        supervisor: Supervisor::File("/bin/true".into()),
        ..settings(&engine, "other")
    });
    let why = other.refused(&spec()).await.to_string();
    assert!(why.contains("did not come up"), "{why}");
    nothing_is_left(&engine, &other).await;

    let host = host(&engine, "h");
    let mut tiny = spec();
    tiny.limits.memory = 1 << 20;
    assert!(matches!(host.refused(&tiny).await, RuntimeError::Unsupported(_)));
    nothing_is_left(&engine, &host).await;

    let runtime = with(DockerSettings { runtime: Some("nowhere".into()), ..settings(&engine, "runtime") });
    let why = runtime.refused(&spec()).await.to_string();
    assert!(why.contains("nowhere"), "{why}");
    nothing_is_left(&engine, &runtime).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_is_made_once_and_a_second_making_does_no_harm() {
    let engine = Engine::start().await;
    let host = host(&engine, "h");
    let wanted = spec();
    let id = host.create(&wanted).await;
    assert!(matches!(host.refused(&wanted).await, RuntimeError::Failed(_)));
    assert_eq!(host.run(&id, "echo alive").await, "alive\n");

    // Another host that was given the same id.
    let other = with(settings(&engine, "other"));
    assert!(matches!(other.refused(&wanted).await, RuntimeError::Failed(_)));
    assert_eq!(host.run(&id, "echo alive").await, "alive\n");
    assert!(other.places().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_making_that_nobody_waits_for_any_more_leaves_nothing() {
    let engine = Engine::start().await;
    let host = host(&engine, "h");
    host.runtime.health().await;
    // Given up at once; when the directory is there; when the container is.
    for step in 0..3 {
        let wanted = spec();
        tokio::select! {
            biased;
            () = async {
                match step {
                    0 => tokio::task::yield_now().await,
                    1 => soon("a directory", async || (!host.places().is_empty()).then_some(())).await,
                    _ => soon("a container", async || (!engine.containers().await.is_empty()).then_some(())).await,
                }
            } => {}
            made = host.runtime.create(&wanted) => assert_eq!(made, Ok(()), "it was quicker than the look"),
        }
        if step == 0 {
            // It has hardly begun: what it does next is seen, and then undone.
            soon("it has begun", async || (!host.places().is_empty()).then_some(())).await;
        }
        soon("nothing is left", async || {
            (host.places().is_empty() && engine.containers().await.is_empty()).then_some(())
        })
        .await;
    }
}
