//! The dialogs that ship.
