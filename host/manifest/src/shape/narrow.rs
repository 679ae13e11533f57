//! The keys of a narrowing.

use super::{CALLER, CREDENTIAL, Key, LIMITS, Object, Shape, key};

pub(super) const NARROWING: Object = Object {
    name: "narrowing",
    doc: "Less for some callers than the entry has for the others. Where several are about one caller, by its name or by its \
          groups, all of them hold.",
    keys: &[
        Key {
            name: "callers",
            required: true,
            shape: Shape::List(&Shape::Text(&CALLER)),
            doc: "Whom it is about, written as the entry's `callers`. Who may call at all is said there.",
        },
        key(
            "limits",
            Shape::Object(&LIMITS),
            "Limits that are lower than the entry's. `concurrency` and `connections` are shared by all callers and cannot be \
             named.",
        ),
        key(
            "credentials",
            Shape::List(&Shape::Text(&CREDENTIAL)),
            "The credentials that are left of those that the entry's rules name. An empty list leaves none; without the key \
             all are.",
        ),
    ],
    one_of: &[],
    later: &[],
    elsewhere: &[
        ("http", "what a pack may reach is the same for all callers; `callers` says who may call it"),
        ("fs", "what a pack may reach is the same for all callers; `callers` says who may call it"),
    ],
};
