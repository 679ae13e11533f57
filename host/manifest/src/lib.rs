//! The capability manifest: what an operator lets each pack do.
//!
//! Owns: the format (version 1), its parsing with every error placed in its file, the meaning of every key (matching,
//! narrowing by one call's input, limits), the ceiling and the proof that each entry stays within it, and how all of
//! that is said in words. Refuses: I/O, async, clocks, name resolution, enforcement. It is handed texts and answers
//! questions; who asks must act on the answers.
//!
//! # The rules that hold everywhere
//!
//! * Deny by default. No entry, an empty entry, an absent key and an empty list all mean: nothing.
//! * `deny: true` wins over everything else that is said about a pack, in whatever file.
//! * The order of files, packs and rules never changes what is allowed.
//! * A key that is parsed is enforced. What this version does not enforce is refused.
//! * A call's input can narrow what an entry grants, and never widen it.
//!
//! The grammar of host patterns is in [`HostPattern`], that of path patterns in [`PathPattern`], that of templates in
//! [`Template`].

mod addresses;
mod cases;
mod ceiling;
mod diff;
mod entry;
mod explain;
mod exposure;
mod fs;
mod hosts;
mod http;
mod limits;
mod loss;
mod narrow;
mod parse;
mod paths;
mod place;
mod schema;
mod session;
mod shape;
mod shipped;
mod suggest;
mod template;

pub use addresses::{Closed, Opening, Reach, reachable, stands_for};
pub use cases::{Access, Case, CaseOutcome, Cases, Expect};
pub use ceiling::{Ceiling, Counterexample, SessionCeiling};
pub use diff::{Diff, PackDiff, diff};
pub use entry::{AskRule, Callers, Entry, Grants, HostVars};
pub use explain::{Explanation, Sentence, explain};
pub use exposure::{Exposure, Reporting, exposes, reporting};
pub use fs::{FsGrant, FsHost, FsMode, FsRule};
pub use hosts::{HostError, HostPattern};
pub use http::{Allowed, Decision, Denial, DeniedRequest, HttpGrants, HttpRule, Scheme, Target};
pub use limits::{Limit, LimitKind, Limits};
pub use narrow::Narrowing;
pub use parse::{Diagnostic, Diagnostics, Manifest, Origin, Source};
pub use paths::{PathError, PathPattern, Segment};
pub use place::Place;
pub use schema::schema;
pub use session::{
    CommandPack, ImageError, Session, SessionBackend, SessionFiles, SessionGrant, SessionImage,
};
pub use shipped::shipped;
pub use suggest::{EditError, LeftOut, SuggestedRule, Suggestion, adopt, edit, suggest};
pub use template::{Part, Reference, Template, TemplateError};
