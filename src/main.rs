//! The `govorun` command.

fn main() -> std::process::ExitCode {
    govorun::cli::run(std::env::args_os())
}
