//! Who calls: how a request proves who it is, and what the proof lets it do.
//!
//! Owns: the tokens of this host (those of a file, and those in the state database, which are made, listed and revoked here),
//! the access tokens of an authorization server (OAuth 2.1, RFC 9068) and the keys that they are checked with, which scopes
//! and groups come with either, and how many requests a minute one caller may make. Refuses: headers and status codes (those
//! are `packhost-http`'s), sending a request itself (it asks a [`Fetch`]), and knowing what a pack may do.

mod callers;
mod named;
mod oauth;
mod rate;
mod secret;
mod store;
mod tokens;

pub use callers::{Callers, Refused, SettingsError, TokenFault};
pub use named::{NamedToken, NamedTokenError, TokenName};
pub use oauth::{Fetch, FetchError, Fetched, Issuer, OAuth, OAuthError, OAuthSettings, Unproved};
pub use rate::{Rates, TooMany};
pub use secret::{Secret, Typo};
pub use tokens::{About, NewToken, TokenError, Tokens};
