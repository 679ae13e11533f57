//! Which store artifacts are kept in, and the access key of one that is a bucket.

use std::env;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use packhost_artifacts::{AccessKey, InvalidKey, S3, Store, ThroughEgress};
use packhost_egress::Egress;
use zeroize::Zeroizing;

use crate::args::{AccessKeySource, Global};
use crate::dirs::Dirs;
use crate::exit::Error;
use crate::host;

/// The directory of the store, in the state directory.
const DIRECTORY: &str = "artifacts";
/// What services without regions take for theirs.
const REGION: &str = "us-east-1";
/// Where programs that speak S3 look for an access key.
const KEY_ID: &str = "AWS_ACCESS_KEY_ID";
const SECRET: &str = "AWS_SECRET_ACCESS_KEY";
const SESSION: &str = "AWS_SESSION_TOKEN";
/// The most bytes that are read where a key should be.
const MOST: u64 = 4096;
/// What nobody but the owner may do with a file that holds a key.
const OTHERS: u32 = 0o077;
/// The same in the directory of a unit's credentials, where the group's bits may be the mask of an access control list that lets
/// the service in (acl(5)): `r--r-----`.
const OTHERS_OF_UNIT: u32 = 0o037;

/// The store that the command line names; nothing is sent to it yet. The state directory must be there. Reads the access key and
/// the trusted roots: behind the walls they are out of reach.
pub(crate) fn store(global: &Global, dirs: &Dirs) -> Result<Store, Error> {
    let named = &global.artifacts;
    let Some(bucket) = &named.artifacts_s3 else {
        // A bucket that somebody meant to name, and did not, is not the state directory.
        if !named.again().is_empty() {
            return Err(Error::failed(
                "the other options --artifacts-s3-… are for a bucket, and --artifacts-s3 names none",
            ));
        }
        return Ok(Store::local(&dirs.state.join(DIRECTORY))?);
    };
    let key = match &named.artifacts_s3_key {
        Some(source) => in_a_file(source)?,
        None => of_the_environment()?,
    };
    let region = named.artifacts_s3_region.clone().unwrap_or_else(|| REGION.to_owned());
    let egress = Egress::new(host::egress(global)?).map_err(|error| Error::failed(error.to_string()))?;
    let connector = ThroughEgress::new(egress, bucket.endpoint(), &named.artifacts_s3_network);
    let settings = S3 { bucket: bucket.clone(), region, key };
    Store::s3(&settings, connector).map_err(|error| Error::failed(error.to_string()))
}

fn of_the_environment() -> Result<AccessKey, Error> {
    if env::var_os(SESSION).is_some() {
        return Err(Error::failed(format!(
            "${SESSION} is set, and a key that ends by itself is none for a host that goes on: unset it, or name another key with --artifacts-s3-key"
        )));
    }
    let word = |name: &str| env::var(name).map(Zeroizing::new).ok();
    let (Some(id), Some(secret)) = (word(KEY_ID), word(SECRET)) else {
        return Err(Error::failed(format!(
            "the bucket needs an access key: set ${KEY_ID} and ${SECRET}, or name its place with --artifacts-s3-key file:PATH"
        )));
    };
    AccessKey::new(&id, &secret).map_err(|InvalidKey| {
        Error::failed(format!(
            "${KEY_ID} and ${SECRET} are no access key: they are empty, or have blanks in them"
        ))
    })
}

fn in_a_file(source: &AccessKeySource) -> Result<AccessKey, Error> {
    let path = source.path().ok_or_else(|| {
        Error::failed(
            "--artifacts-s3-key: $CREDENTIALS_DIRECTORY is not set, so systemd has handed out no credential",
        )
    })?;
    let others = match source {
        AccessKeySource::File(_) => OTHERS,
        AccessKeySource::Systemd(_) => OTHERS_OF_UNIT,
    };
    let text = private(&path, others)?;
    AccessKey::parse(&text).map_err(|error| Error::failed(format!("{}: {error}", path.display())))
}

/// A file that only this user, or root, could have written or read: none of the bits `others` is set.
fn private(path: &Path, others: u32) -> Result<Zeroizing<String>, Error> {
    let failed = |source: io::Error| Error::file(path, source);
    let file = File::open(path).map_err(failed)?;
    let about = file.metadata().map_err(failed)?;
    let mode = about.permissions().mode() & 0o777;
    let ours = about.uid() == rustix::process::geteuid().as_raw() || about.uid() == 0;
    if mode & others != 0 || !ours {
        return Err(Error::failed(format!(
            "{} is open to other users (mode {mode:o}); `chmod 600` it, and take a new access key",
            path.display()
        )));
    }
    let mut text = Zeroizing::new(String::with_capacity(MOST as usize));
    file.take(MOST).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};

    use super::*;

    #[test]
    fn a_key_is_read_from_a_file_that_is_closed_to_others() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("key");
        let read = |text: &str, mode: u32| {
            fs::write(&path, text).expect("writable");
            fs::set_permissions(&path, Permissions::from_mode(mode)).expect("ours");
            in_a_file(&AccessKeySource::File(path.clone()))
        };
        for mode in [0o600, 0o400] {
            read("AKIA hush\n", mode).expect("a key");
        }
        for (text, mode, why) in [
            ("AKIA hush\n", 0o640, "mode 640"),
            ("AKIA hush\n", 0o604, "mode 604"),
            ("AKIA\n", 0o600, "KEY_ID SECRET"),
            ("AKIA hush more\n", 0o600, "KEY_ID SECRET"),
            ("", 0o600, "KEY_ID SECRET"),
        ] {
            let refused = read(text, mode).expect_err(why).to_string();
            assert!(refused.contains(why) && refused.contains(&path.display().to_string()), "{refused}");
            assert!(!refused.contains("AKIA") && !refused.contains("hush"), "{refused}");
        }
        fs::remove_file(&path).expect("ours");
        assert!(in_a_file(&AccessKeySource::File(path.clone())).is_err());
    }
}
