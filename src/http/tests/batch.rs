//! Batches by lines, and batches that are broken on the way.

use super::*;

async fn post(server: &Server, query: &str, body: &str) -> Answer {
    let headers = format!("{TOKEN}Content-Type: application/x-ndjson\r\n");
    let path = format!("/api/v1/calls/batch{query}");
    server.ask("POST", &path, &headers, body).await
}

/// `line id status code` of each line.
fn lines(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(
        answer.head.to_lowercase().contains("application/x-ndjson"),
        "{answer:?}"
    );
    let told = answer.body.lines().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        let code = line["error"]["code"].as_str().unwrap_or("-");
        let id = line["id"].as_str().unwrap_or("-");
        format!("{} {id} {} {code}", line["line"], line["status"])
    });
    told.collect()
}

#[tokio::test]
async fn each_order_is_for_itself_where_lines_are_wanted() {
    let server = start().await;
    server.order(&order("0")).await;
    let mut other = order("0");
    other["attempts"] = json!(9);
    let body = format!(
        "{}\n\n{}\n{{\"phone\": \"x\"}}\n{{\"phone\n{other}\n{{\"phone\": \"112\", \"dialog\": \"none\"}}\n{}",
        order("0"),
        order("1"),
        order("2")
    );
    let answer = post(&server, "?report=lines", &body).await;
    let expect = [
        "1 0 200 -",
        "3 1 201 -",
        "4 - 422 bad_phone",
        "5 - 400 bad_json",
        "6 0 409 other_order",
        "7 - 422 no_dialog",
        "8 2 201 -",
    ];
    assert_eq!(lines(&answer), expect);
    assert_eq!(server.changes().await, 3);

    // An array that breaks off: what came before is kept and told, the rest isn't known.
    let broken = format!("[{}, {}, {{\"phone\": ", order("3"), order("4"));
    let answer = post(&server, "?report=lines", &broken).await;
    assert_eq!(
        lines(&answer),
        ["1 3 201 -", "2 4 201 -", "3 - 400 bad_json"]
    );
    assert_eq!(server.changes().await, 5);
    for (query, body, expect) in [
        ("?report=lines", "", "400 empty -"),
        ("?report=lines", "[", "400 bad_json -"),
        ("?report=line", "[]", "422 wrong_value report"),
        ("?reports=lines", "[]", "422 unknown_field reports"),
        ("", "[{\"phone\": \"112\"", "400 bad_json -"),
    ] {
        assert_eq!(
            post(&server, query, body).await.refusal(),
            expect,
            "{query} {body}"
        );
    }
}

#[tokio::test]
async fn ten_thousand_lines_are_told_and_the_next_one_refused() {
    let server = start().await;
    let mut body: String = (0..10_001)
        .map(|i| format!("{}\n", order(&i.to_string())))
        .collect();
    let all = post(&server, "", &body).await;
    assert_eq!(all.refusal(), "413 too_many -");
    assert_eq!(server.changes().await, 0);
    let told = lines(&post(&server, "?report=lines", &body).await);
    assert_eq!(told.len(), 10_001);
    assert!(told[..10_000].iter().all(|line| line.ends_with(" 201 -")));
    assert!(told[10_000].ends_with("- 413 too_many"), "{}", told[10_000]);
    body.truncate(body.trim_end().rfind('\n').unwrap());
    let again = post(&server, "", &body).await.json();
    assert_eq!([&again["accepted"], &again["repeated"]], [0, 10_000]);
}

/// A body that comes in drops is read as it comes, and one that stops half-way takes nothing.
#[tokio::test]
async fn a_batch_that_is_cut_off_takes_nothing() {
    let server = start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let part = format!("[{},", order("1"));
    let head = format!(
        "POST /api/v1/calls/batch HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{TOKEN}Content-Length: 5000\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    for drop in part.as_bytes().chunks(7) {
        stream.write_all(drop).await.unwrap();
        stream.flush().await.unwrap();
    }
    drop(stream);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(server.changes().await, 0);
}
