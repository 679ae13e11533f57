//! A store that speaks S3, over the host's own egress.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::HttpConnector;
use object_store::path::Path;
use object_store::{ObjectStore, RetryConfig};
use url::Url;
use zeroize::Zeroizing;

use super::Store;

/// How often a request is tried again, and for how long.
const RETRIES: usize = 3;
const RETRIES_FOR: Duration = Duration::from_secs(60);

/// Which bucket of which service, and as whom.
pub struct S3 {
    /// Where the service is, such as `https://s3.eu-central-1.amazonaws.com`. The bucket is the first segment of the path
    /// ("path style"), which every implementation takes. `http` is for loopback alone.
    pub endpoint: Url,
    /// As the service calls it; `us-east-1` where it has none.
    pub region: String,
    /// The bucket, which has to be there.
    pub bucket: String,
    /// What stands before every key, such as `packhost/eu`; may be empty.
    pub prefix: String,
    /// The id of the access key.
    pub key_id: String,
    /// The access key, with which requests are signed (AWS Signature Version 4).
    pub secret: Zeroizing<String>,
}

/// Why this cannot be a store.
#[derive(Debug, thiserror::Error)]
pub enum S3Error {
    /// Somebody on the way could read what is sent.
    #[error("{0} is not https, and not on this machine: artifacts are sent over TLS alone")]
    InTheClear(Url),
    /// The prefix is no part of a key.
    #[error("\"{0}\" cannot stand before a key: words joined by slashes")]
    Prefix(String),
    /// The library refuses it.
    #[error("the S3 store cannot be set up: {0}")]
    Setup(#[from] object_store::Error),
}

impl Store {
    /// The store in this bucket. What is sent, the connector sends.
    ///
    /// # Errors
    /// When the endpoint is neither `https` nor on this machine, or the settings are malformed. Nothing is sent yet.
    pub fn s3(settings: &S3, connector: impl HttpConnector) -> Result<Self, S3Error> {
        let S3 { endpoint, region, bucket, prefix, key_id, secret } = settings;
        if endpoint.scheme() != "https" && !is_loopback(endpoint) {
            return Err(S3Error::InTheClear(endpoint.clone()));
        }
        let prefix = Path::parse(prefix).map_err(|_| S3Error::Prefix(prefix.clone()))?;
        let retry =
            RetryConfig { max_retries: RETRIES, retry_timeout: RETRIES_FOR, ..RetryConfig::default() };
        let s3 = AmazonS3Builder::new()
            .with_endpoint(endpoint.as_str().trim_end_matches('/'))
            .with_region(region)
            .with_bucket_name(bucket)
            .with_access_key_id(key_id)
            .with_secret_access_key(secret.as_str())
            .with_allow_http(endpoint.scheme() == "http")
            .with_virtual_hosted_style_request(false)
            // Requests to delete many at once are what implementations differ in most.
            .with_disable_bulk_delete(true)
            .with_retry(retry)
            .with_http_connector(connector)
            .build()?;
        let s3: Arc<AmazonS3> = Arc::new(s3);
        Ok(Self::remote(Arc::clone(&s3) as Arc<dyn ObjectStore>, s3, prefix))
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        _ => false,
    }
}

impl fmt::Debug for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoint, bucket, prefix, key_id, .. } = self;
        write!(f, "S3({endpoint} {bucket}/{prefix} as {key_id})")
    }
}
