//! The keys of sandboxes, and of packs that are a program in one.

use super::{
    ADDRESSES_DOC, CREDENTIAL, CREDENTIALS_DOC, HOST, HTTP_HOST_DOC, HTTP_URL_DOC, Key, METHOD, METHODS_DOC,
    NETWORK, Object, PATH, PATHS_DOC, PORTS_DOC, SCHEME, SCHEME_DOC, Shape, URL, VALUE, VARIABLE, Word, key,
};
use crate::session::{IDLE, LIFETIME, Session};

/// What makes sandboxes.
pub(super) const BACKEND: Shape =
    Shape::Growing { words: &["process", "docker"], later: &["kubernetes", "openshell"] };
const ON: Shape = Shape::List(&BACKEND);
const IMAGE: Word = Word {
    what: "the name of an image",
    pattern: Some("^[a-z0-9][a-z0-9._/-]*(:[0-9]+/[a-z0-9][a-z0-9._/-]*)?(@sha256:[0-9a-f]{64})?$"),
    examples: &["packhost/python"],
};
const INSIDE: Word =
    Word { what: "an absolute path", pattern: Some("^/[^$\\\\]+$"), examples: &["/sandbox", "/usr"] };
const BOUND: Word =
    Word { what: "an absolute path", pattern: Some("^/[^$\\\\]*$"), examples: &["/usr", "/"] };
const ARGUMENT: Word =
    Word { what: "a text without \"${\"", pattern: None, examples: &["/usr/local/bin/tool", "--json"] };
const TITLE: Word = Word { what: "a text", pattern: None, examples: &["Word cloud"] };
const DESCRIPTION: Word =
    Word { what: "a text", pattern: None, examples: &["Draws a word cloud of a text."] };

const FILES: Object = Object {
    name: "session files",
    doc: "What programs in a sandbox may read and write: absolute paths inside, each with everything below it. What is not \
          named they can neither read nor write. A read-only path does not lie in a read-write one.",
    keys: &[
        key(
            "read_write",
            Shape::List(&Shape::Text(&INSIDE)),
            "Read, written and run. Empty when the sandbox is made; what is written there counts against `limits.disk`. Not in \
             `/proc`, `/sys`, `/dev` and `/etc`, but for `/dev/shm`. At most 100 paths.",
        ),
        key(
            "read_only",
            Shape::List(&Shape::Text(&INSIDE)),
            "Read and run. In a sandbox without an image these are the machine's own, at the same paths; `/proc`, `/sys` and \
             `/dev` are always the sandbox's. At most 100 paths.",
        ),
    ],
    one_of: &[],
    later: &[],
    elsewhere: &[],
};

const HTTP_RULE: Object = Object {
    name: "session http rule",
    doc: "One rule of what leaves a sandbox. Of https the host sees the host and the port alone, unless it ends the TLS: such \
          a rule says either `tls: terminate`, and then means requests, or `methods: [CONNECT]`, and then means tunnels that \
          nobody looks into. Rules for http see the requests as they are.",
    keys: &[
        key("host", Shape::Text(&HOST), HTTP_HOST_DOC),
        key("url", Shape::Text(&URL), HTTP_URL_DOC),
        key(
            "tls",
            Shape::Choice(&["terminate"]),
            "The host ends the TLS with a certificate that only this sandbox trusts, and starts another to the server: methods, \
             paths and credentials hold as they do for a component. To an origin that such a rule means no tunnel is opened, \
             whatever other rules say.",
        ),
        key("scheme", SCHEME, SCHEME_DOC),
        key("ports", Shape::List(&Shape::Integer(1, 65_535)), PORTS_DOC),
        key("methods", Shape::List(&Shape::Text(&METHOD)), METHODS_DOC),
        key("paths", Shape::List(&Shape::Text(&PATH)), PATHS_DOC),
        key("addresses", Shape::List(&Shape::Text(&NETWORK)), ADDRESSES_DOC),
        key("credentials", Shape::List(&Shape::Text(&CREDENTIAL)), CREDENTIALS_DOC),
    ],
    one_of: &["host", "url"],
    later: &[],
    elsewhere: &[],
};

/// `session` of an entry.
pub(super) const SESSION: Object = Object {
    name: "session",
    doc: "Sandboxes outside of the host's process, in which the pack may run programs. What is not named here, they do not \
          have: the entry's own `http`, `fs` and `env` are the component's.",
    keys: &[
        Key {
            name: "on",
            required: true,
            shape: ON,
            doc: "What may make them: the first of the list that is healthy and can. `docker` needs an `image`.",
        },
        key(
            "image",
            Shape::Text(&IMAGE),
            "What they are made of: a name, perhaps with `@sha256:…`; never a tag. Without the key, of the machine's own files \
             in `files.read_only`, by `process` alone. With it `process` does the same where the image is not installed.",
        ),
        key("files", Shape::Object(&FILES), "What programs inside may read and write."),
        key(
            "http",
            Shape::List(&Shape::Object(&HTTP_RULE)),
            "What leaves them. There is no other way out, whatever the entry's own `http` says.",
        ),
        key(
            "env",
            Shape::Map { key: &VARIABLE, value: &Shape::Text(&VALUE) },
            "Environment variables of the programs inside. They can be read there: no secrets.",
        ),
        key("idle", Shape::Time(&IDLE), ""),
        key("lifetime", Shape::Time(&LIFETIME), ""),
        key(
            "warm",
            Shape::Integer(0, Session::WARM as i128),
            "How many sandboxes a server of this host keeps ready for calls that name no workspace. Each is given to one caller \
             and to no other.",
        ),
    ],
    one_of: &[],
    later: &[],
    elsewhere: &[
        ("images", "an entry has one \"image\"; a list of them is for a ceiling"),
        (
            "limits",
            "the entry's own limits hold for its sandboxes: processes, sandbox_memory, disk, and others",
        ),
        (
            "fs",
            "what a sandbox sees of the host is its workspace; what programs may touch inside is under \"files\"",
        ),
    ],
};

/// `session` of a ceiling.
pub(super) const CEILING_SESSION: Object = Object {
    name: "ceiling session",
    doc: "The most that a `session` of an entry may grant. What it does not name, none may; times that it does not name keep \
          their hard maxima.",
    keys: &[
        key("on", ON, "What may make sandboxes."),
        key(
            "images",
            Shape::List(&Shape::Text(&IMAGE)),
            "Images that they may be made of. One without a digest stands for every build of its name.",
        ),
        key("files", Shape::Object(&CEILING_FILES), "What programs inside may read and write."),
        key(
            "http",
            Shape::List(&Shape::Object(&super::CEILING_HTTP_RULE)),
            "What may leave. Requests are bounded by their methods, and tunnels by CONNECT; `tls` has no place here.",
        ),
        key("env", Shape::List(&Shape::Text(&VARIABLE)), "Names of environment variables inside."),
        key("idle", Shape::Time(&IDLE), ""),
        key("lifetime", Shape::Time(&LIFETIME), ""),
    ],
    one_of: &[],
    later: &[],
    elsewhere: &[
        ("image", "a ceiling has a list: \"images\""),
        ("warm", "how many sandboxes stand ready is for each entry to say; it lets a pack do no more"),
    ],
};

const CEILING_FILES: Object = Object {
    name: "ceiling session files",
    doc: "Paths below which entries may name paths; `/` is all of them.",
    keys: &[
        key("read_write", Shape::List(&Shape::Text(&BOUND)), "To write, and so to read."),
        key("read_only", Shape::List(&Shape::Text(&BOUND)), "To read."),
    ],
    one_of: &[],
    later: &[],
    elsewhere: &[],
};

/// `command` of an entry.
pub(super) const COMMAND: Object = Object {
    name: "command",
    doc: "A program that is the whole pack, without a component: it runs in a sandbox of the entry's `session`, reads the \
          input as JSON from its standard input and writes the output as JSON to its standard output.",
    keys: &[
        Key {
            name: "run",
            required: true,
            shape: Shape::List(&Shape::Text(&ARGUMENT)),
            doc: "The program and its arguments, as they stand: no shell reads them and no input is put into them. At most 64 \
                  texts of 4 KiB.",
        },
        key("title", Shape::Text(&TITLE), "A short name for people, at most 100 bytes."),
        Key {
            name: "description",
            required: true,
            shape: Shape::Text(&DESCRIPTION),
            doc: "What it does, for who calls it; the first sentence is enough to choose it. At most 8 KiB.",
        },
        Key {
            name: "input",
            required: true,
            shape: Shape::JsonMap,
            doc: "JSON Schema 2020-12 of the input, which is an object. Inputs are held against it before the program starts.",
        },
        key("output", Shape::JsonMap, "JSON Schema 2020-12 of the output. Without it, any JSON will do."),
        key("examples", Shape::List(&Shape::JsonMap), "Inputs that work as they stand, the simplest first."),
    ],
    one_of: &[],
    later: &[],
    elsewhere: &[],
};
