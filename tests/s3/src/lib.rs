//! A server that speaks S3, for tests: over a real socket of loopback, with signatures that it checks, and with objects that are
//! files.
//!
//! Owns: starting and ending it, and what is in it. Refuses: saying what goes wrong; everything is a panic.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use hyper_util::rt::{TokioExecutor, TokioIo};
use s3s::service::S3Service;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

/// The bucket that every server has.
pub const BUCKET: &str = "artifacts";
/// The id of the one access key: one that looks like Amazon's, which no pack may send.
pub const KEY_ID: &str = "AKIAIOSFODNN7EXAMPLE";
/// Its secret.
pub const SECRET: &str = "not-a-real-secret-key";

/// A server. Ends when it is dropped; its objects are gone then.
pub struct Server {
    address: SocketAddr,
    dir: TempDir,
    runtime: Option<Runtime>,
}

impl Server {
    /// Starts one with a bucket that is empty. It has threads of its own, so that a test need not be asynchronous.
    pub fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let files = s3s_fs::FileSystem::new(dir.path()).expect("a directory");
        let mut service = s3s::service::S3ServiceBuilder::new(files);
        service.set_auth(s3s::auth::SimpleAuth::from_single(KEY_ID, SECRET));
        let service = service.build();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
        listener.set_nonblocking(true).expect("a socket option");
        let address = listener.local_addr().expect("an address");
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads");
        runtime.spawn(serve(listener, service));
        let server = Self { address, dir, runtime: Some(runtime) };
        server.make(BUCKET);
        server
    }

    /// Makes another bucket.
    pub fn make(&self, bucket: &str) {
        fs::create_dir(self.dir.path().join(bucket)).expect("the directory is ours");
    }

    /// A bucket, and the prefix in it where there is one, as a URL.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// The directory that a bucket is, or what is below a prefix in it. It is there once there is something in it.
    pub fn dir(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    /// Names in that directory; none where it is not there.
    pub fn names(&self, path: &str) -> Vec<String> {
        names(&self.dir(path))
    }

    /// Uploads that were begun and neither made an object nor thrown away, and their parts.
    pub fn parts(&self) -> usize {
        self.names("").iter().filter(|name| name.contains(".upload")).count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Not by waiting for it, which nobody may in a task.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn serve(listener: std::net::TcpListener, service: S3Service) {
    let listener = TcpListener::from_std(listener).expect("a socket");
    while let Ok((stream, _)) = listener.accept().await {
        let service = service.clone();
        let http = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new()).http1_only();
        tokio::spawn(async move {
            let service = hyper::service::service_fn(move |request| answer(service.clone(), request));
            // A client that goes away is none of our business.
            let _ = http.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// An upload that is not there cannot be ended: 404, `NoSuchUpload`, as S3 says it. This server says 403.
async fn answer(
    service: S3Service,
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
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
}
