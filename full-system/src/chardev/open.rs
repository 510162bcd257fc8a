//! Character devices by the names that `-serial` and `-monitor` take.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use super::{Backend, Stream};
use crate::event_loop::Handle;

/// What a device is connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spec {
    /// Nothing, and there is no device either.
    None,
    /// Nothing.
    Null,
    /// Standard input and output.
    Stdio,
    /// Standard input and output, shared with the monitor.
    Mon,
    /// A file that output is written to.
    File(String),
    /// A new pseudo-terminal.
    Pty,
}

impl std::str::FromStr for Spec {
    type Err = String;

    fn from_str(text: &str) -> Result<Spec, String> {
        Ok(match text {
            "none" => Spec::None,
            "null" => Spec::Null,
            "stdio" => Spec::Stdio,
            "mon:stdio" => Spec::Mon,
            "pty" => Spec::Pty,
            _ => match text.strip_prefix("file:") {
                Some("") => return Err("'file:' needs a path".into()),
                Some(path) => Spec::File(path.into()),
                None => {
                    let known = "none, null, stdio, mon:stdio, pty, file:PATH";
                    return Err(format!("'{text}' is not supported; there are {known}"));
                }
            },
        })
    }
}

/// Opens a character device; `label` names it to people. `None` for nothing.
pub fn open(spec: &Spec, label: &str, events: &Handle) -> io::Result<Option<Arc<Stream>>> {
    let quiet = Box::new(|| {});
    Ok(Some(match spec {
        Spec::None | Spec::Null => return Ok(None),
        Spec::Stdio | Spec::Mon => {
            let input = io::stdin().as_fd().try_clone_to_owned()?;
            let output = io::stdout().as_fd().try_clone_to_owned()?;
            Stream::new(events, Some(input), Some(output), quiet)
        }
        Spec::File(path) => {
            let file = File::create(path)?;
            Stream::new(events, None, Some(OwnedFd::from(file)), quiet)
        }
        Spec::Pty => {
            let pair = nix::pty::openpty(None, None)?;
            let name = nix::unistd::ttyname(&pair.slave)?;
            eprintln!("char device redirected to {} (label {label})", name.display());
            let terminal = super::Terminal::raw(&pair.slave, false)?;
            // The other end stays open, so that reading waits for whoever comes.
            std::mem::forget((pair.slave, terminal));
            let output = pair.master.try_clone()?;
            Stream::new(events, Some(pair.master), Some(output), quiet)
        }
    }))
}

/// A back end of a device that may be connected to nothing.
pub(crate) fn backend(stream: Option<Arc<Stream>>) -> Arc<dyn Backend> {
    match stream {
        Some(stream) => stream,
        None => Arc::new(super::Null),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read() {
        assert_eq!("mon:stdio".parse(), Ok(Spec::Mon));
        assert_eq!("file:/x".parse(), Ok(Spec::File("/x".into())));
        assert!("vc".parse::<Spec>().is_err());
    }
}
