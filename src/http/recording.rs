//! `GET /api/v1/calls/{id}/recording`: a call's recording as a WAV, whole or in ranges.

mod sound;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream;
use jiff::Timestamp;
use serde_json::json;

use super::orders::path_id;
use super::range::{Wanted, wanted};
use super::refusal::Refusal;
use super::routes::Route;
use super::schema::{usual, whole, word};
use super::{HttpState, query};
use crate::call::recording::What;
use crate::store::{RecordingFound, RecordingRecord, RecordingWanted, RecordingsFolder};
use sound::{Channel, NoSound, Sound};

/// A piece that is read and sent at once.
const PIECE: usize = 64 * 1024;
/// Asterisk closes a file within this of the call's end.
const CLOSES: Duration = Duration::from_secs(3);
/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_millis(100);
/// A file that is still not closed after so many seconds will not be: Asterisk died. What is there is served.
const GIVEN_UP_S: i64 = 15;

pub(super) fn routes() -> Vec<Route> {
    let from_one = || whole(1, i64::from(u32::MAX));
    let sound = || json!({ "type": "string", "format": "binary" });
    vec![
        Route::of(
            "GET",
            "/api/v1/calls/{id}/recording",
            "call_recording",
            get(fetch),
        )
        .title(
            "Запись разговора (WAV), целиком или частями (Range)",
            "A call's recording (WAV), whole or in ranges",
        )
        .asks(
            "attempt",
            from_one(),
            "какой попытки; иначе последняя",
            "of which attempt; else the last",
        )
        .asks(
            "number",
            from_one(),
            "которая в попытке, если их несколько; иначе последняя запись разговора, а нет её — последнее сообщение",
            "which of the attempt's, if there are several; else the last of the call, or the last message",
        )
        .asks(
            "what",
            word([What::Call, What::Message].map(What::as_str)),
            "call — запись разговора; message — сообщение человека, записанное диалогом",
            "call: the recording of the call; message: what the person was asked to say",
        )
        .asks(
            "channel",
            usual(word(Channel::WORDS.map(|(word, _)| word)), "both"),
            "both — стерео, человек слева; caller — человек; robot — робот; mix — всё вместе",
            "both: stereo, the person left; caller; robot; mix: one channel",
        )
        .answers_as(200, "вся запись", "all of it", "audio/wav", sound())
        .answers_as(206, "часть", "a part", "audio/wav", sound())
        .answers_as(
            304,
            "та же, что у вас",
            "the one that you have",
            "audio/wav",
            sound(),
        )
        .refuses(&[404, 409, 410, 416]),
    ]
}

/// What the query asks for.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    wanted: RecordingWanted,
    channel: Channel,
}

fn asked(raw: Option<&str>) -> Result<Asked, Refusal> {
    let mut asked = Asked {
        wanted: RecordingWanted::default(),
        channel: Channel::Both,
    };
    for (name, value) in query::parse(raw.unwrap_or_default())? {
        let number = || match value.parse::<u32>() {
            Ok(number) if number > 0 => Ok(Some(number)),
            _ => Err(Refusal::field(
                "out_of_range",
                &name,
                "нужно целое число от 1",
                "a whole number from 1 is wanted",
            )),
        };
        match name.as_str() {
            "attempt" => asked.wanted.attempt = number()?,
            "number" => asked.wanted.number = number()?,
            "what" => {
                asked.wanted.what = Some(What::parse(&value).ok_or_else(|| {
                    Refusal::field(
                        "out_of_range",
                        "what",
                        "есть call (разговор) и message (сообщение)",
                        "there are call and message",
                    )
                })?);
            }
            "channel" => {
                let known = Channel::WORDS.iter().find(|(word, _)| *word == value);
                asked.channel = known.map(|(_, channel)| *channel).ok_or_else(|| {
                    Refusal::field(
                        "out_of_range",
                        "channel",
                        "есть both (стерео: слева человек), caller (человек), robot, mix (всё вместе)",
                        "there are both (stereo, the person left), caller, robot, mix",
                    )
                })?;
            }
            // The table of requests lets no other name through.
            _ => {}
        }
    }
    Ok(asked)
}

/// `GET` and `HEAD /api/v1/calls/{id}/recording?attempt=&number=&channel=`
pub(super) async fn fetch(
    State(state): State<HttpState>,
    path: Result<Path<String>, PathRejection>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let id = path_id(path)?;
    let asked = asked(raw.as_deref())?;
    let found = state
        .store()
        .recording(&id, asked.wanted)
        .await
        .map_err(|error| Refusal::store(&error))?;
    let recording = match found {
        RecordingFound::NoCall => return Err(Refusal::no_call()),
        RecordingFound::None => return Err(none()),
        RecordingFound::Found(recording) => recording,
    };
    let Some(ended) = recording.ended else {
        return Err(goes_on());
    };
    if let Some(deleted) = recording.deleted {
        return Err(gone(&format!(" {deleted:.0}")));
    }
    let folder = state.recordings().clone();
    let until = tokio::time::Instant::now() + CLOSES;
    let sound = loop {
        let sound = open(&folder, &recording, asked.channel).await?;
        if sound.whole || state.now().as_second() - ended.as_second() > GIVEN_UP_S {
            break sound;
        }
        if tokio::time::Instant::now() >= until {
            return Err(goes_on());
        }
        tokio::time::sleep(LOOK).await;
    };
    answer(sound, &recording, ended, &headers)
}

async fn open(
    folder: &RecordingsFolder,
    recording: &RecordingRecord,
    channel: Channel,
) -> Result<Sound, Refusal> {
    let (folder, file) = (folder.clone(), recording.file.clone());
    let (channels, what) = (recording.channels, recording.what);
    let opened = tokio::task::spawn_blocking(move || match (what, channel) {
        // The person alone, whatever is asked for but the robot.
        (What::Message, Channel::Robot) => Err(NoSound::NoRobot),
        (What::Message, _) => Sound::open(&folder, &file, channels, Channel::Both),
        (What::Call, channel) => Sound::open(&folder, &file, channels, channel),
    })
    .await;
    match opened.map_err(|error| Refusal::failed(&error))? {
        Ok(sound) => Ok(sound),
        Err(NoSound::Gone) => {
            tracing::warn!(file = %recording.file, "a recording isn't in asterisk.recordings");
            Err(gone(""))
        }
        Err(NoSound::Mixed) => Err(Refusal::new(
            StatusCode::NOT_FOUND,
            "one_channel",
            "человек и робот записаны вместе, по отдельности их нет; с asterisk.recording_channels: 2 будут",
            "the person and the robot were recorded in one channel; asterisk.recording_channels: 2 keeps them apart",
        )),
        Err(NoSound::NoRobot) => Err(Refusal::new(
            StatusCode::NOT_FOUND,
            "one_channel",
            "в записанном сообщении только голос человека",
            "a recorded message has the person's voice only",
        )),
        Err(NoSound::Broken) => Err(Refusal::failed(&format!(
            "the recording {} is no WAV of 16-bit PCM",
            recording.file
        ))),
        Err(NoSound::Io(error)) => Err(Refusal::failed(&format!("{}: {error}", recording.file))),
    }
}

fn none() -> Refusal {
    Refusal::new(
        StatusCode::NOT_FOUND,
        "no_recording",
        "записи нет: диалог не вызывал записать() и в его настройках нет recording: true, или это другая попытка",
        "there is no recording: the dialog called no record() and its settings have no recording: true, or it was another attempt",
    )
}

fn goes_on() -> Refusal {
    Refusal::new(
        StatusCode::CONFLICT,
        "not_ended",
        "запись ещё идёт; повторите запрос после конца звонка",
        "the recording goes on; ask again after the call's end",
    )
}

fn gone(when: &str) -> Refusal {
    Refusal::new(
        StatusCode::GONE,
        "recording_gone",
        format!(
            "запись была, но её больше нет: удалена{when} по history.keep_recordings или recordings_bytes, или asterisk.recordings — не та папка"
        ),
        format!(
            "there was a recording, but it is gone: deleted{when} by history.keep_recordings or recordings_bytes, or asterisk.recordings is another folder"
        ),
    )
}

fn answer(
    sound: Sound,
    recording: &RecordingRecord,
    ended: Timestamp,
    headers: &HeaderMap,
) -> Result<Response, Refusal> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let tag = format!("\"{}\"", sound.tag);
    let is_this = |tags: &str| tags == "*" || tags.split(',').any(|one| one.trim() == tag);
    let name = recording.file.rsplit('/').next().unwrap_or_default();
    let mut common = HeaderMap::new();
    let mut put = |key, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            common.insert(key, value);
        }
    };
    put(header::ETAG, &tag);
    put(header::ACCEPT_RANGES, "bytes");
    // A person's voice: kept by nobody in between.
    put(header::CACHE_CONTROL, "private, no-cache");
    put(header::LAST_MODIFIED, &http_date(ended));
    if text(header::IF_NONE_MATCH).is_some_and(is_this) {
        return Ok((StatusCode::NOT_MODIFIED, common).into_response());
    }
    put(header::CONTENT_TYPE, "audio/wav");
    put(
        header::CONTENT_DISPOSITION,
        &format!("inline; filename=\"{name}\""),
    );
    // Of another file than the one that the client has a part of: the whole.
    let same = text(header::IF_RANGE).is_none_or(|one| one.trim() == tag);
    let length = sound.length;
    let (status, part) = match wanted(text(header::RANGE).filter(|_| same), length) {
        Wanted::Whole => (StatusCode::OK, 0..length),
        Wanted::Part(part) => {
            let (first, last) = (part.start, part.end - 1);
            put(
                header::CONTENT_RANGE,
                &format!("bytes {first}-{last}/{length}"),
            );
            (StatusCode::PARTIAL_CONTENT, part)
        }
        Wanted::Nothing => {
            let refusal = Refusal::new(
                StatusCode::RANGE_NOT_SATISFIABLE,
                "no_such_range",
                format!("в записи {length} байт, этой части в ней нет"),
                format!("the recording has {length} bytes, and not that part"),
            );
            let mut response = refusal.into_response();
            let range = HeaderValue::from_str(&format!("bytes */{length}"));
            if let Ok(range) = range {
                response.headers_mut().insert(header::CONTENT_RANGE, range);
            }
            return Ok(response);
        }
    };
    put(header::CONTENT_LENGTH, &(part.end - part.start).to_string());
    Ok((status, common, body(sound, part)).into_response())
}

/// Read as it is sent: never more than a piece of it is in memory.
fn body(sound: Sound, part: Range<u64>) -> Body {
    let sound = Arc::new(sound);
    Body::from_stream(stream::try_unfold(part, move |part| {
        let sound = Arc::clone(&sound);
        async move {
            if part.is_empty() {
                return Ok::<_, std::io::Error>(None);
            }
            let most = usize::try_from(part.end - part.start).map_or(PIECE, |left| left.min(PIECE));
            let at = part.start;
            let piece = tokio::task::spawn_blocking(move || sound.read(at, most))
                .await
                .map_err(std::io::Error::other)??;
            if piece.is_empty() {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let next = at + piece.len() as u64..part.end;
            Ok(Some((piece, next)))
        }
    }))
}

/// `Sun, 29 Nov 2026 00:10:00 GMT`
fn http_date(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_names_what_it_knows() {
        let all = asked(Some("attempt=2&number=1&what=message&channel=caller")).unwrap();
        let expect = Asked {
            wanted: RecordingWanted {
                attempt: Some(2),
                number: Some(1),
                what: Some(What::Message),
            },
            channel: Channel::Caller,
        };
        assert_eq!(all, expect);
        for (query, code, field) in [
            ("attempt=0", "out_of_range", "attempt"),
            ("number=x", "out_of_range", "number"),
            ("channel=left", "out_of_range", "channel"),
            ("what=talk", "out_of_range", "what"),
        ] {
            let refusal = asked(Some(query)).unwrap_err();
            assert_eq!(
                (refusal.code, refusal.field.as_deref()),
                (code, Some(field))
            );
        }
        let date = http_date("2026-11-29T00:10:00.5Z".parse().unwrap());
        assert_eq!(date, "Sun, 29 Nov 2026 00:10:00 GMT");
    }
}
