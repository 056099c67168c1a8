//! `rollback`: new calls of a running server get an older version of the dialogs.

use hyper::Method;
use serde_json::Value;

use super::arguments::Rollback;
use super::client::{Client, ClientError};
use super::{Ended, screen, wrong_use};

/// Runs it.
pub(super) async fn run(wanted: Rollback) -> Ended {
    let good = |c: char| c.is_ascii_alphanumeric();
    if let Some(version) = &wanted.version
        && !version.chars().all(good)
    {
        return wrong_use::told(&format!(
            "версии «{version}» не бывает: версия — это 12 знаков; какие есть, скажет govorun rollback --list"
        ));
    }
    let client = match Client::of(&wanted.server) {
        Ok(client) => client,
        Err(error) => return wrong_use::told(&error.to_string()),
    };
    let done = if wanted.list {
        list(&client).await
    } else {
        back(&client, wanted.version.as_deref()).await
    };
    match done {
        Ok(()) => Ended::Sound,
        Err(error) => {
            screen::fault(&error.to_string());
            Ended::Fault
        }
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// The server's moment by this machine's clock.
fn local(moment: &str) -> String {
    moment.parse::<jiff::Timestamp>().map_or_else(
        |_| moment.to_owned(),
        |at| {
            let here = at.to_zoned(jiff::tz::TimeZone::system());
            here.strftime("%d.%m.%Y %H:%M:%S").to_string()
        },
    )
}

async fn list(client: &Client) -> Result<(), ClientError> {
    let (_, status) = client.ask(Method::GET, "/api/v1/dialogs", None).await?;
    let since = local(text(&status, "since"));
    screen::line(&format!("{}  сейчас, с {since}", text(&status, "version")));
    for older in status["older"].as_array().into_iter().flatten() {
        let since = local(text(older, "since"));
        screen::line(&format!("{}  с {since}", text(older, "version")));
    }
    if let Some(from) = status["rolled_back_from"].as_str() {
        screen::line(&format!(
            "В папке лежит {from}: с неё вернулись, она вступит, когда файлы изменят"
        ));
    }
    Ok(())
}

async fn back(client: &Client, version: Option<&str>) -> Result<(), ClientError> {
    let mut path = "/api/v1/dialogs/rollback".to_owned();
    if let Some(version) = version {
        path.push_str("?version=");
        path.extend(version.chars().take(64));
    }
    let (_, told) = client.ask(Method::POST, &path, None).await?;
    screen::line(&format!(
        "Новые разговоры идут по версии {} вместо {}, пока файлы не изменят. Начатые не меняются.",
        text(&told, "version"),
        text(&told, "from")
    ));
    Ok(())
}
