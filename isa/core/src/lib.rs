//! What every guest instruction set provides.
