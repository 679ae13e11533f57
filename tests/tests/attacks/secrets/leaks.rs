//! From the command line: what it prints, what it logs, what it keeps.

use packhost_tests::host::Setup;
use packhost_tests::web::Web;
use serde_json::{Value, json};

use super::{control, echo, finder, manifest, nothing_is_kept, set};

#[test]
fn no_byte_that_the_host_writes_holds_a_secret() {
    let web = Web::with(echo);
    let setup = Setup::new().policy(&manifest(&web.origin())).args(["--log", "trace"]).warmed();
    let ran = set(&setup, "TOKEN", web.address.port());
    assert_eq!(ran.code, 0, "{ran:?}");
    let (origin, with) = (web.origin(), json!({ "authorization": "Bearer ${vault:TOKEN}" }));
    let fetch = |path: &str, headers: &Value| json!({ "url": format!("{origin}{path}"), "headers": headers });
    let mut written = format!("{ran:?}").into_bytes();
    for (pack, input, code) in [
        ("http.fetch", fetch("/", &with), 0),
        ("http.fetch", fetch("/fail", &with), 0),
        ("http.fetch", fetch("/?key=${vault:TOKEN}", &json!({})), 0),
        ("http.fetch", fetch("/?key=%24%7Bvault%3ATOKEN%7D", &with), 0),
        ("http.fetch", fetch("/", &json!({ "x-other": "${vault:TOKEN}" })), 16),
        ("http.fetch", fetch("/?other=${vault:TOKEN}", &json!({})), 16),
        ("http.fetch", fetch("/", &json!({ "user-agent": "a ${vault:TOKEN}" })), 16),
        ("http.fetch", fetch("/", &json!({ "authorization": "Bearer ${vault:OTHER}" })), 17),
        ("http.fetch", fetch("/", &json!({ "authorization": "Bearer ${vault:NOT_GRANTED}" })), 16),
        ("web.scrape", json!({ "url": format!("{origin}/?key=${{vault:TOKEN}}") }), 16),
        ("github.list_issues", json!({ "repo": "a/b" }), 25),
        ("github.create_issue", json!({ "repo": "a/fail", "title": "x" }), 25),
        (
            "email.send",
            json!({ "to": "a@example.com", "from": "b@example.com", "subject": "s", "text": "t" }),
            25,
        ),
    ] {
        for json in [true, false] {
            let words = [pack, &input.to_string()];
            let ran = setup
                .run(["--json", "call"].into_iter().filter(|word| json || *word != "--json").chain(words));
            assert_eq!(ran.code, code, "{pack} {input}: {ran:?}");
            written.extend(format!("{ran:?}").into_bytes());
            written.extend_from_slice(ran.stdout.as_bytes());
            written.extend_from_slice(ran.stderr.as_bytes());
        }
    }
    control(&web, 10);
    assert!(!finder().finds(&written), "an answer or the log holds the secret");
    let taken_out = String::from_utf8_lossy(&written).contains("[redacted:TOKEN]");
    assert!(taken_out, "nothing came back to be taken out");
    nothing_is_kept(&setup);
}
