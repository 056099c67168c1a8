//! One call on a stage, held in the terminal: what happens is printed as it happens, what is typed is said.

use std::time::{Duration, Instant};

use hyper::Method;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::app::Stage;
use crate::ident::CallId;
use crate::rehearsal::person::MACHINE_SAYS;

use super::caller::{Act, Caller, parse};
use super::client::Client;
use super::follow::Follower;
use super::history::live;
use super::screen;

/// How often we look what is new: quicker than a person notices.
const LOOK: Duration = Duration::from_millis(40);
/// Between two keys.
const KEY: Duration = Duration::from_millis(150);
/// After the hang-up the call's end is known within this.
const END: Duration = Duration::from_secs(10);
/// Lines that may wait.
const LINES: usize = 64;

/// What was held.
#[derive(Debug)]
pub(super) struct Held {
    /// `GET /api/v1/calls/{id}` afterwards.
    pub(super) call: Value,
    /// All events.
    pub(super) events: Vec<Value>,
}

/// The client of the stage's own HTTP.
pub(super) fn client(stage: &Stage) -> Result<Client, String> {
    let url = format!("http://{}", stage.runtime.http);
    Client::new(&url, Some(stage.token.clone())).map_err(|error| error.to_string())
}

/// Orders a call, as 1C does; gives its id and the answer.
pub(super) async fn order(client: &Client, order: &Value) -> Result<(CallId, Value), String> {
    let answer = client.ask(Method::POST, "/api/v1/calls", Some(order)).await;
    let (_, answer) = answer.map_err(|error| error.to_string())?;
    let id = CallId::parse(answer["id"].as_str().unwrap_or_default())
        .map_err(|error| error.to_string())?;
    Ok((id, answer))
}

/// Where the person's lines come from.
pub(super) enum Lines {
    /// Standard input.
    Typed(mpsc::Receiver<String>),
    /// These, and silence afterwards.
    Given(Vec<&'static str>),
}

/// Standard input, line by line. Its thread ends with the process: a read can't be called off.
pub(super) fn keyboard() -> Lines {
    let (typed, lines) = mpsc::channel(LINES);
    let reading = std::thread::Builder::new()
        .name("keyboard".to_owned())
        .spawn(move || {
            for line in std::io::stdin().lines() {
                let Ok(line) = line else { return };
                if typed.blocking_send(line).is_err() {
                    return;
                }
            }
        });
    if let Err(error) = reading {
        screen::fault(&format!("клавиатура недоступна: {error}"));
    }
    Lines::Typed(lines)
}

/// Holds the call to its end, but not longer than `longest`.
pub(super) async fn hold(
    stage: &Stage,
    id: &CallId,
    lines: Lines,
    longest: Duration,
) -> Result<Held, String> {
    let at_keyboard = matches!(lines, Lines::Typed(_)) && screen::has_keyboard();
    let mut talk = Conversation {
        stage,
        id,
        follower: Follower::new(client(stage)?, id.as_str()),
        caller: Caller::new(at_keyboard),
        at_keyboard,
        over: false,
    };
    let mut typed = match lines {
        Lines::Typed(typed) => Some(typed),
        Lines::Given(lines) => {
            lines.into_iter().for_each(|line| talk.typed(line));
            None
        }
    };
    let mut deadline = tokio::time::Instant::now() + longest;
    let mut leaving = false;
    while !talk.over {
        tokio::select! {
            line = next_line(&mut typed) => match line {
                Some(line) => talk.typed(&line),
                None => {
                    typed = None;
                    // Ctrl-D is how one leaves a terminal; the end of a pipe is just nothing more to say.
                    if at_keyboard {
                        talk.hang_up();
                    }
                }
            },
            () = tokio::time::sleep(LOOK) => talk.look().await?,
            () = asked_to_stop() => {
                if leaving {
                    return Err("прервано".to_owned());
                }
                screen::line("");
                leaving = true;
                deadline = tokio::time::Instant::now() + END;
                talk.hang_up();
            }
            () = tokio::time::sleep_until(deadline) => {
                stage.runtime.registry.cancel(id);
                return Err(format!("разговор не закончился за {} с", longest.as_secs()));
            }
        }
    }
    let call = talk
        .follower
        .settled(Duration::from_secs(2))
        .await
        .map_err(|error| error.to_string())?;
    talk.look().await?;
    Ok(Held {
        call,
        events: talk.follower.events,
    })
}

/// Ctrl-C or SIGTERM.
async fn asked_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        },
        Err(_) => {
            let _ = tokio::signal::ctrl_c().await;
        }
    }
}

async fn next_line(typed: &mut Option<mpsc::Receiver<String>>) -> Option<String> {
    match typed {
        Some(typed) => typed.recv().await,
        None => std::future::pending().await,
    }
}

struct Conversation<'s> {
    stage: &'s Stage,
    id: &'s CallId,
    follower: Follower,
    caller: Caller,
    at_keyboard: bool,
    over: bool,
}

impl Conversation<'_> {
    fn typed(&mut self, line: &str) {
        match parse(line) {
            Ok(None) => {}
            Ok(Some(act)) => {
                if self.caller.add(act) && self.at_keyboard {
                    screen::line(
                        "         (скажем, когда робот договорит; сразу — /перебить текст)",
                    );
                }
            }
            Err(sentence) => screen::line(&format!(
                "         {}",
                sentence.replace('\n', "\n         ")
            )),
        }
    }

    /// Prints what is new and does what its time has come for.
    async fn look(&mut self) -> Result<(), String> {
        let news = self
            .follower
            .news()
            .await
            .map_err(|error| error.to_string())?;
        let now = Instant::now();
        for event in &news {
            self.caller.hears(event, now);
            if let Some(line) = live(event) {
                screen::line(&line);
            }
            self.over |= event["kind"] == "attempt" && event["data"]["event"] == "ended";
        }
        if self.over {
            return Ok(());
        }
        match self.caller.next(now) {
            Some(Act::Say(words) | Act::Interrupt(words)) => {
                if !self.stage.say(self.id, &words) {
                    screen::line("         (вас уже не слышат)");
                }
            }
            Some(Act::Machine) => {
                if !self.stage.say(self.id, MACHINE_SAYS) {
                    screen::line("         (вас уже не слышат)");
                }
            }
            Some(Act::Digits(keys)) => {
                for key in keys.chars() {
                    self.stage.press(key);
                    tokio::time::sleep(KEY).await;
                }
            }
            Some(Act::HangUp) => self.hang_up(),
            Some(Act::Silence) | None => {}
        }
        Ok(())
    }

    fn hang_up(&mut self) {
        if !self.stage.hang_up() {
            // Nothing rings or talks yet: the order itself is called off.
            self.stage.runtime.registry.cancel(self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Scene;
    use crate::config::MediaKind;
    use serde_json::json;

    /// The whole server and its double, driven as `talk` drives them.
    async fn held(dialog: &str, media: MediaKind, lines: &[&'static str]) -> Held {
        let folder = tempfile::tempdir().unwrap();
        let scripts = folder.path().join("scripts");
        crate::cli::builtin::unpack(&scripts).unwrap();
        let scene = Scene {
            scripts,
            folder: folder.path().to_owned(),
            phone: "+79120000000".to_owned(),
            char_ms: 50,
            prompt_speed: 2,
            word: Duration::from_millis(50),
            ring_ms: 20,
            media,
        };
        let stage = Stage::start(scene).await.unwrap();
        let wanted = json!({"phone": "+79120000000", "dialog": dialog, "id": "T-1"});
        let (id, _) = order(&client(&stage).unwrap(), &wanted).await.unwrap();
        let longest = Duration::from_secs(30);
        let held = hold(&stage, &id, Lines::Given(lines.to_vec()), longest).await;
        stage.leave().await;
        held.unwrap()
    }

    fn cuts(held: &Held) -> usize {
        let cut = |e: &&Value| e["kind"] == "prompt" && e["data"]["event"] == "cut";
        held.events.iter().filter(cut).count()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_interrupted_question_is_asked_again_and_answered() {
        let lines = ["/перебить алло, кто это?", "да, приеду"];
        let held = held("confirm_visit", MediaKind::Auto, &lines).await;
        assert_eq!(held.call["outcome"], "confirmed", "{}", held.call);
        assert_eq!(held.call["data"]["answer"], "да, приеду");
        assert_eq!(cuts(&held), 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn keys_choose_and_a_transfer_comes_back() {
        let held = held("inbound_menu", MediaKind::Audiosocket, &["/цифры 0"]).await;
        assert_eq!(held.call["outcome"], "operator", "{}", held.call);
        assert_eq!(held.call["data"]["transfer"], "answered");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn hanging_up_is_an_outcome() {
        let held = held("confirm_visit", MediaKind::Rtp, &["не знаю", "/отбой"]).await;
        assert_eq!(held.call["outcome"], "hung_up", "{}", held.call);
        assert_eq!(held.call["status"], "finished");
    }
}
