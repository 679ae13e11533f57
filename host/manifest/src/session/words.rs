//! Sandboxes in words: what a difference is made of, and what an explanation says.

use packhost_core::Digest;
use serde_json::Value;

use super::{CommandPack, Session, SessionBackend, SessionFiles, SessionImage};
use crate::http::HttpRule;

/// What is made of what is granted inside a sandbox.
pub(crate) const INSIDE: &str = "in its sandbox";

impl Session {
    /// What the entry grants, apart from how long it lasts; each ends the sentence "it may …".
    pub(crate) fn facts(&self) -> Vec<String> {
        let of = made_of(self.image.as_ref());
        let mut facts: Vec<String> =
            self.on.iter().map(|backend| format!("start a sandbox on {backend}, {of}")).collect();
        if self.on.len() > 1 {
            facts.push(format!("have its sandboxes made by the first that can of {}", names(&self.on, ", ")));
        }
        facts.extend(self.ready());
        facts.extend(self.files.facts());
        facts.extend(requests(&self.http));
        facts.extend(
            self.env.iter().map(|(name, value)| format!("{INSIDE}, see {name}={value:?} in the environment")),
        );
        facts
    }

    /// How many stand ready, ending the sentence "it may …".
    pub(crate) fn ready(&self) -> Option<String> {
        let sandboxes = if self.warm == 1 { "sandbox" } else { "sandboxes" };
        (self.warm > 0)
            .then(|| format!("find up to {} {sandboxes} ready, each for one caller alone", self.warm))
    }

    /// How sandboxes are made, ending the sentence "it may …".
    pub(crate) fn start(&self) -> String {
        format!("start a sandbox on {}, {}", names(&self.on, " or else "), made_of(self.image.as_ref()))
    }
}

fn made_of(image: Option<&SessionImage>) -> String {
    image.map_or_else(|| "made of this machine's own files".into(), |image| format!("from image {image}"))
}

fn names(on: &[SessionBackend], between: &str) -> String {
    on.iter().map(|backend| backend.as_str()).collect::<Vec<_>>().join(between)
}

impl SessionFiles {
    pub(crate) fn facts(&self) -> Vec<String> {
        let read = self.read_only.iter().map(|path| format!("{INSIDE}, read {path}"));
        self.read_write.iter().map(|path| format!("{INSIDE}, write {path}")).chain(read).collect()
    }

    /// What programs may do with files, ending the sentence "it may …".
    pub(crate) fn words(&self) -> Option<String> {
        let part = |verb: &str, paths: &[String]| {
            (!paths.is_empty()).then(|| format!("{verb} {}", crate::explain::list(paths)))
        };
        let parts = [part("write", &self.read_write), part("read", &self.read_only)];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| format!("{INSIDE}, {}", parts.join(", and ")))
    }
}

/// What rules let leave a sandbox.
pub(crate) fn requests(rules: &[HttpRule]) -> Vec<String> {
    rules.iter().flat_map(HttpRule::facts).map(|fact| format!("from inside its sandbox, {fact}")).collect()
}

impl CommandPack {
    pub(crate) fn facts(&self) -> Vec<String> {
        let Self { run, title, description, input, output, examples, place: _ } = self;
        let digest = |value: &Value| Digest::of(value.to_string().as_bytes()).short();
        let mut facts = vec![
            format!("be the program {run:?} {INSIDE}"),
            format!("be called {:?}, which is {description:?}", title.as_deref().unwrap_or_default()),
            format!("take input as the schema with digest {} says", digest(input)),
        ];
        facts.extend(
            output.as_ref().map(|output| format!("answer as the schema with digest {} says", digest(output))),
        );
        facts.extend(
            examples
                .iter()
                .map(|example| format!("be shown with the example with digest {}", digest(example))),
        );
        facts
    }

    /// What the pack is, ending the sentence "it may …".
    pub(crate) fn words(&self) -> String {
        let run = &self.run;
        format!("run {run:?} {INSIDE}, with its input on standard input: that program is the pack")
    }
}
