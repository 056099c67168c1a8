//! Makes the messages of the gRPC services that we speak from their trimmed `.proto`. Pure Rust: no protoc is needed.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = "src/wire/yandex";
    println!("cargo:rerun-if-changed={folder}");
    let files = protox::compile(["stt.proto", "tts.proto"], [folder])?;
    tonic_prost_build::configure()
        // The servers are doubles for tests.
        .server_mod_attribute(".", "#[cfg(test)]")
        .compile_fds(files)?;
    Ok(())
}
