//! The same against a server that speaks S3, over a real socket, with signatures that it checks. What is sent goes through the
//! host's egress.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use hyper_util::rt::{TokioExecutor, TokioIo};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use packhost_artifacts::{ArtifactError, Artifacts, ByteRange, Operator, S3, S3Error, Store, ThroughEgress};
use packhost_core::{Caller, RunId};
use packhost_egress::Egress;
use tokio::net::TcpListener;
use url::Url;

use crate::{Scene, ada, bob, draft, keys, made, noise, over, read, run_of, sweep, write};

const BUCKET: &str = "artifacts";
const KEY_ID: &str = "AKIDEXAMPLE";
const SECRET: &str = "not-a-real-secret-key";

/// A server with one bucket, for as long as the runtime lives.
struct Server {
    endpoint: Url,
    dir: tempfile::TempDir,
}

impl Server {
    async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        std::fs::create_dir(dir.path().join(BUCKET)).unwrap();
        let files = s3s_fs::FileSystem::new(dir.path()).expect("a directory");
        let mut service = s3s::service::S3ServiceBuilder::new(files);
        service.set_auth(s3s::auth::SimpleAuth::from_single(KEY_ID, SECRET));
        let service = service.build();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let endpoint = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let service = service.clone();
                let http = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new()).http1_only();
                tokio::spawn(async move {
                    let service = hyper::service::service_fn(move |request| answer(service.clone(), request));
                    // A client that goes away is none of our business.
                    let _ = http.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { endpoint, dir }
    }

    fn settings(&self, secret: &str) -> S3 {
        S3 {
            endpoint: self.endpoint.clone(),
            region: "us-east-1".into(),
            bucket: BUCKET.into(),
            prefix: "packhost/test".into(),
            key_id: KEY_ID.into(),
            secret: secret.to_owned().into(),
        }
    }

    fn connector(&self) -> ThroughEgress {
        let egress = Egress::new(packhost_egress::Settings::default()).expect("egress");
        ThroughEgress::new(egress, &self.endpoint, &[])
    }

    fn store(&self) -> Store {
        Store::s3(&self.settings(SECRET), self.connector()).expect("a store")
    }

    async fn open(&self, scene: &Scene) -> Artifacts {
        over(scene.path(), self.store(), scene.settings()).await.expect("it opens")
    }

    /// The files that the server has, but for what it keeps beside them.
    fn objects(&self) -> Vec<String> {
        let dir = self.dir.path().join(BUCKET).join("packhost/test/blobs");
        names(&dir)
    }

    /// Uploads that were begun and neither made an object nor thrown away, and their parts.
    fn parts(&self) -> usize {
        names(self.dir.path()).iter().filter(|name| name.contains(".upload")).count()
    }
}

/// An upload that is not there cannot be ended: 404, `NoSuchUpload`, as S3 says it. This server says 403.
async fn answer(
    service: s3s::service::S3Service,
    request: hyper::Request<hyper::body::Incoming>,
) -> Result<hyper::Response<s3s::Body>, s3s::HttpError> {
    let ends =
        request.method() == "DELETE" && request.uri().query().is_some_and(|query| query.contains("uploadId"));
    let mut response = service.call(request.map(s3s::Body::from)).await?;
    if ends && response.status() == 403 {
        *response.status_mut() = hyper::StatusCode::NOT_FOUND;
    }
    Ok(response)
}

fn names(dir: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_written_is_read_again_from_a_server() {
    let (server, scene) = (Server::start().await, Scene::new());
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
    let (server, scene) = (Server::start().await, Scene::new());
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
    let path = server.dir.path().join(BUCKET).join("packhost/test/blobs").join(file);
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

fn is_large(server: &Server, name: &str) -> bool {
    let path = server.dir.path().join(BUCKET).join("packhost/test/blobs").join(name);
    std::fs::metadata(path).unwrap().len() == 100_000
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_begun_on_a_server_is_ended_by_whoever_sweeps() {
    let (server, scene) = (Server::start().await, Scene::new());
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
    let (server, scene) = (Server::start().await, Scene::new());
    let store = Store::s3(&server.settings("another-secret"), server.connector()).expect("well formed");
    let refused = over(scene.path(), store, scene.settings()).await.err().expect("a wrong signature");
    assert!(matches!(refused, ArtifactError::Store(_)), "{refused}");
    assert!(!format!("{refused} {refused:?}").contains("another-secret"));
    let mut elsewhere = server.settings(SECRET);
    elsewhere.endpoint = "http://s3.example.com".parse().unwrap();
    let refused = Store::s3(&elsewhere, server.connector());
    assert!(matches!(refused, Err(S3Error::InTheClear(_))), "{refused:?}");
    assert!(!format!("{elsewhere:?}").contains(SECRET));
    // Whatever the store says, what sends goes to its endpoint and nowhere else.
    let mut other = server.settings(SECRET);
    other.endpoint = Server::start().await.endpoint;
    let store = Store::s3(&other, server.connector()).expect("well formed");
    let refused = over(Scene::new().path(), store, scene.settings()).await.err().expect("denied");
    assert!(format!("{refused:?}").contains("the store of artifacts is somewhere else"), "{refused:?}");
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
    let (server, scene) = (Server::start().await, Scene::new());
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
