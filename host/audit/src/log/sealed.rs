//! What retention removed: the file `sealed`, a chain of its own with a signature in each line.

use packhost_keyring::{Keyring, PublicKeys, Signature};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Hash, Position};
use crate::error::AuditError;
use crate::moment::Moment;

/// The name of the file.
pub(crate) const SEALED: &str = "sealed";
/// What its lines are signed for.
const CONTEXT: &str = "packhost audit sealed v1";
/// The most bytes of the file: 64 GiB of segments of the usual size leave 500 KiB.
pub(crate) const MOST: u64 = 64 << 20;

/// A segment that retention removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// Its number.
    pub segment: u64,
    /// Its first record.
    pub first: u64,
    /// Its last record.
    pub last: u64,
    /// The hash of that, behind which the next segment stands.
    pub hash: Hash,
    /// Its size in bytes.
    pub bytes: u64,
    /// The time of its first record.
    pub from: Moment,
    /// The time of its last record.
    pub to: Moment,
    /// When it was removed.
    pub removed: Moment,
}

/// A line of the file, before its hash is put in front of it.
#[derive(Serialize, Deserialize)]
struct Signed {
    sealed: Sealed,
    #[serde(flatten)]
    signature: Signature,
}

/// The lines of the file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    pub(crate) entries: Vec<Sealed>,
    /// The hash of the last line.
    last: Option<Hash>,
    /// The bytes of whole lines, and whether others follow.
    pub(crate) whole: u64,
    pub(crate) torn: bool,
}

/// Why a line is none, as (line from 1, byte, why).
pub(crate) type Wrong = (u64, u64, String);

fn genesis() -> Hash {
    Hash(Sha256::digest(b"packhost audit sealed 1\n").into())
}

impl Ledger {
    /// Reads it up to the first line that is none, and says what is wrong with that.
    pub(crate) fn read(bytes: &[u8], keys: &PublicKeys) -> (Self, Option<Wrong>) {
        let mut ledger = Self::default();
        for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let Some(line) = line.strip_suffix(b"\n") else {
                ledger.torn = true;
                break;
            };
            match ledger.next(line, keys) {
                Ok(sealed) => ledger.entries.push(sealed),
                Err(why) => {
                    let wrong = (index as u64 + 1, ledger.whole, why);
                    return (ledger, Some(wrong));
                }
            }
            ledger.whole += line.len() as u64 + 1;
        }
        (ledger, None)
    }

    /// The place behind what was removed.
    pub(crate) fn end(&self) -> Option<Position> {
        self.entries.last().map(|sealed| Position { n: sealed.last, hash: sealed.hash })
    }

    fn next(&mut self, line: &[u8], keys: &PublicKeys) -> Result<Sealed, String> {
        let line = std::str::from_utf8(line).map_err(|_| "it is not UTF-8")?;
        let (own, json) = line.split_once(' ').ok_or("no space follows the hash")?;
        let own: Hash = own.parse().map_err(|error: super::HashError| error.to_string())?;
        let before = self.last.unwrap_or_else(genesis);
        if before.after(json.as_bytes()) != own {
            return Err("its hash is not that of the line and those before it".into());
        }
        let signed: Signed = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let again = serde_json::to_string(&signed).map_err(|error| error.to_string())?;
        if again != json {
            return Err("it is not as this host writes it".into());
        }
        let sealed = signed.sealed;
        let verified = keys.verify(CONTEXT, &statement(&before, &sealed)?, &signed.signature);
        verified.map_err(|error| error.to_string())?;
        let (segment, first) = self.entries.last().map_or((1, 1), |last| (last.segment + 1, last.last + 1));
        if (sealed.segment, sealed.first) != (segment, first) || sealed.last < sealed.first {
            return Err(format!("segment {segment} from record {first} should follow"));
        }
        self.last = Some(own);
        Ok(sealed)
    }

    /// The line of one more segment.
    pub(crate) fn line(&self, keyring: &Keyring, sealed: &Sealed) -> Result<Vec<u8>, AuditError> {
        let before = self.last.unwrap_or_else(genesis);
        let statement = statement(&before, sealed).map_err(AuditError::Body)?;
        let signature = keyring.sign(CONTEXT, &statement)?;
        let signed = Signed { sealed: sealed.clone(), signature };
        let json = serde_json::to_string(&signed).map_err(|error| AuditError::Body(error.to_string()))?;
        Ok(format!("{} {json}\n", before.after(json.as_bytes())).into_bytes())
    }
}

/// What is signed: the hash of the line before, and the entry.
fn statement(before: &Hash, sealed: &Sealed) -> Result<Vec<u8>, String> {
    let json = serde_json::to_vec(sealed).map_err(|error| error.to_string())?;
    Ok([before.bytes(), json.as_slice()].concat())
}
