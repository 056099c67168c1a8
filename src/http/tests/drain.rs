//! The drain by HTTP.

use super::*;
use crate::outbound::{Dialing, Lines, Trunk};

#[tokio::test]
async fn a_drain_is_begun_shown_and_ended() {
    let dialing = Dialing::new(vec![Trunk::plain("trunk")], 5);
    let lines = Lines::new(5);
    let going = lines.try_take().unwrap();
    let (theirs, shared) = (dialing.clone(), lines.clone());
    let server = start_with(keys(), move |state| state.with_dialing(theirs, shared)).await;
    let path = "/api/v1/drain";
    let told = |answer: Answer| {
        assert_eq!(answer.status, 200, "{answer:?}");
        let told = answer.json();
        format!("{} {} {}", told["draining"], told["calls"], told["drained"])
    };
    assert_eq!(told(server.get(path).await), "false 1 false");
    for _ in 0..2 {
        let begun = server.ask("POST", path, TOKEN, "").await;
        assert_eq!(told(begun), "true 1 false");
        assert!(dialing.drains());
    }
    drop(going);
    assert_eq!(told(server.get(path).await), "true 0 true");
    let ended = server.ask("DELETE", path, TOKEN, "").await;
    assert_eq!(told(ended), "false 0 false");
    assert!(!dialing.drains());
    assert_eq!(server.ask("POST", path, "", "").await.status, 401);
    assert_eq!(server.ask("PUT", path, TOKEN, "").await.status, 405);
}
