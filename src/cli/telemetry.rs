//! The log: to standard error, so that results stay clean.

use tracing_subscriber::EnvFilter;

/// Starts the log; `usual` is the level where `RUST_LOG` says nothing, or nothing readable.
pub(super) fn start(usual: &str, json: bool) {
    let filter = match std::env::var("RUST_LOG") {
        Ok(wanted) if !wanted.trim().is_empty() => match EnvFilter::try_new(&wanted) {
            Ok(filter) => filter,
            Err(error) => {
                super::screen::fault(&format!(
                    "RUST_LOG={wanted} не понят ({error}); взято {usual}. Например: RUST_LOG=info,govorun::call=debug"
                ));
                EnvFilter::new(usual)
            }
        },
        _ => EnvFilter::new(usual),
    };
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A second start, in tests, changes nothing.
    let _ = if json {
        log.json().try_init()
    } else {
        log.with_ansi(false).with_target(false).try_init()
    };
}
