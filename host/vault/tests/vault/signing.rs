//! Credentials that sign: which values fit, and that what signs is not shown.

use packhost_core::Placement;
use packhost_signing::{KeyError, MARK, Signing};
use packhost_vault::{Binding, BindingError, Secret, SecretError, VaultError};

use crate::{Scene, Tried, VALUE, binding, github, name, secret};

/// A key that was made for these tests, and opens nothing.
const RSA: &str = include_str!("../../../signing/tests/signing/keys/rsa-pkcs1.pem");
const P256: &str = include_str!("../../../signing/tests/signing/keys/p256-sec1.pem");
const ENCRYPTED: &str = include_str!("../../../signing/tests/signing/keys/encrypted.pem");

const APP: &str = r#"{"jwt": {"algorithm": "RS256", "claims": {"iss": "1"}}}"#;
const HOOK: &str = r#"{"hmac": {"over": ["body"], "prefix": "sha256="}}"#;

fn key() -> Secret {
    Secret::new(RSA.as_bytes()).expect("a private key")
}

/// As [`github`], with what is made of the value.
fn signed(sign: &str) -> Binding {
    binding(&format!(
        r#"{{ "hosts": ["api.github.com"], "packs": ["github.*"], "sign": {sign},
             "places": [{{ "header": {{ "name": "authorization", "scheme": "Bearer" }} }}] }}"#
    ))
}

#[test]
fn a_use_is_told_what_is_made_with_the_value() {
    let vault = Scene::new();
    let vault = vault.vault();
    vault.set(&name("APP"), &key(), &[signed(APP)]).expect("it fits");
    let opened = vault.open_for(&name("APP"), &Tried::good().of()).expect("bound");
    assert!(matches!(opened.signing, Some(Signing::Jwt(_))));
    assert!(opened.value.expose().starts_with(MARK.as_bytes()), "one line, not PEM");
    let evil = "https://evil.example/".parse().expect("a URL");
    for tried in [Tried { place: Placement::Body, ..Tried::good() }, Tried { url: evil, ..Tried::good() }] {
        let refused = vault.open_for(&name("APP"), &tried.of());
        assert!(matches!(refused, Err(VaultError::Unbound { .. })), "{refused:?}");
    }
}

#[test]
fn where_a_binding_signs_no_other_shows_the_value() {
    for bindings in [[github(), signed(HOOK)], [signed(HOOK), github()]] {
        let scene = Scene::new();
        scene.vault().set(&name("A"), &secret(), &bindings).expect("both fit");
        let opened = scene.vault().open_for(&name("A"), &Tried::good().of()).expect("bound");
        assert!(matches!(opened.signing, Some(Signing::Hmac(_))));
    }
}

#[test]
fn a_value_that_cannot_sign_is_not_kept() {
    let scene = Scene::new();
    let vault = scene.vault();
    let a = name("A");
    let p256 = Secret::new(P256.as_bytes()).expect("a private key");
    let unfit = |result: Result<u64, VaultError>| match result {
        Err(VaultError::Unfit { why, .. }) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(unfit(vault.set(&a, &secret(), &[signed(APP)])), KeyError::NotPrivate("RS256"));
    assert!(matches!(unfit(vault.set(&a, &p256, &[signed(APP)])), KeyError::Unfit { .. }));
    assert_eq!(unfit(vault.set(&a, &key(), &[signed(HOOK)])), KeyError::Private);
    assert_eq!(unfit(vault.set(&a, &key(), &[github()])), KeyError::Private, "it is never text");
    assert!(vault.list().expect("readable").is_empty());

    vault.set(&a, &key(), &[signed(APP)]).expect("it fits");
    assert_eq!(unfit(vault.bind(&a, &[signed(APP), github()])), KeyError::Private);
    assert_eq!(unfit(vault.rotate(&a, &secret())), KeyError::NotPrivate("RS256"));
    let opened = vault.open_for(&a, &Tried::good().of()).expect("as it was");
    assert_eq!(opened.value, key());
    let said = vault.set(&a, &secret(), &[signed(APP)]).expect_err("unfit").to_string();
    assert!(said.contains("api.github.com") && !said.contains(VALUE), "{said}");
}

#[test]
fn a_key_travels_as_the_line_that_it_is_kept_in() {
    let (here, there) = (Scene::new(), Scene::new());
    here.vault().set(&name("APP"), &key(), &[signed(APP)]).expect("it fits");
    let mut carried = here.vault().export().expect("it opens");
    let again = Secret::new(carried[0].value.expose()).expect("a line is text");
    assert_eq!(again, key());
    there.vault().import(&carried, false).expect("it fits");
    let opened = there.vault().open_for(&name("APP"), &Tried::good().of()).expect("bound");
    assert_eq!(opened.value, key());
    carried[0].bindings = vec![github()];
    let refused = there.vault().import(&carried, true);
    assert!(matches!(refused, Err(VaultError::Unfit { .. })), "{refused:?}");
}

#[test]
fn pem_without_a_key_is_no_secret() {
    let refused = |pem: &str| Secret::new(pem.as_bytes()).expect_err("no key");
    assert!(matches!(refused(ENCRYPTED), SecretError::Key(KeyError::Encrypted)));
    let certificate = RSA.replace("RSA PRIVATE KEY", "CERTIFICATE");
    assert!(matches!(refused(&certificate), SecretError::Key(KeyError::Pem)));
}

#[test]
fn what_signs_is_written_as_it_was_read_and_checked() {
    let header = r#"[{"header":{"name":"authorization"}}]"#;
    let with = |places: &str, sign: &str| {
        let text = format!(r#"{{"hosts":["a.example"],"places":{places},"packs":["a"],"sign":{sign}}}"#);
        serde_json::from_str::<Binding>(&text).map(|read| (serde_json::json!(read).to_string(), text))
    };
    for sign in [
        r#"{"hmac":{"hash":"sha512","over":["timestamp","method","target",{"header":"x-a"},{"text":":"},"body"],"encoding":"base64","prefix":"v1=","key":"hex","timestamp":{"header":"x-time","unit":"ms"}}}"#,
        r#"{"sigv4":{"key_id":"AKIDEXAMPLE","region":"eu-west-1","service":"s3"}}"#,
        r#"{"jwt":{"algorithm":"ES256","claims":{"iss":"a"},"lifetime_s":60,"key_id":"k","jti":true}}"#,
    ] {
        let (written, read) = with(header, sign).expect(sign);
        assert_eq!(written, read);
    }
    for (places, sign) in [
        (r#"["body"]"#, HOOK),
        (r#"["path"]"#, HOOK),
        (r#"[{"query":{"name":"a"}}]"#, r#"{"sigv4":{"key_id":"A","region":"r","service":"s"}}"#),
        (header, r#"{"jwt":{"algorithm":"RS256","claims":{},"lifetime_s":3601}}"#),
        (header, r#"{"hmac":{"over":[{"header":"authorization"}]}}"#),
        (header, "{}"),
        (header, r#"{"text":{}}"#),
    ] {
        assert!(with(places, sign).is_err(), "{places} {sign}");
    }
    let said = with(r#"["body"]"#, HOOK).expect_err("it signs the body").to_string();
    assert!(said.contains("a header or in the query"), "{said}");
    let error = BindingError::Sign(
        signed(HOOK).signing().expect("it signs").check(&[Placement::Body]).expect_err("body"),
    );
    assert_eq!(error.to_string(), said);
}
