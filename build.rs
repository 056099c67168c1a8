//! Lets the program find the shared libraries of sherpa-onnx beside itself. Without the feature `sherpa` it does nothing.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // The library's own build puts them beside the binary, but its word to the linker doesn't reach ours.
    if std::env::var_os("CARGO_FEATURE_SHERPA").is_some() {
        println!("cargo:rustc-link-arg=-Wl,-rpath,$ORIGIN");
    }
}
