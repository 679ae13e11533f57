//! Rule, binding and vault: each of them denies alone.

use packhost_tests::host::Setup;
use packhost_tests::web::Web;
use serde_json::json;

use super::{echo, manifest, set};

#[test]
fn a_credential_is_denied_by_each_of_those_who_must_agree() {
    let web = Web::with(echo);
    let setup = Setup::new().policy(&manifest(&web.origin())).warmed();
    assert_eq!(set(&setup, "OTHER", web.address.port() ^ 1).code, 0);
    let call = |header: &str| {
        let input = json!({ "url": web.origin(), "headers": { "authorization": header } });
        let ran = setup.run(["--json", "call", "http.fetch", &input.to_string()]);
        let error = ran.json()["error"].clone();
        (
            ran.code,
            format!(
                "{} {}",
                error["message"].as_str().unwrap_or_default(),
                error["fix"].as_str().unwrap_or_default()
            ),
        )
    };
    let (code, said) = call("Bearer ${vault:OTHER}");
    assert_eq!(code, 16, "bound to another port: {said}");
    assert!(
        said.contains("may not be used for this host and port") && said.contains("packhost vault bind OTHER"),
        "{said}"
    );
    let (code, said) = call("Bearer ${vault:TOKEN}");
    assert!(code == 17 && said.contains("packhost vault set TOKEN"), "{code} {said}");
    let (code, said) = call("Bearer ${vault:ELSE}");
    assert!(code == 16 && said.contains("add ELSE to `credentials`"), "{code} {said}");
    assert_eq!(web.asked().len(), 0, "nothing was sent");
}
