//! A recording over HTTP: whole, in ranges, again, and what there is instead of one.

use jiff::{Timestamp, ToSpan};

use super::*;
use crate::audio::wav;
use crate::call::history::kind;
use crate::call::{HistoryEvent, Summary, outcome};
use crate::config::Config;
use crate::ident::CallId;
use crate::store::{Admit, Everybody, RecordingsFolder, Then};

/// An answer of bytes.
struct Sound {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Sound {
    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut found = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value)
    }
}

struct Recorded {
    server: Server,
    folder: tempfile::TempDir,
}

impl Recorded {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut asterisk = Config::default().asterisk;
        asterisk.recordings = folder.path().to_owned();
        asterisk.recordings_in_asterisk = "/spool/rec".to_owned();
        let recordings = RecordingsFolder::new(&asterisk);
        let server = start_with(keys(), |state| state.with_recordings(recordings)).await;
        Self { server, folder }
    }

    /// A call that talks, with its recordings begun.
    async fn talks(&self, id: &str, files: &[(&str, u8)]) -> CallId {
        assert_eq!(self.server.order(&order(id)).await.status, 201);
        let id = CallId::parse(id).unwrap();
        let (store, now) = (&self.server.store, Timestamp::now());
        let everybody: Arc<dyn Admit> = Arc::new(Everybody);
        let due = store.take_due(now, 1, &everybody).await.unwrap();
        assert_eq!(due[0].order.id, id);
        store.answered(&id, 1, now).await.unwrap();
        for (n, (file, channels)) in files.iter().enumerate() {
            let data =
                json!({"event": "began", "number": n + 1, "channels": channels, "file": file});
            self.note(&id, data).await;
        }
        id
    }

    async fn note(&self, id: &CallId, data: Value) {
        let event = HistoryEvent {
            at: Timestamp::now(),
            at_ms: Some(1),
            kind: kind::RECORDING,
            data: data.into(),
        };
        let store = &self.server.store;
        store.record(id, 1, vec![event]).await.unwrap();
        // Lines are waited for by nobody; this is, and it comes after them.
        store.ringing(id, 1, Timestamp::now()).await.unwrap();
    }

    async fn end(&self, id: &CallId) {
        let summary = Summary {
            answered: true,
            talk_ms: 1000,
            ..Summary::new(outcome::COMPLETED)
        };
        // A minute ago: no file of it is still being written.
        let at = Timestamp::now() - 1.minute();
        let store = &self.server.store;
        store
            .attempt_ended(id, 1, &summary, Then::Finish, at)
            .await
            .unwrap();
    }

    fn write(&self, name: &str, samples: &[i16]) -> Vec<u8> {
        let bytes = wav::encode(samples);
        std::fs::write(self.folder.path().join(name), &bytes).unwrap();
        bytes
    }

    async fn fetch(&self, method: &str, path: &str, headers: &str) -> Sound {
        let mut stream = TcpStream::connect(self.server.address).await.unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{TOKEN}{headers}\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut got = Vec::new();
        stream.read_to_end(&mut got).await.unwrap();
        let cut = got.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(got[..cut].to_vec()).unwrap();
        Sound {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head,
            body: got[cut + 4..].to_vec(),
        }
    }

    async fn refusal(&self, path: &str) -> String {
        self.server.get(path).await.refusal()
    }
}

#[tokio::test]
async fn it_is_fetched_whole_and_in_ranges() {
    let at = Recorded::start().await;
    let id = at.talks("r1", &[("/spool/rec/r1.wav", 2)]).await;
    let said: Vec<i16> = (0..100_000).map(|n| (n % 500) as i16).collect();
    let caller = at.write("r1-caller.wav", &said);
    at.write("r1-robot.wav", &[-1; 90_000]);
    at.end(&id).await;
    let path = "/api/v1/calls/r1/recording";

    let whole = at.fetch("GET", path, "").await;
    assert_eq!(whole.status, 200, "{}", whole.head);
    assert_eq!(whole.header("content-type"), Some("audio/wav"));
    assert_eq!(whole.header("accept-ranges"), Some("bytes"));
    assert_eq!(whole.body.len(), 44 + 100_000 * 4);
    assert_eq!(whole.body[22], 2, "stereo");
    assert_eq!(whole.body[44 + 4 * 7..][..4], [7, 0, 255, 255]);
    let tag = whole.header("etag").unwrap().to_owned();

    let one = at
        .fetch("GET", &format!("{path}?channel=caller&attempt=1"), "")
        .await;
    assert_eq!((one.status, one.body == caller), (200, true));

    // Pieces of odd sizes are the same file.
    let mut sum = Vec::new();
    while sum.len() < whole.body.len() {
        let range = format!(
            "Range: bytes={}-{}\r\nIf-Range: {tag}\r\n",
            sum.len(),
            sum.len() + 70_000
        );
        let part = at.fetch("GET", path, &range).await;
        assert_eq!(part.status, 206);
        let last = (sum.len() + 70_000).min(whole.body.len() - 1);
        let expect = format!("bytes {}-{last}/{}", sum.len(), whole.body.len());
        assert_eq!(part.header("content-range"), Some(expect.as_str()));
        sum.extend(part.body);
    }
    assert!(sum == whole.body);
    let tail = at.fetch("GET", path, "Range: bytes=-5\r\n").await;
    assert_eq!(
        (tail.status, tail.body == whole.body[whole.body.len() - 5..]),
        (206, true)
    );

    let head = at.fetch("HEAD", path, "").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), Some("400044"));
    let same = at
        .fetch("GET", path, &format!("If-None-Match: {tag}\r\n"))
        .await;
    assert_eq!((same.status, same.body.len()), (304, 0));
    let beyond = at.fetch("GET", path, "Range: bytes=400044-\r\n").await;
    assert_eq!(beyond.status, 416);
    assert_eq!(beyond.header("content-range"), Some("bytes */400044"));
    let told: Value = serde_json::from_slice(&beyond.body).unwrap();
    assert_eq!(told["error"]["code"], "no_such_range");

    // The file is another one now: the part of the old one is not continued.
    at.write("r1-robot.wav", &[5; 80_000]);
    let other = format!("Range: bytes=10-20\r\nIf-Range: {tag}\r\n");
    let other = at.fetch("GET", path, &other).await;
    assert_eq!((other.status, other.body.len()), (200, 400_044));
}

#[tokio::test]
async fn each_message_of_a_call_is_fetched_by_its_number() {
    let at = Recorded::start().await;
    let files = [("/spool/rec/m.wav", 1), ("/spool/rec/m-2.wav", 1)];
    let id = at.talks("m", &files).await;
    let (first, second) = (at.write("m.wav", &[1; 40]), at.write("m-2.wav", &[2; 50]));
    let path = "/api/v1/calls/m/recording";
    assert_eq!(at.refusal(path).await, "409 not_ended -");
    // The dialog ended it; the call goes on.
    at.note(&id, json!({"event": "ended"})).await;
    let last = at.fetch("GET", path, "").await;
    assert_eq!((last.status, last.body == second), (200, true));
    let one = at.fetch("GET", &format!("{path}?number=1"), "").await;
    assert_eq!((one.status, one.body == first), (200, true));
    let apart = format!("{path}?channel=robot");
    assert_eq!(at.refusal(&apart).await, "404 one_channel -");
    let third = format!("{path}?number=3");
    assert_eq!(at.refusal(&third).await, "404 no_recording -");
}

#[tokio::test]
async fn a_message_stands_beside_the_recording_of_the_call() {
    let at = Recorded::start().await;
    let id = at.talks("v", &[("/spool/rec/v.wav", 2)]).await;
    at.write("v-caller.wav", &[3; 60]);
    at.write("v-robot.wav", &[4; 60]);
    let began = json!({
        "event": "began", "what": "message", "number": 2, "channels": 1, "file": "/spool/rec/v-2.wav",
    });
    at.note(&id, began).await;
    let message = at.write("v-2.wav", &[5; 50]);
    let path = "/api/v1/calls/v/recording";
    let one = format!("{path}?what=message");
    assert_eq!(at.refusal(&one).await, "409 not_ended -");
    // It ends by itself: the call's recording goes on.
    let ended =
        json!({"event": "ended", "what": "message", "number": 2, "by": "digits", "length_ms": 6});
    at.note(&id, ended).await;
    for query in ["what=message", "number=2", "what=message&channel=caller"] {
        let got = at.fetch("GET", &format!("{path}?{query}"), "").await;
        assert_eq!((got.status, got.body == message), (200, true), "{query}");
    }
    let robot = format!("{one}&channel=robot");
    assert_eq!(at.refusal(&robot).await, "404 one_channel -");
    assert_eq!(at.refusal(path).await, "409 not_ended -");
    at.end(&id).await;
    let whole = at.fetch("GET", path, "").await;
    assert_eq!((whole.status, whole.body.len()), (200, 44 + 60 * 4));

    let call = at.server.get("/api/v1/calls/v").await.json();
    let told = |n: usize, key: &str| call["recordings"][n][key].clone();
    assert_eq!(
        (told(0, "what"), told(0, "ended_by")),
        (json!("call"), Value::Null)
    );
    assert_eq!(
        (
            told(1, "what"),
            told(1, "number"),
            told(1, "ended_by"),
            told(1, "length_ms")
        ),
        (json!("message"), json!(2), json!("digits"), json!(6))
    );
    assert!(told(1, "ended").is_string());
}

#[tokio::test]
async fn what_is_not_there_is_told_plainly() {
    let at = Recorded::start().await;
    let none = at.talks("none", &[]).await;
    at.end(&none).await;
    for (id, file) in [
        ("gone", "/spool/rec/gone.wav"),
        ("elsewhere", "/old/rec/x.wav"),
        ("evil", "/spool/rec/../../etc/passwd"),
    ] {
        let id = at.talks(id, &[(file, 1)]).await;
        at.end(&id).await;
    }
    let path = |id: &str| format!("/api/v1/calls/{id}/recording");
    assert_eq!(at.refusal(&path("none")).await, "404 no_recording -");
    for id in ["gone", "elsewhere", "evil"] {
        assert_eq!(at.refusal(&path(id)).await, "410 recording_gone -", "{id}");
    }
    assert_eq!(at.refusal(&path("nobody")).await, "404 no_call -");
    let wrong = format!("{}?chanel=robot", path("none"));
    assert_eq!(at.refusal(&wrong).await, "422 unknown_field chanel");
    let strange = at.server.ask("GET", &path("gone"), "", "").await;
    assert_eq!(strange.status, 401);
}
