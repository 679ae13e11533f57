//! Which bucket: one URL, read once.

use std::fmt;
use std::str::FromStr;

use object_store::path::Path;
use url::{Host, Url};

/// A bucket of a service that speaks S3, and what stands before every key in it, as one URL:
/// `https://s3.eu-central-1.amazonaws.com/BUCKET/PREFIX`. The bucket is the first segment of the path ("path style"), which every
/// implementation takes; it has to be there. The prefix may be left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    endpoint: Url,
    name: String,
    prefix: Path,
}

/// Why a text names no bucket. Says nothing of the text, which may have a secret where none belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BucketError {
    /// It cannot be read.
    #[error("it is no URL: {0}")]
    Url(#[from] url::ParseError),
    /// It says who asks.
    #[error(
        "a user name or password has no place in it: the access key is given apart, and is to be changed if it stood here"
    )]
    UserInfo,
    /// It goes on behind the path.
    #[error("it ends with the bucket and its prefix, without a query and without a fragment")]
    Rest,
    /// Somebody on the way could read what is sent.
    #[error(
        "artifacts are sent over https alone; http is for an address of this machine's loopback, such as 127.0.0.1"
    )]
    InTheClear,
    /// The path does not begin with the name of a bucket.
    #[error(
        "its path begins with the bucket, 3 to 63 letters, digits, dots, hyphens and underscores: https://s3.example.com/BUCKET/PREFIX"
    )]
    Name,
    /// What follows is no part of a key.
    #[error(
        "behind the bucket stand words of letters, digits, dots, hyphens and underscores, joined by slashes"
    )]
    Prefix,
}

impl Bucket {
    /// Where the service is.
    pub fn endpoint(&self) -> &Url {
        &self.endpoint
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn prefix(&self) -> &Path {
        &self.prefix
    }
}

impl FromStr for Bucket {
    type Err = BucketError;

    fn from_str(text: &str) -> Result<Self, BucketError> {
        let url = Url::parse(text)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BucketError::UserInfo);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(BucketError::Rest);
        }
        if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(&url)) {
            return Err(BucketError::InTheClear);
        }
        let path = url.path().strip_prefix('/').unwrap_or_default();
        let path = path.strip_suffix('/').unwrap_or(path);
        let mut words = path.split('/');
        let name = words.next().unwrap_or_default().to_owned();
        if !(3..=63).contains(&name.len()) || !is_plain(&name) {
            return Err(BucketError::Name);
        }
        if !words.clone().all(is_plain) {
            return Err(BucketError::Prefix);
        }
        let prefix = words.collect();
        let mut endpoint = url;
        endpoint.set_path("");
        Ok(Self { endpoint, name, prefix })
    }
}

/// As the bucket is always spelled, however it was given.
impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.endpoint, self.name)?;
        if self.prefix.is_root() { Ok(()) } else { write!(f, "/{}", self.prefix) }
    }
}

/// No implementation spells such a word in another way.
fn is_plain(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_spelled_in_one_way() {
        for (text, spelled) in [
            ("https://s3.example.com/artifacts", "https://s3.example.com/artifacts"),
            ("https://S3.Example.com:443/artifacts/", "https://s3.example.com/artifacts"),
            ("https://s3.example.com/artifacts/packhost/eu/", "https://s3.example.com/artifacts/packhost/eu"),
            ("https://s3.example.com/a/../artifacts/x", "https://s3.example.com/artifacts/x"),
            ("https://[2001:db8::1]:9000/My_bucket.1", "https://[2001:db8::1]:9000/My_bucket.1"),
            ("http://127.0.0.1:9000/artifacts", "http://127.0.0.1:9000/artifacts"),
            ("http://[::1]:9000/artifacts/x", "http://[::1]:9000/artifacts/x"),
        ] {
            let bucket: Bucket = text.parse().expect(text);
            assert_eq!(bucket.to_string(), spelled, "{text}");
            assert_eq!(spelled.parse::<Bucket>(), Ok(bucket), "{text}");
        }
    }

    #[test]
    fn a_bucket_has_an_endpoint_a_name_and_a_prefix() {
        let bucket: Bucket = "https://s3.example.com:9000/artifacts/packhost/eu".parse().expect("a bucket");
        assert_eq!(bucket.endpoint().as_str(), "https://s3.example.com:9000/");
        assert_eq!((bucket.name(), bucket.prefix().as_ref()), ("artifacts", "packhost/eu"));
    }

    #[test]
    fn what_is_no_bucket_is_refused_and_not_repeated() {
        for (text, wrong) in [
            ("", BucketError::Url(url::ParseError::RelativeUrlWithoutBase)),
            ("artifacts", BucketError::Url(url::ParseError::RelativeUrlWithoutBase)),
            ("https://", BucketError::Url(url::ParseError::EmptyHost)),
            ("https://AKIA:word@s3.example.com/artifacts", BucketError::UserInfo),
            ("https://:word@s3.example.com/artifacts", BucketError::UserInfo),
            ("https://AKIA@s3.example.com/artifacts", BucketError::UserInfo),
            ("https://s3.example.com/artifacts?word", BucketError::Rest),
            ("https://s3.example.com/artifacts?", BucketError::Rest),
            ("https://s3.example.com/artifacts#word", BucketError::Rest),
            ("http://s3.example.com/artifacts", BucketError::InTheClear),
            ("http://10.0.0.1/artifacts", BucketError::InTheClear),
            ("http://localhost/artifacts", BucketError::InTheClear),
            ("s3://artifacts/packhost", BucketError::InTheClear),
            ("https://s3.example.com", BucketError::Name),
            ("https://s3.example.com/", BucketError::Name),
            ("https://s3.example.com/ab", BucketError::Name),
            ("https://s3.example.com/art%69facts", BucketError::Name),
            ("https://s3.example.com/the artifacts", BucketError::Name),
            ("https://s3.example.com/artifacts/a//b", BucketError::Prefix),
            ("https://s3.example.com/artifacts//", BucketError::Prefix),
            ("https://s3.example.com/artifacts/a%2fb", BucketError::Prefix),
            ("https://s3.example.com/artifacts/é", BucketError::Prefix),
        ] {
            let refused = text.parse::<Bucket>().expect_err(text);
            assert_eq!(refused, wrong, "{text}");
            assert!(
                !refused.to_string().contains("word@") && !refused.to_string().contains("AKIA"),
                "{refused}"
            );
        }
        let long = format!("https://s3.example.com/{}", "a".repeat(64));
        assert_eq!(long.parse::<Bucket>(), Err(BucketError::Name));
    }
}
