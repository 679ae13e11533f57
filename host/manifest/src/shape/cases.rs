//! The keys of a file of cases.

use super::session::BACKEND;
use super::{GUEST, Key, Object, PACK, Shape, VARIABLE, WHO, Word, key};

const CASE: Object = Object {
    name: "case",
    doc: "One thing that a pack tries during a call, and whether it may.",
    keys: &[
        Key { name: "pack", required: true, shape: Shape::Text(&PACK), doc: "The pack." },
        key("input", Shape::Json, "The input of the call. An empty object where absent."),
        key("caller", Shape::Text(&WHO), "Who calls. `local` where absent."),
        key("request", Shape::Text(&REQUEST), "A method and a URL: the pack sends this request."),
        key("address", Shape::Text(&ADDRESS), "With `request`: the address that the host name resolves to."),
        key("read", Shape::Text(&GUEST), "A path as the pack sees it: the pack reads it."),
        key("write", Shape::Text(&GUEST), "A path as the pack sees it: the pack writes it."),
        key("env", Shape::Text(&VARIABLE), "The pack has this environment variable."),
        key("sandbox", BACKEND, "The pack has a sandbox made there."),
        key(
            "inside",
            Shape::True,
            "With `request`, `read`, `write` and `env`: a program in the pack's sandbox does it, with paths as they are there. \
             A request with the method CONNECT is a tunnel.",
        ),
        Key {
            name: "expect",
            required: true,
            shape: Shape::Choice(&["allow", "deny"]),
            doc: "What the manifest must say.",
        },
    ],
    one_of: &["request", "read", "write", "env", "sandbox"],
    later: &[],
    elsewhere: &[],
};
const REQUEST: Word = Word {
    what: "a method and a URL",
    pattern: Some("^[A-Z][A-Z-]* https?://"),
    examples: &["GET https://example.com/"],
};
const ADDRESS: Word = Word { what: "an address", pattern: None, examples: &["10.0.0.7", "2001:db8::1"] };

/// A file of cases.
pub(crate) const CASES: Shape = Shape::List(&Shape::Object(&CASE));
