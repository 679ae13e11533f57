//! One file per verb.

pub(crate) mod artifacts;
pub(crate) mod audit;
pub(crate) mod call;
pub(crate) mod completions;
pub(crate) mod connect;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod images;
pub(crate) mod mcp;
pub(crate) mod packs;
pub(crate) mod policy;
pub(crate) mod serve;
pub(crate) mod sessions;
pub(crate) mod tokens;
pub(crate) mod vault;
pub(crate) mod workspaces;
