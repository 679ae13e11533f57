//! The room as its users have it: one binary for all of its tests.
#![allow(clippy::unwrap_used)]

mod begin;
mod chains;
mod child;
mod clock;
mod denials;
mod events;
mod export;
mod faults;
mod log;
mod many;
mod model;
mod place;
mod processes;
mod query;
mod retention;
mod tamper;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use packhost_audit::{Bounds, Denials};
use packhost_core::PackName;
use packhost_manifest::DeniedRequest;
use packhost_state::Database;
use url::Url;

fn opened(dir: &Path, bounds: Bounds) -> Denials {
    Denials::within(Arc::new(Database::open(dir).unwrap()), bounds).unwrap()
}

fn pack(name: &str) -> PackName {
    name.parse().unwrap()
}

fn get(url: &str) -> DeniedRequest {
    DeniedRequest::of("GET", &Url::parse(url).unwrap()).unwrap()
}

/// A moment so many milliseconds after 1970.
fn at(milliseconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(milliseconds)
}
