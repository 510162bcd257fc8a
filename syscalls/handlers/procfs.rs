//! `/proc` files that would show the runner: recognised by name, content asked from the runner.

use crate::ProcFile;

/// What follows `/proc/self/`, `/proc/thread-self/` or `/proc/<own pid>/`.
fn own_entry(path: &[u8]) -> Option<&[u8]> {
    let rest = path.strip_prefix(b"/proc/")?;
    let slash = rest.iter().position(|&b| b == b'/')?;
    let (who, entry) = (&rest[..slash], &rest[slash + 1..]);
    let own = match who {
        b"self" | b"thread-self" => true,
        _ => {
            std::str::from_utf8(who).ok().and_then(|s| s.parse::<u32>().ok())
                == Some(std::process::id())
        }
    };
    own.then_some(entry)
}

/// True for the link to the program file of this process.
pub(crate) fn is_self_exe(path: &[u8]) -> bool {
    path.starts_with(b"/proc/") && own_entry(path) == Some(b"exe")
}

/// The emulated file a path names, if any.
pub(crate) fn find(path: &[u8]) -> Option<ProcFile> {
    if !path.starts_with(b"/proc/") {
        return None;
    }
    if path == b"/proc/cpuinfo" {
        return Some(ProcFile::Cpuinfo);
    }
    Some(match own_entry(path)? {
        b"maps" => ProcFile::Maps,
        b"smaps" => ProcFile::Smaps,
        b"auxv" => ProcFile::Auxv,
        b"cmdline" => ProcFile::Cmdline,
        b"environ" => ProcFile::Environ,
        b"stat" => ProcFile::Stat,
        b"comm" => ProcFile::Comm,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn find_own_paths_recognised() {
        let pid = format!("/proc/{}/maps", std::process::id());
        assert_eq!(find(b"/proc/self/maps"), Some(ProcFile::Maps));
        assert_eq!(find(pid.as_bytes()), Some(ProcFile::Maps));
        assert_eq!(find(b"/proc/cpuinfo"), Some(ProcFile::Cpuinfo));
        assert_eq!(find(b"/proc/1/maps"), None);
        assert_eq!(find(b"/proc/self"), None);
        assert!(is_self_exe(b"/proc/thread-self/exe"));
        assert!(!is_self_exe(b"/proc/self/exe2"));
    }
}
