//! Many orders in one transaction.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::OptionalExtension;

use super::calls;
use super::error::Result;
use super::record::{Added, Taken};
use super::writer::Tx;
use crate::call::Order;
use crate::ident::CallId;

/// Takes orders, in their order. `all_or_none`: where one id has another order, nothing is kept, and the answer says which.
pub(super) fn add(
    tx: &mut Tx<'_>,
    orders: &[(Order, String)],
    routes: &[String],
    all_or_none: bool,
    now: Timestamp,
) -> Result<Vec<Taken>> {
    if all_or_none {
        let known = known(tx, orders)?;
        if known.contains(&Taken::Conflict) {
            return Ok(known);
        }
    }
    orders
        .iter()
        .zip(routes)
        .map(|((order, hash), route)| {
            Ok(match calls::add(tx, order, route, hash, now)? {
                Added::New(_) => Taken::New,
                Added::Same(_) => Taken::Same,
                Added::Conflict => Taken::Conflict,
            })
        })
        .collect()
}

/// What would come of them, without writing anything: an id may stand in the batch twice, too.
fn known(tx: &Tx<'_>, orders: &[(Order, String)]) -> Result<Vec<Taken>> {
    let mut statement = tx
        .conn
        .prepare_cached("SELECT body_hash FROM calls WHERE id = ?1")?;
    let mut seen: HashMap<&CallId, &str> = HashMap::with_capacity(orders.len());
    orders
        .iter()
        .map(|(order, hash)| {
            let before: Option<String> = match seen.get(&order.id) {
                Some(hash) => Some((*hash).to_owned()),
                None => statement
                    .query_row([order.id.as_str()], |row| row.get(0))
                    .optional()?,
            };
            seen.entry(&order.id).or_insert(hash);
            Ok(match before {
                None => Taken::New,
                Some(before) if before == *hash => Taken::Same,
                Some(_) => Taken::Conflict,
            })
        })
        .collect()
}
