//! A credential opened for a request, against the two decryptions that it takes at least.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use packhost_core::{Caller, CredentialName, PackName, Placement};
use packhost_state::Database;
use packhost_vault::{Binding, KeySource, Secret, Use, Vault};
use serde_json::json;
use url::Url;

use super::Bench;
use crate::report::{Goal, Report, Row};
use crate::rounds::{Sample, rounds};
use crate::{Outcome, host};

pub(crate) const GROUP: &str = "A use of a credential";

/// Microseconds.
const MOST: f64 = 5.0;
const VALUE: &[u8] = b"not-a-real-secret-0123456789-0123456789";
/// Credentials beside the one that is used.
const OTHERS: usize = 50;

pub(super) fn run(bench: &Bench, report: &mut Report) -> Outcome<()> {
    let state = host::fresh_state()?;
    let vault =
        Vault::open(Arc::new(Database::open(state.path())?), KeySource::Own(state.path().join("key")))?;
    let binding: Binding = serde_json::from_value(json!({
        "hosts": ["api.example.com"], "packs": ["bench.*"],
        "places": [{ "header": { "name": "authorization", "scheme": "Bearer" } }],
    }))?;
    for number in 0..=OTHERS {
        let name: CredentialName = format!("KEY_{number}").parse()?;
        vault.set(&name, &Secret::new(VALUE)?, std::slice::from_ref(&binding))?;
    }
    let (name, pack): (CredentialName, PackName) = ("KEY_7".parse()?, "bench.fetch".parse()?);
    let (caller, url) = (Caller::local(), Url::parse("https://api.example.com/v1/things")?);
    let place = Placement::Header { name: "authorization".into(), scheme: Some("Bearer".into()) };
    let of = Use { pack: &pack, caller: &caller, method: "GET", url: &url, place: &place };
    let uses = bench.effort.calls;
    let opened = || p50(uses, || Ok(vault.open_for(&name, &of).map(drop)?));

    let cipher = Aes256Gcm::new(&[7; 32].into());
    let nonce = Nonce::from([1; 12]);
    let sealed = cipher.encrypt(&nonce, Payload { msg: VALUE, aad: b"name and bindings" });
    let sealed = sealed.map_err(|_| "nothing was sealed")?;
    let twice = || {
        p50(uses, || {
            for _ in 0..2 {
                let payload = Payload { msg: &sealed, aad: b"name and bindings" };
                std::hint::black_box(cipher.decrypt(&nonce, payload).map_err(|_| "nothing was opened")?);
            }
            Ok(())
        })
    };
    let pairs = rounds("one of 51", bench.effort.rounds, opened, twice)?;
    let row = Row::new(GROUP, "opened for a request, p50", "µs", "two decryptions", &pairs);
    report.rows.push(row.goal(Goal::HostBelow(MOST)));
    Ok(())
}

fn p50(times: usize, mut once: impl FnMut() -> Outcome<()>) -> Outcome<f64> {
    let since = Instant::now();
    let mut took: Vec<Duration> = Vec::with_capacity(times);
    for _ in 0..times {
        let began = Instant::now();
        once()?;
        took.push(began.elapsed());
    }
    Ok(Sample::of(&took, since).p50)
}
