//! The wall on the running kernel.
fn main() {}
