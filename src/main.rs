//! The `govorun` command.

/// Calls make and drop many small things on many threads: the C library's allocator spends an eighth of the CPU on that, and
/// keeps what one thread freed from the others.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    govorun::cli::run(std::env::args_os())
}
