//! The life of a call: dialed or come in, answered or failed, held by AGI, hung up; and a transfer's second leg.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

use super::channel::{Channel, state};
use super::person::{self, Dialed};
use super::record::{HungUpBy, What};
use super::voice::{self, VoiceOrder};
use super::world::World;
use super::{FarEnd, Incoming, agi, exec};

/// What an Originate of a call asks for.
#[derive(Debug)]
pub(super) struct Placing {
    pub(super) action_id: Option<String>,
    pub(super) channel_id: String,
    /// The dial string.
    pub(super) dial: String,
    pub(super) timeout: Duration,
    /// `agi://host:port/path`.
    pub(super) script: String,
    pub(super) variables: Vec<(String, String)>,
}

/// The number in a dial string: its longest run of digits with a plus before it.
pub(super) fn number_of(dial: &str) -> String {
    let mut best = "";
    for run in dial.split(|c: char| !(c.is_ascii_digit() || c == '+')) {
        if run.len() > best.len() {
            best = run;
        }
    }
    best.to_owned()
}

/// A new channel and its voice's orders.
pub(super) fn new_channel(
    world: &World,
    id: String,
    linked: String,
    dial: &str,
    number: String,
) -> (Channel, mpsc::Receiver<VoiceOrder>) {
    let (voice, orders) = mpsc::channel(voice::ORDERS);
    let technology = dial.split('/').next().unwrap_or("PJSIP");
    let name = match technology {
        "Local" => format!("{}-{:08x};1", dial, world.next_number()),
        _ => format!("{technology}/trunk-{:08x}", world.next_number()),
    };
    (Channel::new(id, linked, name, number, voice), orders)
}

/// Dials; the events tell what came of it.
pub(super) fn outgoing(world: &Arc<World>, placing: Placing) {
    let number = number_of(&placing.dial);
    let id = placing.channel_id.clone();
    let (channel, orders) = new_channel(world, id.clone(), id, &placing.dial, number.clone());
    let channel = Arc::new(channel);
    if !world.enter(&channel) {
        // Seen: queued, then only this.
        return tell_originator(world, &channel, &placing, Err(0));
    }
    for (name, value) in &placing.variables {
        channel.set_variable(name, value);
    }
    let far_end = world.far_end(&number);
    world.record.note(&channel.id, What::Dialed { number });
    world.emit("call", "Newchannel", channel.pairs(""));
    let dialstring = placing.dial.split_once('/').map_or("", |(_, rest)| rest);
    let pairs = channel
        .pairs("Dest")
        .into_iter()
        .chain([("DialString", dialstring.to_owned())]);
    world.emit("call", "DialBegin", pairs);
    start_voice(world, &channel, orders);
    let world_too = Arc::clone(world);
    world.spawn(async move { dial_and_talk(world_too, channel, placing, far_end).await });
}

fn start_voice(world: &Arc<World>, channel: &Arc<Channel>, orders: mpsc::Receiver<VoiceOrder>) {
    let voice = voice::run(Arc::clone(world), Arc::clone(channel), orders);
    world.spawn(voice);
}

async fn dial_and_talk(
    world: Arc<World>,
    channel: Arc<Channel>,
    placing: Placing,
    far_end: FarEnd,
) {
    let mut steps = far_end.steps;
    let dialed = tokio::select! {
        biased;
        () = channel.hung.cancelled() => None,
        dialed = timeout(placing.timeout, person::until_answer(&world, &channel, &mut steps)) => Some(dialed),
    };
    match dialed {
        Some(Ok(Dialed::Answered)) => {
            answer(&world, &channel);
            dial_end(&world, &channel, "ANSWER", None);
            tell_originator(&world, &channel, &placing, Ok(()));
            world.spawn(person::talk(
                Arc::clone(&world),
                Arc::clone(&channel),
                steps,
            ));
            hold(&world, &channel, &placing.script).await;
        }
        Some(Ok(Dialed::Failed(refusal))) => {
            let (status, cause) = refusal.as_asterisk_tells(world.major());
            channel.hang_up(cause, HungUpBy::Person);
            // They come in any order: in turn, each of the three.
            let order = world.next_number() % 3;
            for step in 0..3 {
                match (step + order) % 3 {
                    0 => dial_end(&world, &channel, status, None),
                    1 => tell_originator(&world, &channel, &placing, Err(0)),
                    _ => gone(&world, &channel),
                }
            }
        }
        Some(Err(_)) => {
            let cause = if world.major() < 18 { 0 } else { 19 };
            channel.hang_up(cause, HungUpBy::Timeout);
            tell_originator(&world, &channel, &placing, Err(3));
            gone(&world, &channel);
        }
        None => {
            tell_originator(&world, &channel, &placing, Err(1));
            gone(&world, &channel);
        }
    }
}

/// A call comes in; gives its unique id.
pub(super) fn incoming(
    world: &Arc<World>,
    script: &str,
    call: Incoming,
    far_end: FarEnd,
) -> String {
    let id = format!("1763800000.{}", world.next_number());
    let (mut channel, orders) = new_channel(world, id.clone(), id.clone(), "PJSIP/", call.caller);
    channel.extension = call.called;
    let channel = Arc::new(channel);
    channel.set_state(state::RING);
    world.enter(&channel);
    let script = script.to_owned();
    let came = What::CalledIn {
        script: script.clone(),
    };
    world.record.note(&id, came);
    world.emit("call", "Newchannel", channel.pairs(""));
    start_voice(world, &channel, orders);
    let world_too = Arc::clone(world);
    world.spawn(async move {
        let (person_world, person) = (Arc::clone(&world_too), Arc::clone(&channel));
        // Nobody says anything before the call is answered.
        world_too.spawn(async move {
            let mut digits = person.digits.subscribe();
            while !person.is_up() {
                // Answering sends a mark through this channel; see `answer`.
                tokio::select! {
                    () = person.hung.cancelled() => return,
                    told = digits.recv() => if told.is_err() { return },
                }
            }
            person::talk(person_world, person, far_end.steps).await;
        });
        if call.answered {
            tokio::task::yield_now().await;
            answer(&world_too, &channel);
        }
        hold(&world_too, &channel, &script).await;
    });
    id
}

/// The mark that wakes those who wait for the answer; no key is so.
pub(super) const ANSWER_MARK: char = '\0';

/// The call is answered, by whichever side.
pub(super) fn answer(world: &World, channel: &Channel) {
    if channel.set_state(state::UP) {
        channel.note(world, What::Answered);
        world.emit("call", "Newstate", channel.pairs(""));
        let _ = channel.voice.try_send(VoiceOrder::Live);
        let _ = channel.digits.send(ANSWER_MARK);
    }
}

/// AGI has the call until it lets go; then the dialplan ends.
async fn hold(world: &Arc<World>, channel: &Arc<Channel>, script: &str) {
    agi::run(world, channel, script).await;
    if channel.redirected.is_cancelled() {
        channel.hung.cancelled().await;
    }
    channel.hang_up(0, HungUpBy::Us);
    gone(world, channel);
}

/// The last event of a channel.
pub(super) fn gone(world: &World, channel: &Channel) {
    let (cause, by) = channel.end();
    while exec::end_recording(world, channel, None) {}
    let told = [
        ("Cause", cause.to_string()),
        ("Cause-txt", cause_text(cause).to_owned()),
    ];
    world.emit("call", "Hangup", channel.pairs("").into_iter().chain(told));
    channel.note(world, What::HungUp { cause, by });
    world.leave(channel);
}

fn cause_text(cause: u16) -> &'static str {
    match cause {
        1 => "Unallocated (unassigned) number",
        16 => "Normal Clearing",
        17 => "User busy",
        19 => "User alerting, no answer",
        20 => "Subscriber absent",
        21 => "Call Rejected",
        34 => "Circuit/channel congestion",
        _ => "Unknown",
    }
}

fn dial_end(world: &World, channel: &Channel, status: &str, caller: Option<&Channel>) {
    let mut pairs = caller.map(|caller| caller.pairs("")).unwrap_or_default();
    pairs.extend(channel.pairs("Dest"));
    pairs.push(("DialStatus", status.to_owned()));
    world.emit("call", "DialEnd", pairs);
}

fn tell_originator(world: &World, channel: &Channel, placing: &Placing, result: Result<(), u16>) {
    let (response, reason) = match result {
        Ok(()) => ("Success", 4),
        Err(reason) => ("Failure", reason),
    };
    originated(
        world,
        channel,
        placing.action_id.as_deref(),
        response,
        reason,
        "AGI",
    );
}

/// The event OriginateResponse.
pub(super) fn originated(
    world: &World,
    channel: &Channel,
    action_id: Option<&str>,
    response: &str,
    reason: u16,
    app: &str,
) {
    let action_id = action_id.map(|id| ("ActionID", id.to_owned()));
    let pairs = [
        ("Response", response.to_owned()),
        ("Channel", channel.name.clone()),
        ("Application", app.to_owned()),
        ("Reason", reason.to_string()),
        ("Uniqueid", channel.id.clone()),
        ("CallerIDNum", channel.number.clone()),
        ("CallerIDName", "<unknown>".to_owned()),
    ];
    world.emit(
        "call",
        "OriginateResponse",
        action_id.into_iter().chain(pairs),
    );
}

/// `EXEC Dial`: rings another number for the call; gives DIALSTATUS when it is over.
pub(super) async fn transfer(
    world: &Arc<World>,
    caller: &Arc<Channel>,
    dial: &str,
    seconds: u64,
) -> &'static str {
    let number = number_of(dial);
    let id = format!("1763900000.{}", world.next_number());
    let (mut channel, orders) = new_channel(world, id, caller.linked.clone(), dial, number.clone());
    channel.is_side = true;
    let channel = Arc::new(channel);
    world.enter(&channel);
    world.emit("call", "Newchannel", channel.pairs(""));
    let both = caller.pairs("").into_iter().chain(channel.pairs("Dest"));
    world.emit("call", "DialBegin", both);
    start_voice(world, &channel, orders);
    let mut steps = world.far_end(&number).steps;
    let limit = Duration::from_secs(seconds.max(1));
    let dialed = tokio::select! {
        biased;
        () = caller.hung.cancelled() => None,
        dialed = timeout(limit, person::until_answer(world, &channel, &mut steps)) => Some(dialed),
    };
    let status = match dialed {
        Some(Ok(Dialed::Answered)) => {
            answer(world, &channel);
            dial_end(world, &channel, "ANSWER", Some(caller));
            let talk = person::talk(Arc::clone(world), Arc::clone(&channel), steps);
            world.spawn(talk);
            tokio::select! {
                () = caller.hung.cancelled() => channel.hang_up(16, HungUpBy::Us),
                () = channel.hung.cancelled() => {}
            }
            "ANSWER"
        }
        Some(Ok(Dialed::Failed(refusal))) => {
            let (status, cause) = refusal.as_asterisk_tells(world.major());
            channel.hang_up(cause, HungUpBy::Person);
            // Seen in DIALSTATUS, not in DialEnd: a number that does not exist.
            if cause == 1 { "CHANUNAVAIL" } else { status }
        }
        Some(Err(_)) => {
            channel.hang_up(0, HungUpBy::Timeout);
            "NOANSWER"
        }
        None => {
            channel.hang_up(0, HungUpBy::Us);
            "CANCEL"
        }
    };
    if status != "ANSWER" {
        dial_end(world, &channel, status, Some(caller));
    }
    gone(world, &channel);
    caller.set_variable("DIALSTATUS", status);
    let status_text = status.to_owned();
    let done = What::Transferred {
        number,
        status: status_text,
    };
    world.record.note(&caller.id, done);
    status
}

#[cfg(test)]
mod tests {
    use super::number_of;

    #[test]
    fn numbers_are_found_in_dial_strings() {
        for (dial, number) in [
            ("PJSIP/+79121234567@trunk", "+79121234567"),
            ("Local/89100000001@phones/n", "89100000001"),
            ("SIP/trunk2/79121234567", "79121234567"),
            ("PJSIP/trunk/sip:101@10.0.0.1:5060", "5060"),
            ("PJSIP/nobody@trunk", ""),
        ] {
            assert_eq!(number_of(dial), number, "{dial}");
        }
    }
}
