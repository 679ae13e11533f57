//! AWS Signature Version 4: what AWS publishes, and what botocore 1.44.8 makes of the same requests.

use http::Method;
use packhost_signing::{Payload, Signing, SigningError, Sigv4, strict_path, strict_query};

use super::{Sent, at, headers};

/// 2015-08-30T12:36:00Z
const SUITE: u64 = 1_440_938_160;
/// 2013-05-24T00:00:00Z
const GUIDE: u64 = 1_369_353_600;
const SUITE_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const GUIDE_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

fn scope(key_id: &str, service: &str, region: &str) -> Sigv4 {
    Sigv4 { key_id: key_id.into(), region: region.into(), service: service.into() }
}

fn sent(
    method: Method,
    path: &'static str,
    query: Option<&'static str>,
    fields: &[(&str, &str)],
    body: &'static [u8],
) -> Sent {
    Sent { method, path, query, headers: headers(fields), body }
}

fn assert_ends(text: &str, signed: &str, signature: &str) {
    assert!(text.ends_with(&format!(", SignedHeaders={signed}, Signature={signature}")), "{text}");
}

/// As the host does it, with the hash of the body in a header.
fn prepared(sigv4: &Sigv4, key: &str, at_seconds: u64, mut sent: Sent) -> String {
    sigv4.prepare(&mut sent.headers, Payload::Whole(sent.body), at(at_seconds)).expect("a good time");
    sigv4.sign(key.as_bytes(), &sent.message()).expect("signed").text.to_string()
}

#[test]
fn as_in_the_suite_that_aws_publishes() {
    let aws = scope("AKIDEXAMPLE", "service", "us-east-1");
    let host = ("host", "example.amazonaws.com");
    let date = ("x-amz-date", "20150830T123600Z");
    for (sent, signed, signature) in [
        (
            sent(Method::GET, "/", None, &[host, date], b""),
            "host;x-amz-date",
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
        (
            sent(Method::GET, "/", Some("Param2=value2&Param1=value1"), &[host, date], b""),
            "host;x-amz-date",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (
            sent(
                Method::GET,
                "/",
                None,
                &[host, ("my-header1", "value2"), ("my-header1", "value2"), ("my-header1", "value1"), date],
                b"",
            ),
            "host;my-header1;x-amz-date",
            "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
        ),
    ] {
        let made = aws.sign(SUITE_KEY.as_bytes(), &sent.message()).expect("signed");
        assert!(made.text.starts_with(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders="
        ));
        assert_ends(&made.text, signed, signature);
        assert_eq!(*made.proof, signature);
    }
}

#[test]
fn as_in_the_guide_to_s3() {
    let aws = scope("AKIAIOSFODNN7EXAMPLE", "s3", "us-east-1");
    let host = ("host", "examplebucket.s3.amazonaws.com");
    let put = [
        host,
        ("date", "Fri, 24 May 2013 00:00:00 GMT"),
        ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ("user-agent", "not signed"),
    ];
    for (sent, signed, signature) in [
        (
            sent(Method::GET, "/test.txt", None, &[host, ("range", "bytes=0-9")], b""),
            "host;range;x-amz-content-sha256;x-amz-date",
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            sent(Method::PUT, "/test$file.text", None, &put, b"Welcome to Amazon S3."),
            "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        (
            sent(Method::GET, "/", Some("lifecycle"), &[host], b""),
            "host;x-amz-content-sha256;x-amz-date",
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            sent(Method::GET, "/", Some("max-keys=2&prefix=J"), &[host], b""),
            "host;x-amz-content-sha256;x-amz-date",
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ] {
        assert_ends(&prepared(&aws, GUIDE_KEY, GUIDE, sent), signed, signature);
    }
}

#[test]
fn as_botocore_does_it() {
    let plain = "host;x-amz-content-sha256;x-amz-date";
    let host = |name| ("host", name);
    for (service, region, sent, signed, signature) in [
        (
            "service",
            "us-east-1",
            sent(
                Method::GET,
                "/",
                Some("Param2=value2&Param1=value%20one&acl="),
                &[host("example.amazonaws.com")],
                b"",
            ),
            plain,
            "b775d2af3a5835b36fbc2ca88e7310bf94fc00feb90af280f035e7ad22376975",
        ),
        (
            "dynamodb",
            "eu-west-1",
            sent(
                Method::POST,
                "/",
                None,
                &[
                    host("dynamodb.eu-west-1.amazonaws.com"),
                    ("content-type", "application/x-amz-json-1.0"),
                    ("x-amz-target", "DynamoDB_20120810.ListTables"),
                ],
                br#"{"Limit":1}"#,
            ),
            "content-type;host;x-amz-content-sha256;x-amz-date;x-amz-target",
            "7fd5d0a39ce036813c7a2a4d18f2f55bd98769ba965134715b05f4fb0ddbbf8b",
        ),
        (
            "execute-api",
            "eu-central-1",
            sent(
                Method::PUT,
                "/prod/a%20b/%C3%A9/x%2By",
                None,
                &[host("abc.execute-api.eu-central-1.amazonaws.com"), ("x-amz-meta", "two   spaces")],
                b"hello",
            ),
            "host;x-amz-content-sha256;x-amz-date;x-amz-meta",
            "d3fc4880259399f3086f3e3d46cb947e8bc5f60511bd884ff570d5963b8da7cf",
        ),
        (
            "s3",
            "eu-west-1",
            sent(
                Method::PUT,
                "/a%20b/%C3%A9/x%2By%28z%29.txt",
                Some("x-id=PutObject"),
                &[
                    host("bucket.s3.eu-west-1.amazonaws.com"),
                    ("x-amz-acl", "private"),
                    ("x-amz-security-token", "TOKEN"),
                ],
                b"hello",
            ),
            "host;x-amz-acl;x-amz-content-sha256;x-amz-date;x-amz-security-token",
            "3970a4d22229417a9d1b46a8a7408cc2ee0eea4f47e8b5a38d484b8fbb30558c",
        ),
    ] {
        let aws = scope("AKIDEXAMPLE", service, region);
        assert_ends(&prepared(&aws, SUITE_KEY, SUITE, sent), signed, signature);
    }
}

#[test]
fn what_is_sent_is_spelled_as_it_is_signed() {
    assert_eq!(strict_path("/a+b(1)/%C3%a9/~x//%2F$"), "/a%2Bb%281%29/%C3%A9/~x//%2F%24");
    assert_eq!(strict_query("acl&b=1+2&a='x'&&c=%e9&d="), "acl&b=1%202&a=%27x%27&c=%E9&d=");
    for text in ["/a%2Bb%281%29/%C3%A9/~x//%2F%24", "/"] {
        assert_eq!(strict_path(text), text, "once is enough");
    }
}

#[test]
fn a_body_may_be_left_out_and_a_time_may_not() {
    let aws = scope("AKIDEXAMPLE", "s3", "us-east-1");
    let mut get = sent(Method::GET, "/", None, &[("host", "a.example")], b"");
    let refused = aws.sign(SUITE_KEY.as_bytes(), &get.message()).expect_err("no time");
    assert_eq!(refused, SigningError::Header("x-amz-date".into()));
    aws.prepare(&mut get.headers, Payload::Unsigned, at(SUITE)).expect("a good time");
    assert_eq!(get.headers["x-amz-content-sha256"], "UNSIGNED-PAYLOAD");
    assert_eq!(get.headers["x-amz-date"], "20150830T123600Z");
    let far = aws.prepare(&mut get.headers, Payload::Unsigned, at(1 << 40)).expect_err("the year 36812");
    assert_eq!(far, SigningError::Clock);
}

#[test]
fn only_what_aws_knows_is_a_scope() {
    let good =
        super::signing(r#"{"sigv4": {"key_id": "AKIDEXAMPLE", "region": "eu-west-1", "service": "s3"}}"#);
    let place = |json| serde_json::from_str(json).expect("a place");
    assert_eq!(good.check(&[place(r#"{"header": {"name": "authorization"}}"#)]), Ok(()));
    for other in
        [r#"{"header": {"name": "authorization", "scheme": "Bearer"}}"#, r#"{"query": {"name": "a"}}"#]
    {
        assert!(good.check(&[place(other)]).is_err(), "{other}");
    }
    for (key, value) in
        [("region", ""), ("service", "s3/x"), ("key_id", "a, SignedHeaders="), ("region", "é")]
    {
        let mut bad = scope("AKIDEXAMPLE", "s3", "eu-west-1");
        *match key {
            "region" => &mut bad.region,
            "service" => &mut bad.service,
            _ => &mut bad.key_id,
        } = value.into();
        assert!(Signing::Sigv4(bad).check(&[]).is_err(), "{key}: {value}");
    }
}
