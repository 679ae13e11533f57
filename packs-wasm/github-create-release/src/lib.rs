//! The pack `github.create_release`: makes a release.

use packhost_github::{GitHub, NewRelease, Release, Repo, either};
use packhost_sdk::{Deserialize, Error, JsonSchema};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The repository as "owner/name", such as "octocat/hello-world".
    repo: String,
    /// The release's tag, such as "v1.2.0". Always needed. A tag that is not there yet is made.
    #[schemars(length(min = 1))]
    tag: Option<String>,
    /// Another name for tag; give one of the two.
    #[schemars(length(min = 1))]
    tag_name: Option<String>,
    /// The title, such as "Version 1.2"; the tag without it.
    name: Option<String>,
    /// The notes, in Markdown.
    body: Option<String>,
    /// Where to put a tag that is not there yet: a branch or a commit. The default branch without it.
    target: Option<String>,
    /// Make a draft, which only maintainers see.
    #[serde(default)]
    draft: bool,
    /// Mark it as not ready for everybody's use.
    #[serde(default)]
    prerelease: bool,
    /// Let GitHub list the changes in the notes.
    #[serde(default)]
    generate_notes: bool,
}

packhost_sdk::pack! {
    name: "github.create_release",
    title: "Make a GitHub release",
    description: "Makes a release of a GitHub repository for a tag and returns its address.",
    effects: [],
    wants: { http: "to make the release through GitHub's API" },
    examples: [
        { "repo": "octocat/hello-world", "tag": "v1.2.0", "generate_notes": true },
        {
            "repo": "octocat/hello-world",
            "tag": "v1.3.0-rc.1",
            "name": "Version 1.3, first candidate",
            "body": "The start page is back.",
            "prerelease": true
        },
    ],
    run: create,
}

fn create(input: Input) -> Result<Release, Error> {
    let repo = Repo::parse(&input.repo)?;
    let release = NewRelease {
        tag_name: either("tag", input.tag, input.tag_name)?,
        target_commitish: input.target,
        name: input.name,
        body: input.body,
        draft: input.draft,
        prerelease: input.prerelease,
        generate_release_notes: input.generate_notes,
    };
    GitHub::configured()?.create_release(&repo, &release)
}
