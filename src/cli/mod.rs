//! The command line: QEMU's options with QEMU's meaning, and the environment variables behind them.

mod options;
mod table;

pub use options::{Form, Invocation, List, Options, Startup, base_name};
pub use table::usage;

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// Run a program.
    Run(Box<Invocation>),
    /// Print a text and end with status 0.
    Print(String),
    /// Print a list that depends on the guest and end with status 0.
    List(List),
}

/// A mistake on the command line; ends with status 1.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);
