//! `Cargo.lock`, for tests that hold what a backend says of itself against it.

/// The versions of a package in the lock file.
pub(crate) fn locked_version(package: &str) -> Vec<&'static str> {
    let lock = include_str!("../../Cargo.lock");
    lock.split("[[package]]")
        .filter(|entry| entry.contains(&format!("\nname = \"{package}\"\n")))
        .filter_map(|entry| entry.split("version = \"").nth(1)?.split('"').next())
        .collect()
}
