//! What `Store::open` takes, and what it refuses with which words.

use rusqlite::Connection;

use super::*;

#[tokio::test]
async fn two_servers_on_one_store_are_refused() {
    let place = Place::new();
    let store = place.open();
    let second = Store::open(&place.path).unwrap_err();
    let text = second.to_string();
    assert!(matches!(second, StoreError::Held { .. }), "{text}");
    let number = format!("(process {})", std::process::id());
    assert!(text.contains(&number), "{text}");
    drop(store);
    place.open();
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let place = Place::new();
    std::fs::write(&place.path, "").unwrap();
    let here = place.path.parent().unwrap();
    for path in [
        here.join("missing/govorun.sqlite"),
        place.path.join("under-a-file.sqlite"),
    ] {
        let error = Store::open(&path).unwrap_err();
        assert!(matches!(error, StoreError::Folder { .. }), "{error}");
        assert!(error.to_string().contains("create the folder"), "{error}");
    }
    // A folder in the file's place.
    let error = Store::open(here).unwrap_err();
    assert!(matches!(error, StoreError::Folder { .. }), "{error}");
}

#[test]
fn what_is_not_ours_is_left_alone() {
    let place = Place::new();
    let words = "это не база, а заметки: ".repeat(100);
    std::fs::write(&place.path, &words).unwrap();
    let error = Store::open(&place.path).unwrap_err();
    assert!(matches!(error, StoreError::NotOurs { .. }), "{error}");
    assert_eq!(std::fs::read_to_string(&place.path).unwrap(), words);

    let place = Place::new();
    let other = Connection::open(&place.path).unwrap();
    other.execute_batch("CREATE TABLE calls (x)").unwrap();
    drop(other);
    let error = Store::open(&place.path).unwrap_err();
    assert!(error.to_string().contains("another program"), "{error}");
}

#[test]
fn a_newer_store_is_refused() {
    let place = Place::new();
    drop(place.open());
    let conn = Connection::open(&place.path).unwrap();
    conn.pragma_update(None, "user_version", VERSION + 3)
        .unwrap();
    drop(conn);
    assert_eq!(
        Store::open(&place.path).unwrap_err(),
        StoreError::Newer {
            path: place.path.clone(),
            found: VERSION + 3,
            known: VERSION
        }
    );
}

#[tokio::test]
async fn a_store_of_version_1_is_brought_up_with_all_in_it() {
    let place = Place::new();
    let mut conn = Connection::open(&place.path).unwrap();
    schema::migrations().to_version(&mut conn, 1).unwrap();
    conn.execute_batch(
        "INSERT INTO calls VALUES (1, 'old', 'outgoing', '+79121234567', 'confirm', '{\"name\":\"Иван\"}', NULL, 0, NULL, NULL, 3, \
             NULL, 'hash', 'queued', 'busy', '{}', 1, 1780000000000, 1, 0, 0, NULL, 1779999000000, 1779999000000);
         INSERT INTO attempts VALUES (1, 1, 'govorun-1', 1779999000000, NULL, NULL, 1779999001000, 'busy', 17, 0, NULL, NULL);
         INSERT INTO changes VALUES (5, 1, 'queued', 'busy', '{}', 1, 1779999000000);",
    )
    .unwrap();
    drop(conn);

    let store = place.open();
    let call = store.call(&id("old")).await.unwrap().unwrap();
    assert_eq!(call.params["name"], "Иван");
    assert_eq!(call.attempt_list[0].cause, Some(17));
    let due = store.take_due(at(0), 1, &everybody()).await.unwrap();
    assert_eq!(due[0].attempt, 2);
    let (told, next) = store.changes(5, 9).await.unwrap();
    assert_eq!((told.len(), next), (1, 6));
    let events = store.events(&id("old"), 0, 9).await.unwrap().unwrap();
    assert_eq!(events[0].seq, 1);
}

#[test]
fn the_steps_are_sound() {
    schema::migrations().validate().unwrap();
}

/// What is asked often is answered from an index, however many calls there are.
#[test]
fn the_questions_of_the_dialer_have_their_indexes() {
    let place = Place::new();
    drop(place.open());
    let conn = Connection::open(&place.path).unwrap();
    for (sql, index) in [
        (
            "UPDATE calls SET ready = 1 WHERE status = 'queued' AND ready = 0 AND due <= 5",
            "calls_waiting",
        ),
        (
            "SELECT n FROM calls WHERE status = 'queued' AND expires IS NOT NULL AND expires <= 5 ORDER BY expires LIMIT 3",
            "calls_expires",
        ),
        (
            "SELECT n FROM calls WHERE status = 'dialing' ORDER BY n",
            "calls_dialing",
        ),
        (
            "SELECT n FROM calls WHERE status = 'talking' ORDER BY n",
            "calls_talking",
        ),
        (
            "SELECT count(*) FROM attempts WHERE number = '79121234567' AND started >= 5",
            "attempts_number",
        ),
        (
            "SELECT n FROM calls WHERE status = 'queued' AND number = '79121234567' LIMIT 5",
            "calls_number",
        ),
        (
            "SELECT 1 FROM do_not_call WHERE number = '79121234567'",
            "sqlite_autoindex_do_not_call",
        ),
        (
            "SELECT min(due) FROM calls WHERE status = 'queued' AND ready = 0",
            "calls_waiting",
        ),
    ] {
        let mut statement = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let plan: Vec<String> = statement
            .query_map([], |row| row.get(3))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let plan = plan.join("; ");
        assert!(plan.contains(index), "{sql}\n{plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
    }
}
