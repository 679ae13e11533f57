//! GitHub's answers, recorded and written, through the library: what is asked, and what comes out of it.

mod failures;
mod lists;
mod replay;
mod requests;
