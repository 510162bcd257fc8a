//! Emulates whole machines.
