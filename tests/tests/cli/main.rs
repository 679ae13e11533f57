//! The command line as its user sees it: what each verb prints for people and for programs, and how it ends.

mod alone;
mod audit;
mod call;
mod corpus;
mod errors;
mod interrupt;
mod json;
mod machine;
mod packs;
mod policy;
mod vault;
