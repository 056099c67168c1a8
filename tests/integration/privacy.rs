//! Personal data stay out of the log, however much it is asked to tell; and out of the store, where the settings say so.

use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock};

use govorun::config::MediaKind;
use serde_json::json;

use super::app::{TestApp, request};

fn log() -> &'static Arc<Mutex<Vec<u8>>> {
    static LOG: OnceLock<Arc<Mutex<Vec<u8>>>> = OnceLock::new();
    LOG.get_or_init(Arc::default)
}

struct Tee;

impl Write for Tee {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        log().lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The most that can be logged of a whole call holds neither the number, nor what was said, keyed or given.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_has_no_number_and_no_word_of_a_call() {
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter("govorun=trace")
        .with_ansi(false)
        .with_writer(|| Tee);
    // Another test of this process may have been first; then its log is not ours to look at.
    if tracing::subscriber::set_global_default(subscriber.finish()).is_err() {
        eprintln!("SKIP: another test has the log");
        return;
    }
    let app = TestApp::with(MediaKind::Auto, |config| {
        config.history.mask_phones = true;
    })
    .await;
    app.write_script(
        r#"stage("question"); record();
let a = ask("Секретный вопрос для ${имя}?", #{ expect: ["yes"], attempts: 1, timeout: 2 });
set("слово", a.text); log("услышано: " + a.text);
finish(if a.is("yes") { "confirmed" } else { "unclear" });"#,
    );
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    for (id, person) in [("said", "01"), ("keyed", "04"), ("busy", "11")] {
        let body = json!({
            "id": id, "phone": format!("+791276543{person}"), "dialog": "visit", "params": {"имя": "Аполлинария"},
        });
        let (code, answer) = app.post("/api/v1/calls", body).await;
        assert_eq!(code, 201, "{answer}");
    }
    app.end_of("said").await;
    app.end_of("keyed").await;
    // What is refused is not told with its number either.
    let wrong = json!({"id": "w", "phone": "+7 912 765-43-99", "dialog": "visit"});
    assert_eq!(app.post("/api/v1/calls", wrong).await.0, 422);
    let path = "/call?phone=%2B79127654397&dialog=nobody";
    assert_eq!(request(app.runtime.http, "GET", path, None).await.0, 422);
    app.runtime.shut_down().await;
    let log = String::from_utf8_lossy(&log().lock().unwrap()).into_owned();
    assert!(
        log.contains("an order was taken"),
        "nothing was logged:\n{log}"
    );
    for secret in [
        "1276543",
        "Аполлинария",
        "Секретный",
        "услышано",
        "\"да\"",
        "текст=да",
    ] {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret} is in the log");
    }
}
