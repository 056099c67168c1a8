//! `serve`: the server in the foreground, as systemd or a person at a terminal wants it.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::app::{Instead, Runtime, StartError};
use crate::config::Config;
use crate::script::check_folder;

use super::arguments::Serve;
use super::{Ended, check, notify, screen, telemetry};

/// How long Asterisk may take before the log says that it isn't there.
const ASTERISK: Duration = Duration::from_secs(5);

/// Runs it until SIGTERM or Ctrl-C.
pub(super) async fn run(wanted: Serve) -> Ended {
    telemetry::start("info", wanted.log == "json");
    let config = match check::load(&wanted.config) {
        Ok(config) => config,
        Err(faults) => {
            faults
                .iter()
                .for_each(|fault| screen::fault(&check::shown(fault)));
            let all = screen::count(faults.len(), ["ошибка", "ошибки", "ошибок"]);
            screen::fault(&format!("\nСервер не запущен: в настройках {all}."));
            return Ended::Fault;
        }
    };
    let signals = signal(SignalKind::terminate())
        .and_then(|term| Ok((term, signal(SignalKind::interrupt())?)));
    let (mut terminate, mut interrupt) = match signals {
        Ok(signals) => signals,
        Err(error) => {
            screen::fault(&format!("сигналы остановки недоступны: {error}"));
            return Ended::Fault;
        }
    };
    let stop = CancellationToken::new();
    let asterisk = config.asterisk.ami.clone();
    let runtime = match Runtime::start(config.clone(), Instead::default(), stop.clone()).await {
        Ok(runtime) => runtime,
        Err(error) => {
            refused(&config, &error);
            return Ended::Fault;
        }
    };
    let (http, agi) = (runtime.http, runtime.agi);
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        %http,
        %agi,
        audiosocket = %runtime.hub.audiosocket_addr(),
        websocket = %runtime.hub.websocket_addr(),
        scripts = %config.scripts.folder.display(),
        store = %config.store.display(),
        "Говорун запущен"
    );
    notify::ready();
    let mut medium = runtime.medium.clone();
    tokio::spawn(async move {
        match tokio::time::timeout(ASTERISK, medium.changed()).await {
            // The medium's own line has told.
            Ok(_) => {}
            Err(_) => tracing::warn!(
                ami = asterisk,
                "Asterisk пока не отвечает по AMI: проверьте asterisk.ami, user, secret и manager.conf; заказы принимаются и ждут"
            ),
        }
    });
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = stop.cancelled() => {}
    }
    notify::stopping();
    let limit = Duration::from_millis(config.calls.drain_ms);
    let calls = runtime.lines.taken();
    tracing::info!(
        calls,
        drain_s = limit.as_secs(),
        "новых звонков нет, ждём конца начатых; ещё раз Ctrl-C — сразу"
    );
    let end = async {
        let left = runtime.drain(limit).await;
        if left > 0 {
            tracing::warn!(calls = left, "время вышло (calls.drain): звонки обрываются");
        }
        runtime.shut_down().await;
    };
    tokio::select! {
        () = end => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("Говорун остановлен");
    Ended::Sound
}

fn refused(config: &Config, error: &StartError) {
    match error {
        StartError::Settings(_) => screen::fault(&format!(
            "{error}\n\nСервер не запущен: исправьте настройки."
        )),
        StartError::Scripts(_) => {
            // The same faults, with their lines.
            screen::fault(
                check_folder(&config.scripts.folder, config.language)
                    .to_string()
                    .trim_end(),
            );
            screen::fault("\nСервер не запущен: исправьте диалоги.");
        }
    }
}
