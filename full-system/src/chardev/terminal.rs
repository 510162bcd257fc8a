//! The terminal that the emulator was started from.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::sys::termios::{
    ControlFlags, InputFlags, LocalFlags, OutputFlags, SetArg, SpecialCharacterIndices, Termios,
    tcgetattr, tcsetattr,
};

/// A terminal in raw mode, set back when this is dropped.
pub struct Terminal {
    fd: OwnedFd,
    before: Termios,
}

impl Terminal {
    /// Makes `fd` raw, so that every key reaches the guest; `None` if it is no terminal. With `signals`, Ctrl-C and
    /// the like still reach the emulator.
    pub fn raw(fd: impl AsFd, signals: bool) -> io::Result<Option<Terminal>> {
        let Ok(before) = tcgetattr(fd.as_fd()) else { return Ok(None) };
        let mut raw = before.clone();
        raw.input_flags.remove(
            InputFlags::IGNBRK
                | InputFlags::BRKINT
                | InputFlags::PARMRK
                | InputFlags::ISTRIP
                | InputFlags::INLCR
                | InputFlags::IGNCR
                | InputFlags::ICRNL
                | InputFlags::IXON,
        );
        raw.output_flags.insert(OutputFlags::OPOST);
        raw.local_flags.remove(
            LocalFlags::ECHO | LocalFlags::ECHONL | LocalFlags::ICANON | LocalFlags::IEXTEN,
        );
        if !signals {
            raw.local_flags.remove(LocalFlags::ISIG);
        }
        raw.control_flags.remove(ControlFlags::CSIZE | ControlFlags::PARENB);
        raw.control_flags.insert(ControlFlags::CS8);
        raw.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
        raw.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
        tcsetattr(fd.as_fd(), SetArg::TCSANOW, &raw)?;
        Ok(Some(Terminal { fd: fd.as_fd().try_clone_to_owned()?, before }))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Nothing is left to do about a terminal that is gone.
        let _ = tcsetattr(&self.fd, SetArg::TCSANOW, &self.before);
    }
}
