//! The command line: QEMU's options with QEMU's meaning, and the environment variables behind them.

mod options;
mod table;

pub use options::{Form, Invocation, Options, Startup, base_name};
pub use table::usage;

/// What the command line asks for.
#[derive(Debug)]
pub enum Command {
    /// Run a program.
    Run(Box<Invocation>),
    /// Print a text and end with status 0.
    Print(String),
    /// Print the system calls of the guest and end with status 0.
    PrintCalls(Form),
}

/// A mistake on the command line; ends with status 1.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);
