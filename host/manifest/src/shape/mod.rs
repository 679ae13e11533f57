//! The keys of a manifest: one table from which the parser, the JSON Schema and the reference are made.

use crate::limits::Limit;

mod cases;
mod narrow;
mod session;

pub(crate) use cases::CASES;
use narrow::NARROWING;
use session::{CEILING_SESSION, COMMAND, SESSION};

/// What a value must be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    /// A map with these keys.
    Object(&'static Object),
    /// A map from names of the operator's choice.
    Map { key: &'static Word, value: &'static Shape },
    /// A list.
    List(&'static Shape),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// One of these words. `later` has those of later versions: refused, with an explanation.
    Growing { words: &'static [&'static str], later: &'static [&'static str] },
    /// A text with a grammar of its own.
    Text(&'static Word),
    /// A whole number between these.
    Integer(i128, i128),
    /// The word `true` and nothing else.
    True,
    /// A value of the table of limits.
    Limit,
    /// A time that is not of the table of limits, with its bounds.
    Time(&'static Limit),
    /// Anything that JSON can say.
    Json,
    /// A map of anything that JSON can say, with no key twice at any depth.
    JsonMap,
    /// What the shape says, or nothing at all (`name:` with no value).
    OrNothing(&'static Shape),
}

/// A kind of text: what it is called, and enough of its grammar for an editor.
#[derive(Debug)]
pub(crate) struct Word {
    pub(crate) what: &'static str,
    pub(crate) pattern: Option<&'static str>,
    pub(crate) examples: &'static [&'static str],
}

/// A map with known keys.
#[derive(Debug)]
pub(crate) struct Object {
    /// The name in the reference and in the schema.
    pub(crate) name: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) keys: &'static [Key],
    /// Keys of which there is exactly one.
    pub(crate) one_of: &'static [&'static str],
    /// Keys of later versions: refused, with an explanation.
    pub(crate) later: &'static [&'static str],
    /// Keys that have a place, and not here: refused, with where it is.
    pub(crate) elsewhere: &'static [(&'static str, &'static str)],
}

/// A key of an [`Object`].
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) required: bool,
    pub(crate) shape: Shape,
    pub(crate) doc: &'static str,
}

const fn key(name: &'static str, shape: Shape, doc: &'static str) -> Key {
    Key { name, required: false, shape, doc }
}

const PACK: Word = Word {
    what: "the name of a pack",
    pattern: Some("^[a-z][a-z0-9_-]*(\\.[a-z][a-z0-9_-]*)*$"),
    examples: &["http.fetch"],
};
const HOST: Word = Word {
    what: "a host pattern",
    pattern: Some("^[^/@?#\\\\]+$"),
    examples: &["api.example.com", "*.example.com", "${input.region}.example.com", "10.0.0.5"],
};
const URL: Word = Word {
    what: "an origin, or the place in the input of a URL",
    pattern: Some("^(https?://[^/]+/?|\\$\\{input(\\.[A-Za-z0-9_-]+)+\\})$"),
    examples: &["${input.url}", "https://api.example.com"],
};
const CEILING_URL: Word = Word {
    what: "an origin, or any",
    pattern: Some("^(any|https?://[^/]+/?)$"),
    examples: &["any", "https://api.example.com"],
};
const METHOD: Word =
    Word { what: "a method in upper case", pattern: Some("^[A-Z][A-Z-]{0,31}$"), examples: &["GET", "POST"] };
const PATH: Word = Word {
    what: "a path pattern",
    pattern: Some("^/[^?#%\\\\]*$"),
    examples: &["/repos/${input.owner}/${input.repo}/issues", "/v1/*", "/public/**"],
};
const NETWORK: Word = Word {
    what: "a network in CIDR form",
    pattern: Some("^[0-9A-Fa-f:.]+/[0-9]{1,3}$"),
    examples: &["10.0.0.0/8", "127.0.0.1/32", "fd00::/8"],
};
const CREDENTIAL: Word = Word {
    what: "the name of a credential",
    pattern: Some("^[A-Za-z][A-Za-z0-9_.-]{0,63}$"),
    examples: &["GITHUB_TOKEN"],
};
const DIRECTORY: Word = Word {
    what: "a directory of the host",
    pattern: Some("^(/|~(/|$)|\\$\\{state\\}(/|$))"),
    examples: &["${state}/files", "~/documents", "/srv/data/${input.project}"],
};
const GUEST: Word = Word { what: "an absolute path", pattern: Some("^/[^$\\\\]+$"), examples: &["/files"] };
const VARIABLE: Word =
    Word { what: "the name of a variable", pattern: Some("^[A-Za-z_][A-Za-z0-9_]*$"), examples: &["TZ"] };
const CONFIG_KEY: Word = Word {
    what: "the name of a config value",
    pattern: Some("^[A-Za-z0-9_][A-Za-z0-9_./-]*$"),
    examples: &["base-url"],
};
const VALUE: Word = Word { what: "a text without \"${\"", pattern: None, examples: &["UTC"] };
/// A caller of a case: one alone, and no group.
const WHO: Word = Word {
    what: "a caller: local, token: and the token's name, or oauth: and issuer:subject",
    pattern: Some("^(local|token:[A-Za-z0-9._-]+|oauth:[A-Za-z0-9._~/@|%-]+:[A-Za-z0-9._~/@|%-]+)$"),
    examples: &["local", "token:ci"],
};
const CALLER: Word = Word {
    what: "a caller: local, token: and the token's name, oauth: and issuer:subject, or group: and a group's name",
    pattern: Some(
        "^(local|token:[A-Za-z0-9._-]+|oauth:[A-Za-z0-9._~/@|%-]+:[A-Za-z0-9._~/@|%-]+|group:[A-Za-z0-9._@+/-]{1,128})$",
    ),
    examples: &["local", "token:ci"],
};
const ASKED: Shape = Shape::Choice(&["user", "model"]);
const SCHEME: Shape = Shape::Choice(&["http", "https"]);
const MODE: Shape = Shape::Choice(&["read-only", "read-write"]);

const HTTP_HOST_DOC: &str = "A host pattern: a name, `*.` and a name of at least two labels (every host below it, never the \
                             name itself), or an address in canonical form. `${input.…}` may stand in any label but the \
                             last two and takes one label.";
const HTTP_URL_DOC: &str = "`${input.…}`: the origin (scheme, host, port) of that URL of the call's input and no other. Or an \
                            origin as it stands, instead of `host`, `scheme` and `ports`.";
const METHODS_DOC: &str = "Methods, in upper case. Without the key: GET and HEAD. CONNECT allows tunnels, in which the \
                           host sees neither method nor path: over https, and in a rule without `paths`. TRACE cannot be \
                           granted.";
const SCHEME_DOC: &str = "With `host`: the scheme, https where absent. With a URL of the input: grants nothing unless it \
                          has this scheme.";
const PORTS_DOC: &str = "With `host`: the ports, the scheme's own where absent. With a URL of the input: grants nothing \
                         unless it names one of these.";
const PATHS_DOC: &str = "Path patterns, one of which the path must match. Without the key the path is not looked at. `*` \
                         is one segment, `**` at the end whatever follows; a trailing slash counts; patterns are written \
                         decoded.";
const ADDRESSES_DOC: &str = "Networks besides the public Internet that the host may resolve to. Without the key: public \
                             addresses alone. A host that is an address means that address. A network that holds or is \
                             part of a link-local, multicast or metadata network is refused: name the private networks \
                             that are meant. What lies in a private network and no rule can open stays closed.";
const CREDENTIALS_DOC: &str = "Credentials of the vault that requests under this rule may carry, by name. The pack writes \
                               `${vault:NAME}`; the host puts the value in, if the credential is bound to this pack, host \
                               and place as well. Without the key: none.";

const HTTP_RULE: Object = Object {
    name: "http rule",
    doc: "One rule of outgoing requests. A request is allowed if one rule of the pack fits all of it. A rule has either \
          `host` or `url`.",
    keys: &[
        key("host", Shape::Text(&HOST), HTTP_HOST_DOC),
        key("url", Shape::Text(&URL), HTTP_URL_DOC),
        key("scheme", SCHEME, SCHEME_DOC),
        key("ports", Shape::List(&Shape::Integer(1, 65_535)), PORTS_DOC),
        key("methods", Shape::List(&Shape::Text(&METHOD)), METHODS_DOC),
        key("paths", Shape::List(&Shape::Text(&PATH)), PATHS_DOC),
        key("addresses", Shape::List(&Shape::Text(&NETWORK)), ADDRESSES_DOC),
        key("credentials", Shape::List(&Shape::Text(&CREDENTIAL)), CREDENTIALS_DOC),
    ],
    one_of: &["host", "url"],
    later: &[],
    elsewhere: &[(
        "tls",
        "it is for rules under session.http: what a component sends the host sees without it",
    )],
};

const CEILING_HTTP_RULE: Object = Object {
    name: "ceiling http rule",
    doc: "The most that an http rule of an entry may grant. Templates cannot stand here.",
    keys: &[
        key("host", Shape::Text(&HOST), "A host pattern, as in an entry, without templates."),
        key("url", Shape::Text(&CEILING_URL), "`any`: every origin. Or an origin as it stands."),
        key(
            "scheme",
            SCHEME,
            "With `host`: the scheme, https where absent. With `url: any`: only this scheme.",
        ),
        key(
            "ports",
            Shape::List(&Shape::Integer(1, 65_535)),
            "With `host`: the ports, the scheme's own where absent. With `url: any`: only these ports.",
        ),
        key("methods", Shape::List(&Shape::Text(&METHOD)), METHODS_DOC),
        key("paths", Shape::List(&Shape::Text(&PATH)), PATHS_DOC),
        key("addresses", Shape::List(&Shape::Text(&NETWORK)), ADDRESSES_DOC),
        key("credentials", Shape::List(&Shape::Text(&CREDENTIAL)), CREDENTIALS_DOC),
    ],
    one_of: &["host", "url"],
    later: &[],
    elsewhere: &[("tls", "a ceiling bounds requests by their methods, and tunnels by CONNECT")],
};

const FS_RULE: Object = Object {
    name: "fs rule",
    doc: "One directory of the host that the pack sees, with everything below it.",
    keys: &[
        Key {
            name: "host",
            required: true,
            shape: Shape::Text(&DIRECTORY),
            doc: "The directory: absolute, `~/…`, or `${state}/…` (the host's state directory). `${input.…}` takes one \
                  file name. The whole file system cannot be granted, nor what the host keeps for itself: directly below \
                  `${state}` stands a name of your choice, none of the directories that the host itself has there.",
        },
        Key {
            name: "guest",
            required: true,
            shape: Shape::Text(&GUEST),
            doc: "The absolute path under which the pack sees it. Each path once per pack.",
        },
        key(
            "mode",
            MODE,
            "What may be done in it. `read-only` where absent. Two rules of which one lies in the other, by `guest` or by \
             `host`, have one mode.",
        ),
    ],
    one_of: &[],
    later: &["quota"],
    elsewhere: &[],
};

const CEILING_FS_RULE: Object = Object {
    name: "ceiling fs rule",
    doc: "A directory below which entries may grant directories.",
    keys: &[
        Key {
            name: "host",
            required: true,
            shape: Shape::Text(&DIRECTORY),
            doc: "The directory, without `${input.…}`; `/` is all of them. Paths are compared as written: what lies below \
                  `${state}` or `~` is within that or within `/`.",
        },
        key("mode", MODE, "The most that may be done in it. `read-only` where absent."),
    ],
    one_of: &[],
    later: &["quota"],
    elsewhere: &[],
};

const fn limit(name: &'static str) -> Key {
    // The words about each limit are in the table of limits, beside its bounds.
    key(name, Shape::Limit, "")
}

const LIMITS: Object = Object {
    name: "limits",
    doc: "How much of everything a call may use. What is not named has its default, or the ceiling's value where that is \
          lower.",
    keys: &[
        limit("time"),
        limit("memory"),
        limit("output"),
        limit("logs"),
        limit("handles"),
        limit("concurrency"),
        limit("requests"),
        limit("requests_per_minute"),
        limit("connections"),
        limit("transfer"),
        limit("random"),
        limit("hostcall"),
        limit("processes"),
        limit("sandbox_memory"),
        limit("disk"),
        limit("cpu_millis"),
        limit("open_files"),
        limit("workspace"),
        limit("keep"),
        limit("execs"),
        limit("sessions"),
    ],
    one_of: &[],
    later: &[],
    elsewhere: &[
        ("cpu", "write cpu_millis: 1000 is one processor"),
        ("cpus", "write cpu_millis: 1500 is one and a half processors"),
    ],
};

const REPORT_DOC: &str = "A request that no http rule allows goes out all the same, and is recorded as one that would have \
                          been denied. It concerns requests alone: files, variables and questions are granted as ever. It \
                          opens no address that is not public and no credential.";

pub(crate) const ENTRY: Object = Object {
    name: "entry",
    doc: "What one pack may do. An empty entry lets it compute and nothing else.",
    keys: &[
        key("http", Shape::List(&Shape::Object(&HTTP_RULE)), "Requests that the pack may send."),
        key("fs", Shape::List(&Shape::Object(&FS_RULE)), "Directories of the host that the pack sees."),
        key(
            "env",
            Shape::Map { key: &VARIABLE, value: &Shape::Text(&VALUE) },
            "The pack's environment variables: these and no others.",
        ),
        key(
            "config",
            Shape::Map { key: &CONFIG_KEY, value: &Shape::Text(&VALUE) },
            "Values that the pack reads through wasi:config.",
        ),
        key("ask", Shape::List(&ASKED), "Whom the pack may ask a question while it runs."),
        key(
            "callers",
            Shape::List(&Shape::Text(&CALLER)),
            "Who may call the pack: `local`, `token:` and a token's name, `oauth:` with issuer and subject as the log writes \
             them, or `group:` and a group's name. Without the key every caller may; with an empty list nobody.",
        ),
        key("session", Shape::Object(&SESSION), "Sandboxes in which the pack may run programs."),
        key(
            "workspace",
            Shape::True,
            "The pack works in a workspace, a directory that the host owns and that packs of one caller share. `workspace` of \
             the input (a text) names it; without it the call gets a fresh one.",
        ),
        key(
            "artifacts",
            Shape::True,
            "The pack may keep what its calls make as artifacts, which belong to the caller. What programs leave in `out/` of a \
             workspace is kept without it.",
        ),
        key(
            "command",
            Shape::Object(&COMMAND),
            "A program in a sandbox that is the whole pack. Needs `session`.",
        ),
        key("limits", Shape::Object(&LIMITS), "How much of everything a call may use."),
        key(
            "narrow",
            Shape::List(&Shape::Object(&NARROWING)),
            "Lower limits and fewer credentials for some callers.",
        ),
        key("report", Shape::True, REPORT_DOC),
        key(
            "record_input",
            Shape::True,
            "The input of every call is on record as it was sent, up to 128 KiB, and not its SHA-256 alone. Whoever may read the \
             record then reads it.",
        ),
        key(
            "deny",
            Shape::True,
            "Nobody may call the pack. Wins over everything, also over an entry of the same pack in another file.",
        ),
    ],
    one_of: &[],
    later: &["state"],
    elsewhere: &[],
};

const CEILING: Object = Object {
    name: "ceiling",
    doc: "The most that any entry may grant; at most once in the whole set. What it does not name, no entry may grant; \
          limits that it does not name keep their hard maxima. An entry beyond it is an error, with a counterexample.",
    keys: &[
        key("http", Shape::List(&Shape::Object(&CEILING_HTTP_RULE)), "Requests that entries may grant."),
        key("fs", Shape::List(&Shape::Object(&CEILING_FS_RULE)), "Directories that entries may grant."),
        key(
            "env",
            Shape::List(&Shape::Text(&VARIABLE)),
            "Names of environment variables that entries may set.",
        ),
        key("config", Shape::List(&Shape::Text(&CONFIG_KEY)), "Names of config values that entries may set."),
        key("ask", Shape::List(&ASKED), "Whom entries may let a pack ask."),
        key("session", Shape::Object(&CEILING_SESSION), "Sandboxes that entries may grant."),
        key("workspace", Shape::True, "Entries may have `workspace`."),
        key("artifacts", Shape::True, "Entries may have `artifacts`."),
        key("limits", Shape::Object(&LIMITS), "The most that entries may say for each limit."),
        key("report", Shape::True, "Entries may have `report`."),
    ],
    one_of: &[],
    later: &["state"],
    elsewhere: &[("command", "what a program may do is bounded by the ceiling's session")],
};

/// A whole file.
pub(crate) const FILE: Object = Object {
    name: "file",
    doc: "A capability manifest: what each pack may do. Several files make one set.",
    keys: &[
        Key {
            name: "version",
            required: true,
            shape: Shape::Integer(1, 1),
            doc: "The version of the format. This host reads version 1.",
        },
        key(
            "extends",
            Shape::Choice(&["shipped"]),
            "Keep the entries that come with the host for packs that the operator's files do not name. Without it in any \
             of the operator's files, those files are all there is.",
        ),
        key(
            "packs",
            Shape::OrNothing(&Shape::Map { key: &PACK, value: &Shape::OrNothing(&Shape::Object(&ENTRY)) }),
            "One entry per pack, by its name. An operator's entry replaces the shipped one as a whole.",
        ),
        key("ceiling", Shape::Object(&CEILING), "The most that any entry of the set may grant."),
    ],
    one_of: &[],
    later: &[],
    elsewhere: &[],
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    #[test]
    fn the_limits_of_the_shape_are_those_of_the_table() {
        let shape: Vec<&str> = LIMITS.keys.iter().map(|key| key.name).collect();
        let table: Vec<&str> = Limits::TABLE.iter().map(|limit| limit.name).collect();
        assert_eq!(shape, table);
    }
}
