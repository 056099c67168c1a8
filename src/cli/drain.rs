//! `drain`: a running server starts no more calls; what goes on goes on, and is waited for here.

use std::time::Duration;

use hyper::Method;
use serde_json::Value;

use super::arguments::Drain;
use super::client::{Client, ClientError};
use super::{Ended, screen, wrong_use};

const PATH: &str = "/api/v1/drain";
/// How often the server is asked how many calls go on.
const BEAT: Duration = Duration::from_secs(1);

/// Runs it.
pub(super) async fn run(wanted: Drain) -> Ended {
    let client = match Client::of(&wanted.server) {
        Ok(client) => client,
        Err(error) => return wrong_use::told(&error.to_string()),
    };
    let done = if wanted.off {
        off(&client).await
    } else if wanted.show {
        show(&client).await
    } else {
        on(&client, wanted.no_wait).await
    };
    match done {
        Ok(()) => Ended::Sound,
        Err(error) => {
            screen::fault(&error.to_string());
            Ended::Fault
        }
    }
}

fn calls(told: &Value) -> u64 {
    told["calls"].as_u64().unwrap_or(0)
}

fn going_on(told: &Value) -> String {
    match usize::try_from(calls(told)).unwrap_or(usize::MAX) {
        0 => "никто не говорит".to_owned(),
        count => format!(
            "идёт {}",
            screen::count(count, ["звонок", "звонка", "звонков"])
        ),
    }
}

async fn on(client: &Client, no_wait: bool) -> Result<(), ClientError> {
    let (_, mut told) = client.ask(Method::POST, PATH, None).await?;
    screen::line(&format!("Новых звонков нет; {}.", going_on(&told)));
    let mut before = calls(&told);
    while !no_wait && told["drained"] != true {
        tokio::time::sleep(BEAT).await;
        (_, told) = client.ask(Method::GET, PATH, None).await?;
        if told["draining"] != true {
            screen::line("Звонки снова начинаются: это включил кто-то другой.");
            return Ok(());
        }
        if calls(&told) != before {
            before = calls(&told);
            screen::line(&format!("{}…", going_on(&told)));
        }
    }
    screen::line("Вернуть: govorun drain --off");
    Ok(())
}

async fn off(client: &Client) -> Result<(), ClientError> {
    let (_, told) = client.ask(Method::DELETE, PATH, None).await?;
    screen::line(&format!(
        "Звонки начинаются как обычно; {}.",
        going_on(&told)
    ));
    Ok(())
}

async fn show(client: &Client) -> Result<(), ClientError> {
    let (_, told) = client.ask(Method::GET, PATH, None).await?;
    let state = if told["draining"] == true {
        "Новых звонков нет"
    } else {
        "Звонки начинаются как обычно"
    };
    screen::line(&format!("{state}; {}.", going_on(&told)));
    Ok(())
}
