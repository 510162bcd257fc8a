//! Predicates that the tables name.

/// An even register number: the lower of a pair.
pub(crate) fn even(register: i64) -> bool {
    register & 1 == 0
}
