//! The server against scripted peers over loopback.

use super::*;
use crate::wire::agi::{ControlStream, VariableName};
use tokio::sync::mpsc;
use tokio::time::timeout;

const ENVIRONMENT: &str = "agi_network: yes\nagi_network_script: out/00ff?x=1\nagi_channel: Local/1@a-1;1\nagi_uniqueid: govorun-1\n\n";

struct Server {
    address: SocketAddr,
    stats: Arc<AgiStats>,
    stop: CancellationToken,
    served: mpsc::Receiver<AgiConnection>,
    task: tokio::task::JoinHandle<()>,
}

fn server(connections: usize, environment_ms: u64) -> Server {
    let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let (stats, stop) = (Arc::new(AgiStats::default()), CancellationToken::new());
    let (sender, served) = mpsc::channel(1000);
    let limits = AgiLimits {
        connections,
        environment: Duration::from_millis(environment_ms),
    };
    let handler = move |connection| {
        let sender = sender.clone();
        async move {
            let _ = sender.send(connection).await;
        }
    };
    let task = tokio::spawn(serve(
        listener,
        limits,
        Arc::clone(&stats),
        stop.clone(),
        handler,
    ));
    Server {
        address,
        stats,
        stop,
        served,
        task,
    }
}

impl Server {
    async fn peer(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn call(&mut self) -> (TcpStream, AgiConnection) {
        let mut peer = self.peer().await;
        peer.write_all(ENVIRONMENT.as_bytes()).await.unwrap();
        (peer, self.next().await)
    }

    async fn next(&mut self) -> AgiConnection {
        timeout(Duration::from_secs(5), self.served.recv())
            .await
            .unwrap()
            .unwrap()
    }

    /// Waits until the counts are so.
    async fn counts(&self, want: impl Fn(&AgiCounts) -> bool) -> AgiCounts {
        let wait = async {
            while !want(&self.stats.counts()) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let _ = timeout(Duration::from_secs(5), wait).await;
        self.stats.counts()
    }
}

async fn said(peer: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\n") {
        assert!(peer.read_buf(&mut bytes).await.unwrap() > 0, "closed");
    }
    String::from_utf8(bytes).unwrap()
}

async fn is_closed(peer: &mut TcpStream) -> bool {
    let mut bytes = [0; 16];
    timeout(Duration::from_secs(5), peer.read(&mut bytes))
        .await
        .unwrap()
        .is_ok_and(|n| n == 0)
}

#[tokio::test]
async fn a_call_of_three_commands() {
    let mut server = server(10, 5000);
    let mut peer = server.peer().await;
    // Cut in odd places, the first command's answer in two.
    for part in [&ENVIRONMENT[..20], &ENVIRONMENT[20..21], &ENVIRONMENT[21..]] {
        peer.write_all(part.as_bytes()).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut call = server.next().await;
    assert_eq!(call.environment().unique_id(), "govorun-1");
    assert_eq!(call.environment().script().path, ["out", "00ff"]);
    let asterisk = tokio::spawn(async move {
        let mut heard = Vec::new();
        for answer in [
            "200 result=0\n",
            "200 res|ult=1 (да)\n",
            "520-Bad\nUse\n|520 End\n",
        ] {
            heard.push(said(&mut peer).await);
            for part in answer.split('|') {
                peer.write_all(part.as_bytes()).await.unwrap();
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
        heard
    });
    let name = VariableName::new("X").unwrap();
    assert_eq!(
        call.execute(Command::answer()).await.unwrap(),
        Answer::done(0)
    );
    let value = call
        .execute(Command::variable(&name).unwrap())
        .await
        .unwrap();
    assert_eq!(value.value(), Some("да"));
    let usage = call.execute(Command::noop()).await.unwrap();
    assert_eq!(usage, Answer::Usage("Bad\nUse".into()));
    assert_eq!(
        asterisk.await.unwrap(),
        ["ANSWER\n", "GET VARIABLE \"X\"\n", "NOOP\n"]
    );
    // Asterisk has closed.
    assert_eq!(call.until_gone().await, Gone::Closed);
    assert!(matches!(
        call.execute(Command::noop()).await,
        Err(AgiError::Closed)
    ));
}

#[tokio::test]
async fn hang_up_is_noticed_in_and_between_commands() {
    let mut server = server(10, 5000);
    let (mut peer, mut call) = server.call().await;
    let mut signal = call.gone_signal();
    let play = Command::control_stream_file(&ControlStream {
        file: "x",
        ..Default::default()
    })
    .unwrap();
    let answered = tokio::spawn(async move {
        let answer = call.execute(play).await.unwrap();
        (answer, call)
    });
    said(&mut peer).await;
    peer.write_all(b"HANGUP\n").await.unwrap();
    assert_eq!(signal.wait().await, Gone::HungUp);
    assert_eq!(signal.now(), Some(Gone::HungUp));
    peer.write_all(b"200 result=-1 endpos=480\n").await.unwrap();
    let (answer, mut call) = answered.await.unwrap();
    assert_eq!(answer.endpos(), Some(480));
    // A dead channel still takes some commands.
    let (dead, ()) = tokio::join!(call.execute(Command::answer()), async {
        said(&mut peer).await;
        peer.write_all(b"511 Command Not Permitted on a dead channel\n")
            .await
            .unwrap();
    });
    assert_eq!(dead.unwrap(), Answer::Dead);

    let (mut peer, mut call) = server.call().await;
    peer.write_all(b"HANGUP\n").await.unwrap();
    assert_eq!(call.until_gone().await, Gone::HungUp);

    let (peer, call) = server.call().await;
    let mut signal = call.gone_signal();
    drop(call);
    assert_eq!(signal.wait().await, Gone::Closed);
    drop(peer);
}

#[tokio::test]
async fn a_dropped_command_keeps_its_own_answer() {
    let mut server = server(10, 5000);
    let (mut peer, mut call) = server.call().await;
    {
        let command = Command::wait_for_digit(-1);
        let waiting = call.execute(command);
        assert!(timeout(Duration::from_millis(20), waiting).await.is_err());
    }
    assert_eq!(said(&mut peer).await, "WAIT FOR DIGIT -1\n");
    // The late answer and the next one.
    let (answer, ()) = tokio::join!(call.execute(Command::noop()), async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        peer.write_all(b"200 result=49\n").await.unwrap();
        assert_eq!(said(&mut peer).await, "NOOP\n");
        peer.write_all(b"200 result=0\n").await.unwrap();
    });
    assert_eq!(answer.unwrap(), Answer::done(0));
}

#[tokio::test]
async fn an_answer_to_nothing_ends_it() {
    let mut server = server(10, 5000);
    for line in ["200 result=0\n", "What?\n"] {
        let (mut peer, mut call) = server.call().await;
        peer.write_all(line.as_bytes()).await.unwrap();
        assert_eq!(call.until_gone().await, Gone::Broken, "{line}");
        assert!(call.execute(Command::noop()).await.is_err());
    }
}

#[tokio::test]
async fn strangers_are_dropped_and_counted() {
    let mut server = server(200, 60);
    // A port check, a hundred times.
    for _ in 0..100 {
        drop(server.peer().await);
    }
    let counts = server.counts(|c| c.closed == 100).await;
    assert_eq!(
        counts,
        AgiCounts {
            closed: 100,
            ..Default::default()
        }
    );

    // Silent from the start, and silent in the middle.
    let mut silent = server.peer().await;
    let mut half = server.peer().await;
    half.write_all(&ENVIRONMENT.as_bytes()[..40]).await.unwrap();
    assert!(is_closed(&mut silent).await);
    assert!(is_closed(&mut half).await);
    assert_eq!(server.counts(|c| c.silent == 2).await.silent, 2);

    // Another protocol; a flood over each cap.
    for bytes in [
        b"GET / HTTP/1.1\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\n".to_vec(),
        "agi_x: y\n".repeat(10_000).into_bytes(),
        vec![b'a'; 100_000],
    ] {
        let mut peer = server.peer().await;
        let _ = peer.write_all(&bytes).await;
        let mut sink = [0; 16];
        // Closed, or reset because it was still sending.
        assert!(!matches!(
            timeout(Duration::from_secs(5), peer.read(&mut sink))
                .await
                .unwrap(),
            Ok(1..)
        ));
    }
    assert_eq!(server.counts(|c| c.malformed == 4).await.malformed, 4);

    // And calls still come through.
    let (mut peer, mut call) = server.call().await;
    let (answer, ()) = tokio::join!(call.execute(Command::noop()), async {
        said(&mut peer).await;
        peer.write_all(b"200 result=0\n").await.unwrap();
    });
    assert!(answer.is_ok());
    assert_eq!(server.stats.counts().served, 1);
}

#[tokio::test]
async fn more_than_the_limit_are_refused_until_one_ends() {
    let mut server = server(2, 5000);
    let (_first, call) = server.call().await;
    let (_second, _call) = server.call().await;
    let mut third = server.peer().await;
    assert!(is_closed(&mut third).await);
    assert_eq!(server.counts(|c| c.over_limit == 1).await.over_limit, 1);
    drop(call);
    let (_fourth, call) = server.call().await;
    assert_eq!(call.environment().channel(), "Local/1@a-1;1");
}

#[tokio::test]
async fn it_stops_at_once_and_its_port_can_be_taken_again() {
    let mut server = server(10, 5000);
    let (_peer, call) = server.call().await;
    let mut greeting = server.peer().await;
    greeting.write_all(b"agi_network: yes\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(10)).await;
    server.stop.cancel();
    timeout(Duration::from_secs(1), server.task)
        .await
        .unwrap()
        .unwrap();
    assert!(is_closed(&mut greeting).await);
    assert_eq!(call.gone(), None, "a living call is its session's to end");
    listen(server.address).unwrap();
}
