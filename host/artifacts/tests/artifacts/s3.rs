//! The same against a server that speaks S3, over a real socket, with signatures that it checks. What is sent goes through the
//! host's egress.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use packhost_artifacts::{
    AccessKey, ArtifactError, Artifacts, Bucket, ByteRange, Operator, S3, Store, ThroughEgress,
};
use packhost_core::{Caller, RunId};
use packhost_egress::Egress;
use packhost_state::Database;
use packhost_test_s3::{KEY_ID, SECRET};

use crate::{Scene, ada, bob, draft, keys, made, noise, over, read, run_of, sweep, write};

/// Where our objects are.
const PLACE: &str = "artifacts/packhost/test";

/// A server with one bucket.
struct Server(packhost_test_s3::Server);

impl Server {
    fn start() -> Self {
        Self(packhost_test_s3::Server::start())
    }

    fn bucket(&self) -> Bucket {
        self.0.url(PLACE).parse().expect("a bucket")
    }

    fn settings(&self, secret: &str) -> S3 {
        let key = AccessKey::new(KEY_ID, secret).expect("a key");
        S3 { bucket: self.bucket(), region: "us-east-1".into(), key }
    }

    fn connector(&self) -> ThroughEgress {
        let egress = Egress::new(packhost_egress::Settings::default()).expect("egress");
        ThroughEgress::new(egress, self.bucket().endpoint(), &[])
    }

    fn store(&self) -> Store {
        Store::s3(&self.settings(SECRET), self.connector()).expect("a store")
    }

    async fn open(&self, scene: &Scene) -> Artifacts {
        over(scene.path(), self.store(), scene.settings()).await.expect("it opens")
    }

    fn blobs(&self) -> PathBuf {
        self.0.dir(PLACE).join("blobs")
    }

    /// The files that the server has, but for what it keeps beside them.
    fn objects(&self) -> Vec<String> {
        self.0.names(&format!("{PLACE}/blobs"))
    }

    fn parts(&self) -> usize {
        self.0.parts()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_written_is_read_again_from_a_server() {
    let (server, scene) = (Server::start(), Scene::new());
    let artifacts = server.open(&scene).await;
    // At once, in one part, in several.
    for size in [0, 1, 100_000, 8 << 20, (20 << 20) + 3] {
        let bytes = noise(size as u64, size);
        let mut writer = artifacts.writer(draft(&ada(), RunId::fresh(), "a")).await.expect("room");
        for piece in bytes.chunks(700_000) {
            writer.write(Bytes::copy_from_slice(piece)).await.expect("written");
        }
        let kept = writer.finish().await.expect("kept");
        assert!(read(&artifacts, &kept).await.expect("readable") == bytes, "{size}");
        if size > 1_000 {
            let range = ByteRange::Between(500, size as u64 - 500);
            let some = artifacts.read(&ada(), &kept.id, range).await.unwrap().bytes().await.unwrap();
            assert!(some == bytes[500..size - 499], "{size}");
            let some = artifacts.read(&ada(), &kept.id, ByteRange::Suffix(7)).await.unwrap().bytes().await;
            assert_eq!(some.unwrap(), bytes[size - 7..]);
        }
        artifacts.get(&bob(), &kept.id).await.expect_err("it is hers");
    }
    assert_eq!((server.objects().len(), server.parts()), (5, 0));
    // The same again, by somebody else, from another process.
    let other = server.open(&scene).await;
    let again =
        write(&other, draft(&bob(), RunId::fresh(), "a"), &noise(8 << 20, 8 << 20)).await.expect("kept");
    assert_eq!(server.objects().len(), 5);
    assert_eq!(read(&artifacts, &again).await.expect("readable").len(), 8 << 20);
    assert_eq!(sweep(&other).await.failed, 0);
    assert_eq!(server.objects().len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_signed_for_and_swept_on_a_server() {
    let (server, scene) = (Server::start(), Scene::new());
    let artifacts = server.open(&scene).await;
    let run = RunId::fresh();
    let kept = write(&artifacts, draft(&ada(), run, "a"), &noise(1, 100_000)).await.expect("kept");
    artifacts.seal(&run_of(&ada(), run)).await.expect("signed").expect("there is one");
    let public = keys(scene.path()).unwrap().public().unwrap();
    let report = artifacts.verify_run(&ada(), run, &public).await.expect("looked at");
    assert!(report.is_sound() && report.is_signed(), "{report:?}");
    let [file] = &server.objects().into_iter().filter(|name| is_large(&server, name)).collect::<Vec<_>>()[..]
    else {
        panic!("one of them is the artifact")
    };
    let path = server.blobs().join(file);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[77_777] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let report = artifacts.verify(&ada(), &kept.id, &public).await.expect("looked at");
    assert!(!report.is_sound(), "{report:?}");
    scene.pass(91 * 24 * 3600);
    let swept = sweep(&artifacts).await;
    assert_eq!((swept.expired, swept.objects, swept.failed), (2, 2, 0));
    assert_eq!(server.objects(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_looks_like_a_placeholder_in_an_artifact_is_content() {
    let (server, scene) = (Server::start(), Scene::new());
    let artifacts = server.open(&scene).await;
    let run = RunId::fresh();
    let text = b"Write ${vault:TOKEN} where the key goes.";
    let kept = write(&artifacts, draft(&ada(), run, "${vault:TOKEN}"), text).await.expect("kept");
    assert_eq!(read(&artifacts, &kept).await.expect("readable"), &text[..]);
    artifacts.seal(&run_of(&ada(), run)).await.expect("signed").expect("there is one");
}

fn is_large(server: &Server, name: &str) -> bool {
    std::fs::metadata(server.blobs().join(name)).unwrap().len() == 100_000
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_begun_on_a_server_is_ended_by_whoever_sweeps() {
    let (server, scene) = (Server::start(), Scene::new());
    let (one, other) = (server.open(&scene).await, server.open(&scene).await);
    let mut dead = one.writer(draft(&ada(), RunId::fresh(), "dead")).await.expect("room");
    dead.write(noise(1, 30 << 20).into()).await.expect("written");
    // Two files of the upload, and three parts. One that is on its way while its upload is ended may stay behind, here as on S3.
    while server.parts() < 5 {
        tokio::task::yield_now().await;
    }
    scene.pass(3_600);
    let swept = sweep(&other).await;
    assert_eq!((swept.abandoned, swept.objects, swept.failed), (1, 1, 0));
    dead.finish().await.expect_err("it was ended");
    sweep(&other).await;
    assert_eq!((server.objects().len(), server.parts()), (0, 0));
    // One that is dropped is ended at once.
    let mut dropped = one.writer(draft(&ada(), RunId::fresh(), "dropped")).await.expect("room");
    dropped.write(noise(2, 30 << 20).into()).await.expect("written");
    drop(dropped);
    while server.parts() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_told_nothing_without_its_key_and_nothing_in_the_clear() {
    let (server, scene) = (Server::start(), Scene::new());
    let settings = server.settings("another-secret");
    assert!(!format!("{settings:?}").contains("another-secret"));
    let store = Store::s3(&settings, server.connector()).expect("well formed");
    let refused = over(scene.path(), store, scene.settings()).await.err().expect("a wrong signature");
    assert!(
        matches!(&refused, ArtifactError::KeyRefused(why) if why == "SignatureDoesNotMatch"),
        "{refused}"
    );
    for secret in ["another-secret", KEY_ID] {
        assert!(!format!("{refused} {refused:?}").contains(secret), "{refused:?}");
    }
    // Whatever the store says, what sends goes to its endpoint and nowhere else.
    let other = Server::start();
    let store = Store::s3(&other.settings(SECRET), server.connector()).expect("well formed");
    let refused = over(Scene::new().path(), store, scene.settings()).await.err().expect("denied");
    assert!(format!("{refused:?}").contains("the store of artifacts is somewhere else"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_is_not_there_is_not_taken_for_the_store() {
    let (server, scene) = (Server::start(), Scene::new());
    let missing = S3 { bucket: server.0.url("artefacts").parse().unwrap(), ..server.settings(SECRET) };
    let store = Store::s3(&missing, server.connector()).expect("well formed");
    let refused = over(scene.path(), store, scene.settings()).await.err().expect("there is none");
    assert!(refused.to_string().contains("NoSuchBucket"), "{refused}");
    // The right name is not another place then.
    server.open(&scene).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn artifacts_move_to_another_store_when_all_of_it_was_copied_and_somebody_says_so() {
    let (server, scene) = (Server::start(), Scene::new());
    let at_first = scene.open().await;
    let kept = made(&at_first, b"kept").await;
    let refused = over(scene.path(), server.store(), scene.settings()).await.err().expect("it is elsewhere");
    assert!(matches!(refused, ArtifactError::Elsewhere { .. }), "{refused}");
    for words in ["a directory of this host", &server.0.url(PLACE), "packhost artifacts moved"] {
        assert!(refused.to_string().contains(words), "{words}: {refused}");
    }
    assert_eq!(server.0.names("artifacts"), [""; 0], "nothing was written there");
    let database = Arc::new(Database::open(scene.path()).unwrap());
    let refused = Artifacts::moved(&server.store(), &database).await.expect_err("nothing was copied");
    assert!(matches!(refused, ArtifactError::NotCopied { missing: 1, all: 1, .. }), "{refused}");
    // One that is begun before and ended afterwards would be written into the old store.
    let late = at_first.writer(draft(&ada(), RunId::fresh(), "late")).await.expect("room");
    std::fs::create_dir_all(server.blobs()).unwrap();
    for name in std::fs::read_dir(scene.blobs()).unwrap().map(|entry| entry.unwrap().file_name()) {
        std::fs::copy(scene.blobs().join(&name), server.blobs().join(&name)).unwrap();
    }
    assert_eq!(Artifacts::moved(&server.store(), &database).await.expect("all of it is there"), 1);
    assert_eq!(read(&server.open(&scene).await, &kept).await.expect("there"), "kept");
    let refused = late.finish().await.expect_err("nobody would find it");
    assert!(matches!(refused, ArtifactError::Elsewhere { .. }), "{refused}");
    let refused = Operator::of(&at_first).sweep().await.expect_err("it is the old store");
    assert!(matches!(refused, ArtifactError::Elsewhere { .. }), "{refused}");
    // A store of another database is none to move to.
    let other = Scene::new();
    other.open().await;
    let database = Arc::new(Database::open(other.path()).unwrap());
    let refused = Artifacts::moved(&server.store(), &database).await.expect_err("it is another's");
    assert!(refused.to_string().contains("another state database"), "{refused}");
}

/// Fails the N-th request, before it is sent or once it is answered.
#[derive(Debug, Clone)]
struct FaultyConnector {
    inner: ThroughEgress,
    requests: Arc<AtomicU64>,
    at: Arc<AtomicU64>,
    afterwards: bool,
}

impl HttpConnector for FaultyConnector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for FaultyConnector {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let fails = self.requests.fetch_add(1, Ordering::SeqCst) + 1 == self.at.load(Ordering::SeqCst);
        if !fails {
            return self.inner.call(request).await;
        }
        if self.afterwards {
            let _ = self.inner.call(request).await;
        }
        // Not one that would be sent again.
        Err(HttpError::new(HttpErrorKind::Unknown, std::io::Error::other("cut off")))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_fails_anywhere_leaves_all_or_nothing() {
    for afterwards in [false, true] {
        let mut at = 1;
        while once(at, afterwards).await {
            at += 1;
            assert!(at < 40, "there is no end of it");
        }
        assert!(at > 8, "{at} requests are no work");
    }
}

/// Whether the fault came to pass.
async fn once(at: u64, afterwards: bool) -> bool {
    let (server, scene) = (Server::start(), Scene::new());
    let (requests, fault) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let connector = FaultyConnector {
        inner: server.connector(),
        requests: requests.clone(),
        at: fault.clone(),
        afterwards,
    };
    let store = Store::s3(&server.settings(SECRET), connector).expect("a store");
    let artifacts = over(scene.path(), store, scene.settings()).await.expect("it opens");
    let first = made(&artifacts, b"the first").await;
    requests.store(0, Ordering::SeqCst);
    fault.store(at, Ordering::SeqCst);
    let large = write(&artifacts, draft(&ada(), RunId::fresh(), "a"), &noise(1, 17 << 20)).await;
    let small = write(&artifacts, draft(&ada(), RunId::fresh(), "a"), b"small").await;
    let same = write(&artifacts, draft(&Caller::local(), RunId::fresh(), "a"), b"the first").await;
    let removed = artifacts.remove(&ada(), &first.id).await;
    let swept = Operator::of(&artifacts).sweep().await;
    let fired = requests.load(Ordering::SeqCst) >= at;
    fault.store(0, Ordering::SeqCst);
    removed.expect("what the server does is another matter");
    assert!(
        fired || (large.is_ok() && small.is_ok() && same.is_ok() && swept.is_ok()),
        "failed without a fault"
    );
    scene.pass(3_600);
    let fresh = server.open(&scene).await;
    let swept = sweep(&fresh).await;
    assert_eq!(swept.failed, 0);
    let kept: Vec<_> = [large, small, same].into_iter().flatten().collect();
    for one in &kept {
        let mut reading = fresh.read(&ada(), &one.id, ByteRange::All).await.expect("it was acknowledged");
        while let Some(piece) = reading.next().await {
            piece.expect("readable");
        }
    }
    assert_eq!(server.objects().len(), kept.len(), "request {at}, afterwards: {afterwards}");
    fired
}
