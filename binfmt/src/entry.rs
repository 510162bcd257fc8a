//! One entry: the line that registers it, and the text the kernel shows of it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Flags of an entry: letters of `F`, `P`, `O`, `C`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `F`: the runner is opened when it is registered and serves every chroot and container.
    pub fixed: bool,
    /// `P`: the program sees the `argv[0]` it was started with.
    pub preserve_argv0: bool,
    /// `O`: the kernel hands the program over opened, so that it need not be readable.
    pub open: bool,
    /// `C`: set-user-ID programs get their privileges, which makes the runner run with them.
    pub credentials: bool,
}

/// A letter that is no flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is none of the flags F, P, O, C")]
pub struct FlagsError(char);

impl FromStr for Flags {
    type Err = FlagsError;
    fn from_str(s: &str) -> Result<Flags, FlagsError> {
        let mut f = Flags::default();
        for c in s.chars() {
            match c {
                'F' => f.fixed = true,
                'P' => f.preserve_argv0 = true,
                'O' => f.open = true,
                // The kernel takes the credentials from the file it opened.
                'C' => (f.credentials, f.open) = (true, true),
                other => return Err(FlagsError(other)),
            }
        }
        Ok(f)
    }
}

impl fmt::Display for Flags {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The order in which the kernel shows them.
        let all = [
            (self.preserve_argv0, 'P'),
            (self.open, 'O'),
            (self.credentials, 'C'),
            (self.fixed, 'F'),
        ];
        for (on, letter) in all {
            if on {
                write!(out, "{letter}")?;
            }
        }
        Ok(())
    }
}

/// Longest runner path the kernel takes.
const MAX_RUNNER: usize = 127;

/// The line that registers an entry; an error text for a runner path the format cannot carry.
pub fn registration(
    name: &str,
    magic: &[u8],
    mask: &[u8],
    runner: &Path,
    flags: Flags,
) -> Result<String, String> {
    let path = runner.to_str().ok_or("the path of the runner is not UTF-8")?;
    if !path.starts_with('/') || path.contains([':', '\n']) || path.len() > MAX_RUNNER {
        return Err(format!(
            "the kernel takes no runner at {path}: it must be an absolute path of at most \
             {MAX_RUNNER} bytes without ':'"
        ));
    }
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("\\x{b:02x}")).collect::<String>();
    Ok(format!(":{name}:M::{}:{}:{path}:{flags}", hex(magic), hex(mask)))
}

/// What the kernel says of a registered entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Name.
    pub name: String,
    /// Not switched off.
    pub enabled: bool,
    /// Path of the interpreter.
    pub interpreter: PathBuf,
    /// Flags; letters this program does not know are left out.
    pub flags: Flags,
    /// Bytes that match, from the start of the file.
    pub magic: Vec<u8>,
    /// Bits of them that count; empty when all do.
    pub mask: Vec<u8>,
}

impl Entry {
    /// Reads the text of an entry's file. Lines that are not understood are passed over.
    pub fn parse(name: &str, text: &str) -> Entry {
        let mut e = Entry { name: name.to_owned(), ..Entry::default() };
        let mut lines = text.lines();
        e.enabled = lines.next() == Some("enabled");
        for line in lines {
            let (key, value) = line.split_once(' ').unwrap_or((line, ""));
            match key {
                "interpreter" => e.interpreter = value.into(),
                "flags:" => {
                    let known: String = value.chars().filter(|c| "FPOC".contains(*c)).collect();
                    e.flags = known.parse().unwrap_or_default();
                }
                "magic" => e.magic = unhex(value),
                "mask" => e.mask = unhex(value),
                _ => {}
            }
        }
        e
    }

    /// True when a file that begins with `head` is this entry's.
    pub fn matches(&self, head: &[u8]) -> bool {
        let bit = |i: usize| self.mask.get(i).copied().unwrap_or(0xff);
        !self.magic.is_empty()
            && self.magic.len() <= head.len()
            && self.magic.iter().enumerate().all(|(i, m)| (m ^ head[i]) & bit(i) == 0)
    }
}

/// Bytes of a run of hexadecimal digits, up to the first that is none.
fn unhex(text: &str) -> Vec<u8> {
    let digit = |c: u8| (c as char).to_digit(16);
    text.as_bytes()
        .chunks_exact(2)
        .map_while(|p| Some((digit(p[0])? << 4 | digit(p[1])?) as u8))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registration_line_has_the_kernel_form() {
        let flags = "FPOC".parse().unwrap();
        let line = registration("x", b"\x7fEL", b"\xff\x00\xfe", Path::new("/r"), flags).unwrap();
        assert_eq!(line, r":x:M::\x7f\x45\x4c:\xff\x00\xfe:/r:POCF");
        assert!(registration("x", b"", b"", Path::new("r"), flags).is_err());
        assert!(registration("x", b"", b"", Path::new("/a:b"), flags).is_err());
    }

    #[test]
    fn entry_text_is_read_back() {
        let text = "enabled\ninterpreter /usr/bin/r\nflags: POCF\noffset 0\nmagic 7f454c46\nmask ffff00ff\n";
        let e = Entry::parse("x", text);
        assert!(e.enabled && e.flags.fixed && e.flags.credentials);
        assert_eq!(e.interpreter, Path::new("/usr/bin/r"));
        assert!(e.matches(b"\x7fE?F..."));
        assert!(!e.matches(b"\x7fE?G"));
        assert!(!e.matches(b"\x7fE"));
    }

    #[test]
    fn entry_text_that_is_nonsense_matches_nothing() {
        let e = Entry::parse("x", "\nmagic zz\nflags: Z\nextension .x");
        assert!(!e.enabled && e.magic.is_empty());
        assert!(!e.matches(b"anything"));
    }

    #[test]
    fn flags_name_the_letter_that_is_wrong() {
        assert_eq!(
            "FX".parse::<Flags>().unwrap_err().to_string(),
            "'X' is none of the flags F, P, O, C"
        );
    }
}
