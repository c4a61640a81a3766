//! Hands the optimization level of the build to the program, which says when it was not optimized.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if let Ok(level) = std::env::var("OPT_LEVEL") {
        println!("cargo::rustc-env=TAILMARK_OPT_LEVEL={level}");
    }
}
