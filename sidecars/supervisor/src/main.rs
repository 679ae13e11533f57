//! The program in every sandbox.

fn main() {}
