//! ristoro.
fn main() {}
