//! Makes the messages of the gRPC services that we speak from their trimmed `.proto` (pure Rust: no protoc is needed), and
//! lets the program find the shared libraries of sherpa-onnx beside itself.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    let folder = "src/wire/yandex";
    println!("cargo:rerun-if-changed={folder}");
    let files = protox::compile(["stt.proto", "tts.proto"], [folder])?;
    tonic_prost_build::configure()
        // The servers are doubles for tests.
        .server_mod_attribute(".", "#[cfg(test)]")
        .compile_fds(files)?;
    // The library's own build puts them beside the binary, but its word to the linker doesn't reach ours.
    if std::env::var_os("CARGO_FEATURE_SHERPA").is_some() {
        println!("cargo:rustc-link-arg=-Wl,-rpath,$ORIGIN");
    }
    Ok(())
}
