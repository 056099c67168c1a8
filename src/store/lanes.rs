//! Which due order is next. Orders stand in lanes: those of one dialog whose numbers have the same route. A look into the
//! queue reads each lane's head by one step in the index `calls_lanes`, leaves out the lanes that have no room, and then
//! takes heads in turn: the highest priority; within it the dialog that was served longest ago; within that the oldest.
//!
//! So what it costs depends on how many lanes there are and how many orders are taken, never on how many wait.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::error::Result;
use super::row::ms;

/// What there is room for; asked order by order while a look goes on.
pub trait Seats: Clone + Send + 'static {
    /// So many more may begin in all.
    fn left(&self) -> usize;
    /// Whether one more of that dialog may. No: its lanes are left out of this look.
    fn dialog_has_room(&mut self, dialog: &str) -> bool;
    /// Whether one more by that route may. No: as above.
    fn route_has_room(&mut self, route: &str) -> bool;
    /// The lower, the longer ago the dialog was served.
    fn turn(&self, dialog: &str) -> u64;
    /// Takes room for an order, and says by which trunk it goes. `avoid`: the trunk that has just had no room for it.
    fn seat(&mut self, dialog: &str, route: &str, avoid: Option<&str>) -> Seat;
}

/// The room that an order was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seat {
    /// By this trunk.
    Trunk(String),
    /// No trunk serves the number: it begins, to end at once.
    NoTrunk,
    /// There is none after all.
    Taken,
}

/// Room for so many of anything, by a trunk without a name: what a store's own tests dial by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnySeats(pub usize);

impl Seats for AnySeats {
    fn left(&self) -> usize {
        self.0
    }

    fn dialog_has_room(&mut self, _: &str) -> bool {
        true
    }

    fn route_has_room(&mut self, _: &str) -> bool {
        true
    }

    fn turn(&self, _: &str) -> u64 {
        0
    }

    fn seat(&mut self, _: &str, _: &str, _: Option<&str>) -> Seat {
        self.0 = self.0.saturating_sub(1);
        Seat::Trunk("trunk".to_owned())
    }
}

/// A lane by its head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lane {
    pub(super) dialog: String,
    pub(super) route: String,
    priority: i64,
    /// The order at its head.
    pub(super) n: i64,
}

const READY: &str = "status = 'queued' AND ready = 1 AND (expires IS NULL OR expires > ?1)";

/// The lanes of one look.
#[derive(Debug)]
pub(super) struct Lanes {
    lanes: Vec<Lane>,
    now: Timestamp,
}

impl Lanes {
    /// Reads the heads of all lanes that have room.
    pub(super) fn open(conn: &Connection, now: Timestamp, seats: &mut impl Seats) -> Result<Self> {
        let mut lanes: Vec<Lane> = Vec::new();
        if seats.left() == 0 {
            return Ok(Self { lanes, now });
        }
        let mut next_dialog = conn.prepare_cached(&dialog_after())?;
        let mut next_route = conn.prepare_cached(&route_after())?;
        let mut dialog = String::new();
        loop {
            // The next dialog's first lane; then its other ones, if it has room.
            let first = next_dialog
                .query_row(params![ms(now), dialog], lane_of)
                .optional()?;
            let Some(mut lane) = first else { break };
            dialog.clone_from(&lane.dialog);
            if !seats.dialog_has_room(&dialog) {
                continue;
            }
            loop {
                let route = lane.route.clone();
                if seats.route_has_room(&route) {
                    lanes.push(lane);
                }
                let more = next_route
                    .query_row(params![ms(now), dialog, route], lane_of)
                    .optional()?;
                let Some(more) = more else { break };
                lane = more;
            }
        }
        Ok(Self { lanes, now })
    }

    /// The lane whose head is next; `None`: no more, or no more room.
    pub(super) fn next(&mut self, seats: &mut impl Seats) -> Option<Lane> {
        while seats.left() > 0 {
            let key = |lane: &Lane| {
                let turn = seats.turn(&lane.dialog);
                (std::cmp::Reverse(lane.priority), turn, lane.n)
            };
            let at = (0..self.lanes.len()).min_by_key(|at| key(&self.lanes[*at]))?;
            let lane = self.lanes[at].clone();
            if seats.dialog_has_room(&lane.dialog) && seats.route_has_room(&lane.route) {
                return Some(lane);
            }
            self.lanes.swap_remove(at);
        }
        None
    }

    /// The head was taken, or put off: the lane goes on with the next.
    pub(super) fn advance(&mut self, conn: &Connection, lane: &Lane) -> Result<()> {
        let same = |one: &Lane| one.dialog == lane.dialog && one.route == lane.route;
        let Some(at) = self.lanes.iter().position(same) else {
            return Ok(());
        };
        let head = conn
            .prepare_cached(&head_of())?
            .query_row(params![ms(self.now), lane.dialog, lane.route], lane_of)
            .optional()?;
        match head {
            // Nothing became of the head: not to be looked at again and again.
            Some(head) if head.n != lane.n => self.lanes[at] = head,
            _ => {
                self.lanes.swap_remove(at);
            }
        }
        Ok(())
    }
}

fn lane_of(row: &rusqlite::Row<'_>) -> rusqlite::Result<Lane> {
    Ok(Lane {
        dialog: row.get(0)?,
        route: row.get(1)?,
        priority: row.get(2)?,
        n: row.get(3)?,
    })
}

/// A lane's head, whose dialog comes after `?2`.
pub(super) fn dialog_after() -> String {
    select("dialog > ?2")
}

/// A lane's head, whose dialog is `?2` and whose route comes after `?3`.
pub(super) fn route_after() -> String {
    select("dialog = ?2 AND route > ?3")
}

/// The head of one lane.
pub(super) fn head_of() -> String {
    select("dialog = ?2 AND route = ?3")
}

fn select(lane: &str) -> String {
    format!(
        "SELECT dialog, route, priority, n FROM calls INDEXED BY calls_lanes WHERE {READY} AND {lane} \
         ORDER BY dialog, route, priority DESC, n LIMIT 1"
    )
}
