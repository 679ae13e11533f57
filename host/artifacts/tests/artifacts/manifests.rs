//! What is signed for a run, and what is found when something was changed.

use std::fs;
use std::path::PathBuf;

use packhost_artifacts::{
    Artifact, ArtifactError, Artifacts, Envelope, Filter, Finding, Kind, ManifestError, Page, Report, Signed,
};
use packhost_core::{Digest, RunId};
use packhost_keyring::PublicKeys;
use packhost_state::{Database, StateError};

use crate::{Scene, ada, draft, keys, read, run_of, sweep, write};

/// A run with two artifacts and its manifest.
struct Ended {
    scene: Scene,
    artifacts: Artifacts,
    run: RunId,
    made: Vec<Artifact>,
    manifest: Artifact,
}

impl Ended {
    async fn new() -> Self {
        let scene = Scene::new();
        let artifacts = scene.open().await;
        let run = RunId::fresh();
        let mut made = Vec::new();
        for (name, bytes) in [("chart.png", "the chart"), ("../../data.csv", "the data")] {
            scene.pass(1);
            made.push(write(&artifacts, draft(&ada(), run, name), bytes.as_bytes()).await.expect("kept"));
        }
        let manifest = artifacts.seal(&run_of(&ada(), run)).await.expect("signed").expect("there is one");
        Self { scene, artifacts, run, made, manifest }
    }

    fn public(&self) -> PublicKeys {
        // From the file alone, as somebody has it to whom it was given.
        PublicKeys::read(&self.scene.path().join("keys")).expect("a chain")
    }

    async fn report(&self) -> Report {
        self.artifacts.verify_run(&ada(), self.run, &self.public()).await.expect("looked at")
    }

    async fn envelope(&self) -> Vec<u8> {
        read(&self.artifacts, &self.manifest).await.expect("readable").to_vec()
    }

    /// The file in which an artifact is.
    fn file(&self, of: &Artifact) -> PathBuf {
        let database = Database::open(self.scene.path()).unwrap();
        let place: Result<String, StateError> = database.read(|sql| {
            Ok(sql
                .query_row("SELECT place FROM artifacts WHERE id = ?1", [of.id.as_str()], |row| row.get(0))?)
        });
        self.scene.blobs().join(place.unwrap())
    }

    fn sql(&self, statement: &str) {
        let database = Database::open(self.scene.path()).unwrap();
        let done: Result<(), StateError> = database.write(|sql| Ok(sql.execute_batch(statement)?));
        done.unwrap();
    }

    async fn finding(&self, of: &Artifact) -> Finding {
        let report = self.artifacts.verify(&ada(), &of.id, &self.public()).await.expect("looked at");
        let [one] = report.artifacts.as_slice() else { panic!("{report:?}") };
        let whole = self.report().await;
        assert!(whole.artifacts.contains(one), "{whole:?}");
        assert_eq!(report.is_sound(), matches!(one.finding, Finding::Sound));
        one.finding
    }
}

#[tokio::test]
async fn a_run_is_signed_for_and_anybody_can_check_it() {
    let ended = Ended::new().await;
    let report = ended.report().await;
    assert!(report.is_sound() && report.is_signed(), "{report:?}");
    assert_eq!(report.artifacts.len(), 3);
    // With the envelope and the public keys, and nothing else.
    let envelope = Envelope::parse(&ended.envelope().await).expect("an envelope");
    let (manifest, key) = envelope.open(&ended.public()).expect("signed");
    assert_eq!(key, ended.public().current().id());
    let run = run_of(&ada(), ended.run);
    assert_eq!((manifest.run, &manifest.pack), (run.id, &run.pack));
    assert_eq!((manifest.pack_digest, manifest.input), (run.pack_digest, run.input));
    assert_eq!(manifest.time.unix_timestamp(), 1_800_000_002);
    let as_made =
        ended.made.iter().map(|made| (&made.id, &made.name, made.digest, made.size, &made.media_type));
    let as_signed = manifest
        .artifacts
        .iter()
        .map(|made| (&made.id, &made.name, made.digest, made.size, &made.media_type));
    assert!(as_signed.eq(as_made), "{manifest:?}");
    assert_eq!(manifest.artifacts[1].digest, Digest::of(b"the data"));
    // It is an artifact like others, of its own kind.
    let filter = Filter { run: Some(ended.run), kind: Some(Kind::Manifest), ..Filter::default() };
    let listing = ended.artifacts.list(&ada(), filter, Page::default()).await.expect("readable");
    assert_eq!(listing.artifacts, std::slice::from_ref(&ended.manifest));
    assert_eq!(ended.manifest.media_type.as_str(), Envelope::MEDIA_TYPE);
}

#[tokio::test]
async fn the_envelope_is_a_statement_as_others_know_it() {
    let ended = Ended::new().await;
    let json: serde_json::Value = serde_json::from_slice(&ended.envelope().await).expect("JSON");
    assert_eq!(json["payloadType"], "application/vnd.in-toto+json");
    assert_eq!(json["signatures"].as_array().map(Vec::len), Some(1));
    assert_eq!(json["signatures"][0]["keyid"], ended.public().current().id().to_string());
    use base64::Engine as _;
    let payload = json["payload"].as_str().expect("text");
    let payload = base64::engine::general_purpose::STANDARD.decode(payload).expect("base64");
    let statement: serde_json::Value = serde_json::from_slice(&payload).expect("JSON");
    assert_eq!(statement["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(statement["subject"][0]["name"], "chart.png");
    assert_eq!(statement["subject"][0]["digest"]["sha256"], ended.made[0].digest.hex());
    assert_eq!(statement["subject"][0]["annotations"]["size"], 9);
    assert_eq!(statement["predicateType"], "packhost:run/v1");
    assert_eq!(statement["predicate"]["run"], ended.run.to_string());
    assert_eq!(statement["predicate"]["time"], "2027-01-15T08:00:02Z");
}

#[tokio::test]
async fn every_byte_of_every_object_that_is_changed_is_found() {
    let ended = Ended::new().await;
    for one in ended.made.iter().chain([&ended.manifest]) {
        let file = ended.file(one);
        let bytes = fs::read(&file).unwrap();
        // All of the small ones; of the manifest some, because each one reads all of them.
        let step = if one.kind == Kind::Made { 1 } else { 7 };
        for at in (0..bytes.len()).step_by(step) {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            fs::write(&file, &changed).unwrap();
            let found = Finding::Altered { found: Some(Digest::of(&changed)) };
            assert_eq!(ended.finding(one).await, found, "byte {at}");
        }
        let cut = &bytes[..bytes.len() - 1];
        fs::write(&file, cut).unwrap();
        assert_eq!(ended.finding(one).await, Finding::Altered { found: None });
        let refused = read(&ended.artifacts, one).await;
        assert!(matches!(refused, Err(ArtifactError::Damaged(_))), "it is not handed out: {refused:?}");
        fs::remove_file(&file).unwrap();
        assert_eq!(ended.finding(one).await, Finding::Lost);
        let refused = read(&ended.artifacts, one).await;
        assert!(
            matches!(refused, Err(ArtifactError::Damaged(_))),
            "it is no error of the caller: {refused:?}"
        );
        fs::write(&file, &bytes).unwrap();
        assert_eq!(ended.finding(one).await, Finding::Sound);
    }
}

#[tokio::test]
async fn no_bit_of_an_envelope_can_be_changed() {
    let ended = Ended::new().await;
    let (json, keys) = (ended.envelope().await, ended.public());
    let original = Envelope::parse(&json).unwrap().open(&keys).expect("signed");
    let mut random = fastrand::Rng::with_seed(3);
    for at in 0..json.len() {
        let mut changed = json.clone();
        changed[at] ^= 1 << random.u8(0..7);
        if let Ok(found) = Envelope::parse(&changed).and_then(|envelope| envelope.open(&keys)) {
            assert_eq!(found, original, "byte {at}: {}", String::from_utf8_lossy(&changed));
        }
    }
    for length in 0..json.len() {
        Envelope::parse(&json[..length]).expect_err("cut off");
    }
}

#[tokio::test]
async fn what_the_state_says_otherwise_is_found() {
    let ended = Ended::new().await;
    let one = &ended.made[0];
    for (column, value) in [("name", "other.png"), ("media_type", "text/html"), ("pack", "evil.pack")] {
        let before = match column {
            "name" => one.name.as_str(),
            "media_type" => one.media_type.as_str(),
            _ => one.pack.as_str(),
        };
        let set = |value: &str| format!("UPDATE artifacts SET {column} = '{value}' WHERE id = '{}'", one.id);
        ended.sql(&set(value));
        assert_eq!(ended.finding(one).await, Finding::Relabelled, "{column}");
        ended.sql(&set(before));
        assert_eq!(ended.finding(one).await, Finding::Sound);
    }
    // An object with its row, put in the place of another one.
    let bytes = fs::read(ended.file(one)).unwrap();
    fs::write(ended.file(one), b"the chatt").unwrap();
    let digest = Digest::of(b"the chatt");
    ended.sql(&format!("UPDATE artifacts SET digest = '{digest}' WHERE id = '{}'", one.id));
    assert_eq!(ended.finding(one).await, Finding::Relabelled);
    fs::write(ended.file(one), bytes).unwrap();
    ended.sql(&format!("UPDATE artifacts SET digest = '{}' WHERE id = '{}'", one.digest, one.id));
    // One that was added later.
    ended.sql(&format!(
        "INSERT INTO artifacts SELECT 'art-00000000000000000000000000', kind, place, digest, size, charged, media_type, \
         name, owner, run, pack, created, expires, marked FROM artifacts WHERE id = '{}'",
        one.id
    ));
    let report = ended.report().await;
    let unsigned = report.artifacts.iter().filter(|one| one.finding == Finding::Unsigned).count();
    assert!(unsigned == 1 && !report.is_sound(), "{report:?}");
}

#[tokio::test]
async fn a_manifest_of_others_or_of_another_run_is_none() {
    let ended = Ended::new().await;
    let foreign = Ended::new().await;
    // Another host's, whole and signed.
    let report = ended.artifacts.verify_run(&ada(), ended.run, &foreign.public()).await.expect("looked at");
    assert!(
        matches!(&report.manifest, Signed::Invalid { why } if why.contains("none of the known keys")),
        "{report:?}"
    );
    assert!(!report.is_sound());
    let theirs = foreign.envelope().await;
    let refused = Envelope::parse(&theirs).unwrap().open(&ended.public());
    assert!(matches!(refused, Err(ManifestError::Unverified(_))), "{refused:?}");
    // Another run's of the same host, with a row that fits.
    let run = RunId::fresh();
    write(&ended.artifacts, draft(&ada(), run, "a"), b"other").await.expect("kept");
    let other = ended.artifacts.seal(&run_of(&ada(), run)).await.unwrap().unwrap();
    ended.sql(&format!("DELETE FROM artifacts WHERE id = '{}'", ended.manifest.id));
    ended.sql(&format!("UPDATE artifacts SET run = '{}' WHERE id = '{}'", ended.run, other.id));
    let report = ended.report().await;
    assert!(matches!(&report.manifest, Signed::Invalid { why } if why.contains("another run")), "{report:?}");
}

#[tokio::test]
async fn what_was_removed_is_said_to_be_gone() {
    let ended = Ended::new().await;
    ended.artifacts.remove(&ada(), &ended.made[0].id).await.expect("hers");
    let report = ended.report().await;
    assert!(report.is_sound() && report.is_signed(), "{report:?}");
    let gone: Vec<_> = report.artifacts.iter().filter(|one| one.finding == Finding::Gone).collect();
    assert_eq!(gone.len(), 1);
    assert_eq!((&gone[0].id, gone[0].name.as_str()), (&ended.made[0].id, "chart.png"));
}

#[tokio::test]
async fn nothing_is_added_to_a_run_that_has_ended() {
    let ended = Ended::new().await;
    let refused = ended.artifacts.writer(draft(&ada(), ended.run, "late")).await.map(drop);
    assert!(matches!(refused, Err(ArtifactError::Sealed)), "{refused:?}");
    let again = ended.artifacts.seal(&run_of(&ada(), ended.run)).await.expect("it is there");
    assert_eq!(again, Some(ended.manifest.clone()));
    // One that began before.
    let run = RunId::fresh();
    write(&ended.artifacts, draft(&ada(), run, "a"), b"a").await.expect("kept");
    let mut writer = ended.artifacts.writer(draft(&ada(), run, "b")).await.expect("room");
    writer.write("b".into()).await.expect("written");
    ended.artifacts.seal(&run_of(&ada(), run)).await.expect("signed");
    let refused = writer.finish().await;
    assert!(matches!(refused, Err(ArtifactError::Sealed)), "{refused:?}");
    assert_eq!(ended.artifacts.seal(&run_of(&ada(), RunId::fresh())).await.expect("nothing to sign"), None);
}

#[tokio::test]
async fn a_manifest_speaks_of_all_that_there_is() {
    let scene = Scene::new();
    let artifacts = scene.open().await;
    for _ in 0..20 {
        let run = RunId::fresh();
        write(&artifacts, draft(&ada(), run, "first"), b"first").await.expect("kept");
        let writers = (0..4).map(|number| {
            let artifacts = artifacts.clone();
            tokio::spawn(async move { write(&artifacts, draft(&ada(), run, "more"), &[number]).await })
        });
        let writers: Vec<_> = writers.collect();
        let two = [run_of(&ada(), run), run_of(&ada(), run)];
        let (one, other) = tokio::join!(artifacts.seal(&two[0]), artifacts.seal(&two[1]));
        for writer in writers {
            let kept = writer.await.unwrap();
            assert!(matches!(kept, Ok(_) | Err(ArtifactError::Sealed)), "{kept:?}");
        }
        for sealed in [one, other] {
            assert!(matches!(sealed, Ok(Some(_)) | Err(ArtifactError::Changed)), "{sealed:?}");
        }
        artifacts.seal(&run_of(&ada(), run)).await.expect("it has ended by now");
        let public = keys(scene.path()).unwrap().public().unwrap();
        let report = artifacts.verify_run(&ada(), run, &public).await.expect("looked at");
        assert!(report.is_sound() && report.is_signed(), "{report:?}");
        let filter = Filter { run: Some(run), kind: Some(Kind::Manifest), ..Filter::default() };
        let manifests = artifacts.list(&ada(), filter, Page::default()).await.unwrap().artifacts;
        assert_eq!(manifests.len(), 1, "two have signed for it");
    }
    sweep(&artifacts).await;
    crate::truth::Truth::of(scene.path());
}

#[tokio::test]
async fn a_key_that_was_retired_still_counts_and_one_that_is_not_known_does_not() {
    let ended = Ended::new().await;
    let before = ended.public();
    keys(ended.scene.path()).unwrap().rotate().expect("a new key");
    assert!(ended.report().await.is_signed(), "signed with the key of before");
    let run = RunId::fresh();
    write(&ended.artifacts, draft(&ada(), run, "a"), b"a").await.expect("kept");
    ended.artifacts.seal(&run_of(&ada(), run)).await.expect("signed");
    let now = ended.artifacts.verify_run(&ada(), run, &ended.public()).await.expect("looked at");
    let current = ended.public().current().id();
    assert!(matches!(now.manifest, Signed::By { key_id, .. } if key_id == current), "{now:?}");
    let then = ended.artifacts.verify_run(&ada(), run, &before).await.expect("looked at");
    assert!(matches!(then.manifest, Signed::Invalid { .. }), "{then:?}");
}
