//! A store that speaks S3, over the host's own egress.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::HttpConnector;
use object_store::{ObjectStore, RetryConfig};
use zeroize::Zeroizing;

use super::Store;
use super::bucket::Bucket;

/// How often a request is tried again, and for how long.
const RETRIES: usize = 3;
const RETRIES_FOR: Duration = Duration::from_secs(60);

/// Which bucket, and as whom.
#[derive(Debug)]
pub struct S3 {
    /// The bucket, which has to be there.
    pub bucket: Bucket,
    /// As the service calls it; `us-east-1` where it has none.
    pub region: String,
    /// With what requests are signed.
    pub key: AccessKey,
}

/// An access key: its id and its secret, with which requests are signed (AWS Signature Version 4). Shows neither.
#[derive(Clone)]
pub struct AccessKey {
    id: Zeroizing<String>,
    secret: Zeroizing<String>,
}

/// A text that is no access key. Says nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an access key is its id and its secret, without blanks in either: KEY_ID SECRET")]
pub struct InvalidKey;

/// The library refuses the settings.
#[derive(Debug, thiserror::Error)]
#[error("the S3 store cannot be set up: {0}")]
pub struct S3Error(#[from] object_store::Error);

impl AccessKey {
    /// The key of this id.
    ///
    /// # Errors
    /// Where one of them is empty, or has something else in it than visible ASCII characters.
    pub fn new(id: &str, secret: &str) -> Result<Self, InvalidKey> {
        let is_word = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_word(id) || !is_word(secret) {
            return Err(InvalidKey);
        }
        Ok(Self { id: id.to_owned().into(), secret: secret.to_owned().into() })
    }

    /// The key in `KEY_ID SECRET`, with blanks or a line break between them and nothing else around them.
    ///
    /// # Errors
    /// As [`new`](Self::new), and where there are more words, or fewer.
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        let mut words = text.split_whitespace();
        match (words.next(), words.next(), words.next()) {
            (Some(id), Some(secret), None) => Self::new(id, secret),
            _ => Err(InvalidKey),
        }
    }
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessKey")
    }
}

impl Store {
    /// The store in this bucket. What is sent, the connector sends.
    ///
    /// # Errors
    /// When the settings are malformed. Nothing is sent yet.
    pub fn s3(settings: &S3, connector: impl HttpConnector) -> Result<Self, S3Error> {
        let S3 { bucket, region, key } = settings;
        let retry =
            RetryConfig { max_retries: RETRIES, retry_timeout: RETRIES_FOR, ..RetryConfig::default() };
        let s3 = AmazonS3Builder::new()
            .with_endpoint(bucket.endpoint().as_str().trim_end_matches('/'))
            .with_region(region)
            .with_bucket_name(bucket.name())
            .with_access_key_id(key.id.as_str())
            .with_secret_access_key(key.secret.as_str())
            .with_allow_http(bucket.endpoint().scheme() == "http")
            .with_virtual_hosted_style_request(false)
            // Requests to delete many at once are what implementations differ in most.
            .with_disable_bulk_delete(true)
            .with_retry(retry)
            .with_http_connector(connector)
            .build()?;
        let s3: Arc<AmazonS3> = Arc::new(s3);
        Ok(Self::remote(Arc::clone(&s3) as Arc<dyn ObjectStore>, s3, bucket))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_two_words_and_shows_neither() {
        for text in ["AKIA word+/=", " AKIA\tword+/= \n", "AKIA\nword+/=\n", "AKIA\r\nword+/=\r\n"] {
            let key = AccessKey::parse(text).expect(text);
            assert_eq!((key.id.as_str(), key.secret.as_str()), ("AKIA", "word+/="));
            assert_eq!(format!("{key:?}"), "AccessKey");
        }
        for text in ["", " ", "AKIA", "AKIA word more", "AKIA wörd", "AKIA wo\0rd"] {
            let refused = AccessKey::parse(text).expect_err(text).to_string();
            assert!(!refused.contains("AKIA") && !refused.contains("word"), "{refused}");
        }
        for (id, secret) in [("", "word"), ("AKIA", ""), ("AK IA", "word"), ("AKIA", "word\n")] {
            assert!(AccessKey::new(id, secret).is_err(), "{id:?} {secret:?}");
        }
    }
}
