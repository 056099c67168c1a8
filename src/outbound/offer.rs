//! What one look into the queue may start. Pure: the store asks it, order by order, within the transaction that takes them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::board::Held;
use super::trunks::{Choice, Trunks};
use crate::store::{Seat, Seats};

/// The room of one dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Vacancy {
    /// Starts.
    pub(super) room: usize,
    /// What bounds them.
    pub(super) why: Held,
    /// When it was served last.
    pub(super) turn: u64,
    /// Its calls are listened to.
    pub(super) heard: bool,
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    pub(super) trunks: Arc<Trunks>,
    /// Of each trunk: by calls at once, by rate, by back-off.
    pub(super) rooms: Vec<[usize; 3]>,
    pub(super) dialogs: HashMap<String, Vacancy>,
    /// Starts in all.
    pub(super) left: usize,
    /// Starts of calls that are listened to.
    pub(super) heard_left: usize,
    /// Starts so far: whose turn it is, and the dice.
    pub(super) turn: u64,
    pub(super) held: BTreeMap<Held, u64>,
}

impl Offer {
    /// Lanes that had a due order and no room, by reason.
    pub(super) fn held(&self) -> impl Iterator<Item = (Held, u64)> {
        self.held.iter().map(|(why, times)| (*why, *times))
    }

    fn dialog_is_closed(&self, dialog: &str) -> Option<Held> {
        // A dialog that is gone since: its orders end at once.
        let vacancy = self.dialogs.get(dialog)?;
        match vacancy {
            Vacancy { room: 0, why, .. } => Some(*why),
            Vacancy { heard: true, .. } if self.heard_left == 0 => Some(Held::Recognizers),
            _ => None,
        }
    }

    fn trunk(&self, route: &str, avoid: Option<&str>) -> Choice {
        // Spread evenly, so that shares hold from the first few calls on.
        let dice = self.turn.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let fares = |n: usize| Self::fares(&self.rooms[n]);
        self.trunks.choose(route, fares, avoid, dice)
    }
}

impl Seats for Offer {
    fn left(&self) -> usize {
        self.left
    }

    fn dialog_has_room(&mut self, dialog: &str) -> bool {
        match self.dialog_is_closed(dialog) {
            Some(why) => {
                *self.held.entry(why).or_default() += 1;
                false
            }
            None => true,
        }
    }

    fn route_has_room(&mut self, route: &str) -> bool {
        match self.trunk(route, None) {
            Choice::Wait(full) => {
                *self.held.entry(full.into()).or_default() += 1;
                false
            }
            Choice::Trunk(_) | Choice::Nobody => true,
        }
    }

    fn turn(&self, dialog: &str) -> u64 {
        self.dialogs.get(dialog).map_or(0, |vacancy| vacancy.turn)
    }

    fn seat(&mut self, dialog: &str, route: &str, avoid: Option<&str>) -> Seat {
        let seat = match self.trunk(route, avoid) {
            Choice::Trunk(n) => {
                for room in &mut self.rooms[n] {
                    *room = room.saturating_sub(usize::from(*room != usize::MAX));
                }
                Seat::Trunk(self.trunks.all()[n].name.clone())
            }
            Choice::Nobody => Seat::NoTrunk,
            Choice::Wait(_) => return Seat::Taken,
        };
        self.left = self.left.saturating_sub(1);
        self.turn += 1;
        if let Some(vacancy) = self.dialogs.get_mut(dialog) {
            if vacancy.room != usize::MAX {
                vacancy.room = vacancy.room.saturating_sub(1);
            }
            if vacancy.heard && self.heard_left != usize::MAX {
                self.heard_left = self.heard_left.saturating_sub(1);
            }
            vacancy.turn = self.turn;
        }
        seat
    }
}
