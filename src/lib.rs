//! The user-mode runner.
