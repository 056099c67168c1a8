//! What each AMI action of a logged-in client is answered with, and what it sets going.

use std::sync::Arc;
use std::time::Duration;

use crate::wire::ami::{Control, Packet};

use super::channel::Channel;
use super::dialing::{self, Placing};
use super::exec;
use super::record::{HungUpBy, What};
use super::taps::{self, Tapping};
use super::world::{World, locked, packet};

/// Work that begins once the answer is on its way.
pub(super) type Then = Box<dyn FnOnce(&Arc<World>) + Send>;

/// An answer.
pub(super) struct Reply {
    pub(super) response: &'static str,
    pub(super) pairs: Vec<(&'static str, String)>,
    /// Events of a list, encoded.
    pub(super) list: Vec<Vec<u8>>,
    pub(super) then: Option<Then>,
}

impl Reply {
    fn success(message: &str) -> Self {
        Self {
            response: "Success",
            pairs: vec![("Message", message.to_owned())],
            list: Vec::new(),
            then: None,
        }
    }

    fn error(message: &str) -> Self {
        Self {
            response: "Error",
            ..Self::success(message)
        }
    }

    fn of(pairs: Vec<(&'static str, String)>) -> Self {
        Self {
            pairs,
            ..Self::success("")
        }
    }

    fn then(mut self, work: impl FnOnce(&Arc<World>) + Send + 'static) -> Self {
        self.then = Some(Box::new(work));
        self
    }
}

/// Answers an action.
pub(super) fn answer(world: &Arc<World>, action: &Packet) -> Reply {
    let text = |key: &str| action.value(key).unwrap_or_default();
    match action.name().to_ascii_lowercase().as_str() {
        "ping" => Reply::of(vec![
            ("Ping", "Pong".to_owned()),
            ("Timestamp", "1763800000.000000".to_owned()),
        ]),
        "coresettings" => Reply::of(vec![
            ("AMIversion", world.options.ami_version.clone()),
            ("AsteriskVersion", world.options.asterisk_version.clone()),
            ("CoreMaxCalls", "0".to_owned()),
        ]),
        "corestatus" => Reply::of(vec![
            ("CoreStartupDate", "2026-11-25".to_owned()),
            ("CoreStartupTime", "12:00:00".to_owned()),
            ("CoreCurrentCalls", world.ids().len().to_string()),
        ]),
        "modulecheck" if world.has_module(text("Module")) => Reply::success("Module loaded"),
        "modulecheck" => Reply::error("Module not loaded"),
        "filter" => Reply::success("Filter added successfully"),
        "originate" => originate(world, action),
        "coreshowchannels" => show_channels(world, action),
        "hangup" => on_channel(world, action, |channel| {
            let cause = text("Cause").parse().unwrap_or(0);
            let reply = Reply::success("Channel Hungup");
            reply.then(move |_| channel.hang_up(cause, HungUpBy::Us))
        }),
        "controlplayback" => {
            on_channel(world, action, |channel| control(&channel, text("Control")))
        }
        "mixmonitor" => on_channel(world, action, |channel| {
            let files = exec::recorded_into(text("File"), text("options"));
            let id = exec::begin_recording(world, &channel, files);
            let mut reply = vec![("Message", "Success".to_owned())];
            // Seen: only where it was asked to be left in a variable.
            if text("options").contains("i(") {
                reply.push(("MixMonitorID", id));
            }
            Reply::of(reply)
        }),
        "stopmixmonitor" => on_channel(world, action, |channel| {
            let id = Some(text("MixMonitorID").to_owned()).filter(|id| !id.is_empty());
            let reply = Reply::success("Success");
            reply.then(move |world| {
                exec::end_recording(world, &channel, id.as_deref());
            })
        }),
        "redirect" => on_channel(world, action, |channel| {
            let (context, extension) = (text("Context").to_owned(), text("Exten").to_owned());
            Reply::success("Redirect successful").then(move |world| {
                let what = What::Redirected { context, extension };
                channel.note(world, what);
                channel.redirected.cancel();
            })
        }),
        "setvar" if text("Channel").is_empty() => Reply::success("Variable Set"),
        "setvar" => on_channel(world, action, |channel| {
            let (name, value) = (text("Variable"), text("Value"));
            channel.set_variable(name, value);
            let what = What::Variable {
                name: name.to_owned(),
                value: value.to_owned(),
            };
            channel.note(world, what);
            Reply::success("Variable Set")
        }),
        "getvar" => on_channel(world, action, |channel| {
            let name = text("Variable");
            let value = channel.variable(name).unwrap_or_default();
            Reply::of(vec![("Variable", name.to_owned()), ("Value", value)])
        }),
        "status" => status(world, action),
        _ => Reply::error("Invalid/unknown command"),
    }
}

fn on_channel(
    world: &Arc<World>,
    action: &Packet,
    work: impl FnOnce(Arc<Channel>) -> Reply,
) -> Reply {
    let name = action.value("Channel").unwrap_or_default();
    match world.find(name) {
        Some(channel) => work(channel),
        None => Reply::error("No such channel"),
    }
}

fn control(channel: &Channel, word: &str) -> Reply {
    let Some(control) = Control::parse(word) else {
        return Reply::error("Invalid control");
    };
    // Where nothing plays the order is swallowed, as AGI's loop swallows the frame.
    if let Some(orders) = &*locked(&channel.control) {
        let _ = orders.try_send(control);
    }
    Reply::success("")
}

fn originate(world: &Arc<World>, action: &Packet) -> Reply {
    let text = |key: &str| action.value(key).unwrap_or_default().to_owned();
    let queued = || Reply::success("Originate successfully queued");
    let own = |key: &str| action.value(key).map(str::to_owned);
    let (dial, app, data) = (text("Channel"), text("Application"), text("Data"));
    if taps::is_tap(&dial) {
        if app != "ChanSpy" {
            return Reply::error("Permission denied");
        }
        let spied = data.split(',').next().unwrap_or_default().to_owned();
        let tapping = Tapping {
            action_id: own("ActionID"),
            channel_id: own("ChannelId"),
            dial,
            spied,
        };
        return queued().then(move |world| taps::start(world, tapping));
    }
    if !app.eq_ignore_ascii_case("agi") {
        return Reply::error("Extension does not exist.");
    }
    let own_id = own("ChannelId");
    let placing = Placing {
        action_id: own("ActionID"),
        channel_id: own_id.unwrap_or_else(|| format!("1763800000.{}", world.next_number())),
        dial,
        timeout: Duration::from_millis(text("Timeout").parse().unwrap_or(30_000)),
        script: data.split(',').next().unwrap_or_default().to_owned(),
        variables: action.variables(),
    };
    queued().then(move |world| dialing::outgoing(world, placing))
}

fn show_channels(world: &World, action: &Packet) -> Reply {
    let channels = world.all_channels();
    list(
        action,
        "CoreShowChannel",
        "CoreShowChannelsComplete",
        &channels,
    )
}

fn status(world: &World, action: &Packet) -> Reply {
    let name = action.value("Channel").unwrap_or_default();
    let channels = match (name, world.find(name)) {
        ("", _) => world.all_channels(),
        (_, Some(channel)) => vec![channel],
        _ => return Reply::error("No such channel"),
    };
    list(action, "Status", "StatusComplete", &channels)
}

fn list(action: &Packet, each: &str, end: &str, channels: &[Arc<Channel>]) -> Reply {
    let head = |name: &str| {
        let id = action.action_id().map(|id| ("ActionID", id.to_owned()));
        [("Event", name.to_owned())].into_iter().chain(id)
    };
    let mut events: Vec<Vec<u8>> = channels
        .iter()
        .map(|channel| packet(head(each).chain(channel.pairs(""))))
        .collect();
    let complete = [
        ("EventList", "Complete".to_owned()),
        ("ListItems", channels.len().to_string()),
    ];
    events.push(packet(head(end).chain(complete)));
    Reply {
        list: events,
        ..Reply::of(vec![
            ("EventList", "start".to_owned()),
            ("Message", "Channels will follow".to_owned()),
        ])
    }
}
