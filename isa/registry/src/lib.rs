//! The one list of guests.
