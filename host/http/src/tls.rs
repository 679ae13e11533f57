//! The certificate that clients see, and its key: read again when their files change.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::time::{MissedTickBehavior, interval};
use tokio_rustls::TlsAcceptor;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(5);
/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 1 << 20;
/// HTTP/2, as ALPN names it (RFC 9113 section 3.1).
pub(crate) const HTTP2: &[u8] = b"h2";

/// Where the certificate and its key are, both PEM (RFC 7468).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, and behind it those that lead to a root.
    pub certificate: PathBuf,
    /// Its private key, not encrypted.
    pub key: PathBuf,
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is nothing in it.
    #[error("{}: there is no {what} in it, in PEM", path.display())]
    Empty {
        /// Which.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
    /// The two do not go together.
    #[error("{}: {source}", path.display())]
    Pair {
        /// The certificate's.
        path: PathBuf,
        /// Why.
        source: rustls::Error,
    },
}

/// What connections are secured with now.
pub(crate) struct Tls {
    files: TlsFiles,
    config: ArcSwap<ServerConfig>,
    seen: Mutex<Option<Stamp>>,
}

/// What tells that a file is another one.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp([(u64, u64, i64, i64); 2]);

impl Stamp {
    fn of(files: &TlsFiles) -> io::Result<Self> {
        let stamp = |about: Metadata| (about.ino(), about.len(), about.mtime(), about.mtime_nsec());
        Ok(Self([stamp(fs::metadata(&files.certificate)?), stamp(fs::metadata(&files.key)?)]))
    }
}

impl Tls {
    pub(crate) fn new(files: TlsFiles) -> Result<Self, TlsError> {
        let seen = Mutex::new(Stamp::of(&files).ok());
        let config = ArcSwap::new(load(&files)?);
        Ok(Self { files, config, seen })
    }

    /// What secures the next connection.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config.load_full())
    }

    /// Looks after the files for as long as it is polled.
    pub(crate) async fn watch(self: Arc<Self>) {
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let tls = Arc::clone(&self);
            // A disk may be slow.
            let _ = tokio::task::spawn_blocking(move || tls.look()).await;
        }
    }

    /// Reads the files again if they are others. A pair that is none, as while one of the two is being replaced, leaves the old
    /// one in place.
    fn look(&self) {
        let Ok(stamp) = Stamp::of(&self.files) else { return };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == Some(stamp) {
            return;
        }
        *seen = Some(stamp);
        match load(&self.files) {
            Ok(config) => {
                self.config.store(config);
                tracing::info!(target: "packhost", "the certificate was read again");
            }
            Err(error) => tracing::warn!(target: "packhost", "the certificate stays as it was: {error}"),
        }
    }
}

/// TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1.
fn load(files: &TlsFiles) -> Result<Arc<ServerConfig>, TlsError> {
    let empty = |path: &Path, what| TlsError::Empty { path: path.to_owned(), what };
    let certificates =
        CertificateDer::pem_slice_iter(&read(&files.certificate)?).collect::<Result<Vec<_>, _>>();
    let chain = certificates.unwrap_or_default();
    if chain.is_empty() {
        return Err(empty(&files.certificate, "certificate"));
    }
    let key = PrivateKeyDer::from_pem_slice(&read(&files.key)?);
    let key = key.map_err(|_| empty(&files.key, "private key"))?;
    let pair = |source| TlsError::Pair { path: files.certificate.clone(), source };
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(pair)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(pair)?;
    config.alpn_protocols = vec![HTTP2.to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let failed = |source| TlsError::File { path: path.to_owned(), source };
    if fs::metadata(path).map_err(failed)?.len() > MAX_FILE {
        return Err(failed(io::Error::other(format!("it is larger than {MAX_FILE} bytes"))));
    }
    fs::read(path).map_err(failed)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use tempfile::TempDir;

    use super::*;

    fn write(dir: &TempDir) -> TlsFiles {
        let files = TlsFiles { certificate: dir.path().join("cert.pem"), key: dir.path().join("key.pem") };
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
        fs::write(&files.certificate, cert.pem()).expect("writable");
        fs::write(&files.key, signing_key.serialize_pem()).expect("writable");
        files
    }

    #[test]
    fn files_that_change_are_read_again_and_a_broken_pair_is_not_taken() {
        let dir = TempDir::new().expect("a directory");
        let tls = Tls::new(write(&dir)).expect("a pair");
        let first = tls.config.load_full();
        tls.look();
        assert!(Arc::ptr_eq(&first, &tls.config.load_full()), "nothing has changed");
        let old_key = fs::read(&tls.files.key).expect("readable");
        write(&dir);
        let new_key = fs::read(&tls.files.key).expect("readable");
        fs::write(&tls.files.key, old_key).expect("writable");
        tls.look();
        assert!(Arc::ptr_eq(&first, &tls.config.load_full()), "the key is not the certificate's");
        fs::write(&tls.files.key, new_key).expect("writable");
        tls.look();
        let second = tls.config.load_full();
        assert!(!Arc::ptr_eq(&first, &second));
        fs::remove_file(&tls.files.key).expect("writable");
        tls.look();
        assert!(Arc::ptr_eq(&second, &tls.config.load_full()));
    }

    #[test]
    fn what_is_no_pair_is_refused_before_anybody_connects() {
        let dir = TempDir::new().expect("a directory");
        let files = write(&dir);
        let swapped = TlsFiles { certificate: files.key.clone(), key: files.certificate.clone() };
        assert!(matches!(Tls::new(swapped).err(), Some(TlsError::Empty { what: "certificate", .. })));
        let no_key = TlsFiles { key: files.certificate.clone(), ..files.clone() };
        assert!(matches!(Tls::new(no_key).err(), Some(TlsError::Empty { what: "private key", .. })));
        let missing = TlsFiles { key: dir.path().join("none"), ..files.clone() };
        assert!(matches!(Tls::new(missing).err(), Some(TlsError::File { .. })));
        let other = TempDir::new().expect("a directory");
        let mixed = TlsFiles { key: write(&other).key, ..files };
        assert!(matches!(Tls::new(mixed).err(), Some(TlsError::Pair { .. })));
    }
}
