//! What an image is made from.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::ImageError;

/// The recipes of this release.
const SHIPPED: [&str; 2] = [
    include_str!("../../../sidecars/images/node/recipe.toml"),
    include_str!("../../../sidecars/images/python/recipe.toml"),
];

/// How an image is made.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Its name: `python` is the image `packhost/python`.
    pub name: String,
    /// What is in it, for people.
    pub summary: String,
    /// The Debian release, by its code name.
    pub suite: String,
    /// Debian packages, without those that they depend on.
    pub packages: Vec<String>,
    /// Packages whose files are left out although another one depends on them.
    #[serde(default)]
    pub without: Vec<String>,
    /// Files and directories that are left out: paths without the first slash; `*` stands for any letters but a slash.
    #[serde(default)]
    pub drop: Vec<String>,
    /// Programs that run on the unpacked files before anything is left out.
    #[serde(default)]
    pub prepare: Vec<Prepare>,
    /// The image's environment.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
}

/// A program that runs on the unpacked files, as root of nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prepare {
    /// `NAME=value`.
    #[serde(default)]
    pub env: Vec<String>,
    /// The program and its arguments.
    pub command: Vec<String>,
}

impl Recipe {
    /// Reads a recipe.
    ///
    /// # Errors
    ///
    /// [`ImageError::Recipe`] with the place of what is wrong.
    pub fn parse(text: &str) -> Result<Self, ImageError> {
        let recipe: Self = toml::from_str(text).map_err(|error| ImageError::Recipe(error.to_string()))?;
        let plain = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        };
        let words = recipe.packages.iter().chain(&recipe.without).chain([&recipe.name, &recipe.suite]);
        for word in words {
            if !plain(word) || word.starts_with(['-', '.']) {
                return Err(ImageError::Recipe(format!(
                    "\"{word}\" is not a name of a package, a release or an image"
                )));
            }
        }
        Ok(recipe)
    }

    /// The image's name for Docker, without a tag.
    pub fn image(&self) -> String {
        format!("packhost/{}", self.name)
    }
}

/// The recipes of this release, by name.
///
/// # Errors
///
/// None in a release: a test reads them all.
pub fn recipes() -> Result<Vec<Recipe>, ImageError> {
    SHIPPED.iter().map(|text| Recipe::parse(text)).collect()
}

/// One of them.
///
/// # Errors
///
/// [`ImageError::Unknown`] with those that there are.
pub fn recipe(name: &str) -> Result<Recipe, ImageError> {
    let all = recipes()?;
    let names = all.iter().map(|recipe| recipe.name.as_str()).collect::<Vec<_>>().join(", ");
    all.into_iter()
        .find(|recipe| recipe.name == name)
        .ok_or_else(|| ImageError::Unknown(name.to_owned(), names))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_recipe_can_be_read_and_found() {
        let names: Vec<String> =
            recipes().expect("they can be read").into_iter().map(|recipe| recipe.name).collect();
        assert_eq!(names, ["node", "python"]);
        assert_eq!(recipe("python").expect("it is there").image(), "packhost/python");
        let error = recipe("perl").expect_err("there is none").to_string();
        assert!(error.ends_with("there are: node, python"), "{error}");
    }

    #[test]
    fn a_recipe_cannot_say_more_than_names() {
        let with = |name: &str, package: &str| {
            Recipe::parse(&format!(
                "name = {name:?}\nsummary = \"\"\nsuite = \"bookworm\"\npackages = [{package:?}]\n"
            ))
        };
        assert!(with("a", "libstdc++6").is_ok());
        for (name, package) in
            [("../a", "b"), ("a", "b c"), ("a", "--option"), ("a", "b,c"), ("a/b", "c"), ("", "c")]
        {
            assert!(with(name, package).is_err(), "{name} {package}");
        }
    }
}
