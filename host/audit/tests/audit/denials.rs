//! What is merged, what is kept, and what never gets in.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use packhost_audit::{Bounds, Denials};
use packhost_manifest::{DeniedRequest, Scheme};
use packhost_state::Database;
use url::Url;

use crate::{at, get, opened, pack};

fn paths(denials: &Denials, name: &str) -> Vec<String> {
    denials.of(&pack(name)).unwrap().iter().map(|one| one.request.path().to_owned()).collect()
}

#[test]
fn a_request_that_is_denied_again_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let denials = opened(dir.path(), Bounds::default());
    let (one, other) = (get("https://a.test/x?token=1"), get("https://a.test/y"));
    denials.note(&pack("a"), &[one.clone(), other.clone(), one.clone()], at(2_000)).unwrap();
    denials.note(&pack("a"), std::slice::from_ref(&one), at(9_000)).unwrap();
    denials.note(&pack("b"), std::slice::from_ref(&one), at(5_000)).unwrap();
    // A clock that was set back.
    denials.note(&pack("b"), std::slice::from_ref(&one), at(4_000)).unwrap();
    let times = |name: &str| {
        let of = denials.of(&pack(name)).unwrap();
        of.into_iter().map(|one| (one.request, one.count, one.first, one.last)).collect::<Vec<_>>()
    };
    assert_eq!(times("a"), [(one.clone(), 3, 2_000, 9_000), (other, 1, 2_000, 2_000)]);
    assert_eq!(times("b"), [(one.clone(), 2, 4_000, 5_000)]);
    assert_eq!((one.path(), one.scheme(), one.port()), ("/x", Scheme::Https, 443));
}

#[test]
fn what_differs_in_anything_that_a_rule_names_is_another_request() {
    let dir = tempfile::tempdir().unwrap();
    let denials = opened(dir.path(), Bounds::default());
    let urls =
        ["https://a.test/", "http://a.test/", "https://a.test:444/", "https://b.test/", "https://a.test/x"];
    let mut requests: Vec<DeniedRequest> = urls.iter().map(|url| get(url)).collect();
    requests.push(DeniedRequest::of("POST", &Url::parse(urls[0]).unwrap()).unwrap());
    // The whole of one path is the start of another, which was cut.
    let long = "y".repeat(DeniedRequest::PATH);
    requests.push(get(&format!("https://a.test/x/{long}")));
    denials.note(&pack("a"), &requests, at(1)).unwrap();
    let of = denials.of(&pack("a")).unwrap();
    assert_eq!(of.len(), requests.len(), "{of:?}");
    assert!(requests.iter().all(|request| of.iter().any(|one| one.request == *request)));
}

#[test]
fn whether_the_last_one_was_let_through_is_known() {
    let dir = tempfile::tempdir().unwrap();
    let denials = opened(dir.path(), Bounds::default());
    let request =
        |reported| DeniedRequest::stored("GET", ("https", "a.test", 443), "/", false, reported).unwrap();
    for reported in [false, true, false] {
        denials.note(&pack("a"), &[request(reported)], at(1)).unwrap();
        let of = denials.of(&pack("a")).unwrap();
        assert_eq!((of.len(), of[0].request.is_reported()), (1, reported));
    }
}

#[test]
fn a_pack_keeps_its_latest_thousand() {
    let dir = tempfile::tempdir().unwrap();
    let denials = opened(dir.path(), Bounds::default());
    denials.note(&pack("other"), &[get("https://a.test/")], at(0)).unwrap();
    denials.note(&pack("a"), &[get("https://a.test/old")], at(1)).unwrap();
    let many: Vec<DeniedRequest> = (0..999).map(|n| get(&format!("https://a.test/{n}"))).collect();
    denials.note(&pack("a"), &many, at(2)).unwrap();
    assert_eq!(paths(&denials, "a").len(), 1_000);
    denials.note(&pack("a"), &[get("https://a.test/new")], at(3)).unwrap();
    let kept = paths(&denials, "a");
    assert_eq!((kept.len(), kept[0].as_str()), (1_000, "/new"));
    assert!(!kept.iter().any(|path| path == "/old"));
    // One note of more than there may be.
    let more: Vec<DeniedRequest> = (0..1_500).map(|n| get(&format!("https://b.test/{n}"))).collect();
    denials.note(&pack("a"), &more, at(4)).unwrap();
    assert_eq!(
        denials.of(&pack("a")).unwrap().iter().filter(|one| one.request.host() == "b.test").count(),
        1_000
    );
    assert_eq!(paths(&denials, "other"), ["/"], "what another pack was denied");
}

#[test]
fn all_packs_together_keep_the_latest_twenty_thousand() {
    let dir = tempfile::tempdir().unwrap();
    let denials = opened(dir.path(), Bounds::default());
    let many: Vec<DeniedRequest> = (0..1_000).map(|n| get(&format!("https://a.test/{n}"))).collect();
    for number in 0..21 {
        denials.note(&pack(&format!("p{number:02}")), &many, at(number)).unwrap();
    }
    let packs = denials.packs().unwrap();
    assert_eq!((packs.len(), packs[0].as_str()), (20, "p01"));
    let kept: usize = packs.iter().map(|pack| denials.of(pack).unwrap().len()).sum();
    assert_eq!(kept, 20_000);
    assert_eq!(Bounds::default(), Bounds { pack: 1_000, all: 20_000 });
}

#[test]
fn what_is_cleared_is_gone_for_this_pack_alone() {
    let dir = tempfile::tempdir().unwrap();
    let denials = opened(dir.path(), Bounds::default());
    for name in ["a.b", "a"] {
        denials.note(&pack(name), &[get("https://a.test/1"), get("https://a.test/2")], at(1)).unwrap();
    }
    assert_eq!(denials.packs().unwrap(), [pack("a"), pack("a.b")]);
    assert_eq!(denials.clear(&pack("a")).unwrap(), 2);
    assert_eq!(denials.clear(&pack("a")).unwrap(), 0);
    assert_eq!(denials.packs().unwrap(), [pack("a.b")]);
    denials.note(&pack("a"), &[], at(1)).unwrap();
    assert!(denials.of(&pack("a")).unwrap().is_empty());
}

#[test]
fn placeholders_are_kept_as_they_stand_and_what_may_be_secret_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let denials = opened(dir.path(), Bounds::default());
    let url = Url::parse("https://a.test/bot${vault:KEY}/send?key=s3cret#s3cret").unwrap();
    denials.note(&pack("a"), &[DeniedRequest::of("GET", &url).unwrap()], at(1)).unwrap();
    assert_eq!(paths(&denials, "a"), ["/bot$%7Bvault:KEY%7D/send"]);
    let user = Url::parse("https://me:s3cret@a.test/").unwrap();
    assert_eq!(DeniedRequest::of("GET", &user), None);
    drop(denials);
    for file in std::fs::read_dir(dir.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"s3cret"));
    }
}

#[test]
fn what_was_noted_is_there_for_the_next_process_and_no_time_is_too_early() {
    let dir = tempfile::tempdir().unwrap();
    let before = UNIX_EPOCH.checked_sub(Duration::from_secs(5)).unwrap();
    opened(dir.path(), Bounds::default())
        .note(&pack("a"), &[get("https://[2606:4700::1]:8443/a%20b")], before)
        .unwrap();
    let denials = Denials::open(Arc::new(Database::open(dir.path()).unwrap())).unwrap();
    let of = denials.of(&pack("a")).unwrap();
    assert_eq!(of[0].request.to_string(), "GET https://[2606:4700::1]:8443/a%20b");
    assert_eq!((of[0].first, of[0].last), (0, 0));
}

#[test]
fn a_row_that_this_host_does_not_write_is_an_error_until_it_is_cleared() {
    let dir = tempfile::tempdir().unwrap();
    let database = Arc::new(Database::open(dir.path()).unwrap());
    let denials = Denials::open(Arc::clone(&database)).unwrap();
    denials.note(&pack("a"), &[get("https://a.test/")], at(1)).unwrap();
    let spoil = "UPDATE denials SET path = '/?token=1'";
    database.write::<_, packhost_state::StateError>(|sql| Ok(sql.execute(spoil, [])?)).unwrap();
    let error = denials.of(&pack("a")).unwrap_err().to_string();
    assert!(error.contains("none that this host writes") && !error.contains("token"), "{error}");
    denials.clear(&pack("a")).unwrap();
    assert!(denials.of(&pack("a")).unwrap().is_empty());
}
