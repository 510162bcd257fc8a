//! Files of the guest for gdb (`vFile`, "Host I/O Packets" in its manual), and guest memory.

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};

use crate::sysroot::Sysroot;
use remu_gdb::packet::{number, unhex};

/// Bytes of one read at most.
const MOST: u64 = 1 << 16;

/// Copies from a process's memory; how much of it is there.
pub(super) fn read_memory(pid: i32, addr: u64, out: &mut [u8]) -> Option<usize> {
    let file = File::open(format!("/proc/{pid}/mem")).ok()?;
    let mut have = 0;
    while have < out.len() {
        match file.read_at(&mut out[have..], addr.checked_add(have as u64)?) {
            Ok(0) | Err(_) => break,
            Ok(n) => have += n,
        }
    }
    Some(have)
}

/// Copies to a process's memory, also where the process itself may not write.
pub(super) fn write_memory(pid: i32, addr: u64, data: &[u8]) -> Option<()> {
    let file = OpenOptions::new().write(true).open(format!("/proc/{pid}/mem")).ok()?;
    file.write_all_at(data, addr).ok()
}

/// The files that gdb has open.
#[derive(Debug, Default)]
pub(super) struct Files {
    open: BTreeMap<u64, File>,
    next: u64,
}

/// A number, and bytes that come with it.
type Answer = Result<(u64, Vec<u8>), i32>;

impl Files {
    /// One call but a write; the answer's packet.
    pub(super) fn call(&mut self, text: &str, sysroot: &Sysroot) -> Vec<u8> {
        let (name, args) = text.split_once(':').unwrap_or((text, ""));
        let args: Vec<&str> = args.split(',').collect();
        let done = match (name, &args[..]) {
            ("setfs", [_]) => Ok((0, Vec::new())),
            ("open", [path, flags, mode]) => self.open(path, flags, mode, sysroot),
            ("close", [fd]) => {
                let known = number(fd).and_then(|fd| self.open.remove(&fd));
                known.map(|_| (0, Vec::new())).ok_or(libc::EBADF)
            }
            ("pread", [fd, count, offset]) => self.read(fd, count, offset),
            ("fstat", [fd]) => self.stat(fd),
            ("unlink", [path]) => path_of(path, sysroot, false)
                .and_then(|p| std::fs::remove_file(OsStr::from_bytes(&p)).map_err(errno))
                .map(|()| (0, Vec::new())),
            ("readlink", [path]) => path_of(path, sysroot, false)
                .and_then(|p| std::fs::read_link(OsStr::from_bytes(&p)).map_err(errno))
                .map(|link| {
                    let link = link.into_os_string().as_bytes().to_vec();
                    (link.len() as u64, link)
                }),
            _ => return Vec::new(),
        };
        packet(done)
    }

    /// `FD,OFFSET,DATA`.
    pub(super) fn write(&mut self, args: &[u8]) -> Vec<u8> {
        let mut parts = args.splitn(3, |&b| b == b',');
        let mut part = || parts.next().unwrap_or_default();
        let (fd, offset, data) = (part(), part(), part());
        let value = |b| std::str::from_utf8(b).ok().and_then(number).ok_or(libc::EINVAL);
        let done = value(fd).and_then(|fd| {
            let file = self.open.get(&fd).ok_or(libc::EBADF)?;
            let n = file.write_at(data, value(offset)?).map_err(errno)?;
            Ok((n as u64, Vec::new()))
        });
        packet(done)
    }

    fn open(&mut self, path: &str, flags: &str, mode: &str, sysroot: &Sysroot) -> Answer {
        /// gdb's own numbers.
        const APPEND: u64 = 0x8;
        const CREATE: u64 = 0x200;
        const TRUNCATE: u64 = 0x400;
        const EXCLUSIVE: u64 = 0x800;
        let flags = number(flags).ok_or(libc::EINVAL)?;
        let mode = number(mode).ok_or(libc::EINVAL)?;
        let path = path_of(path, sysroot, true)?;
        let mut options = OpenOptions::new();
        options.read(flags & 3 != 1).write(flags & 3 != 0);
        options.append(flags & APPEND != 0).truncate(flags & TRUNCATE != 0);
        options
            .create(flags & CREATE != 0)
            .create_new(flags & (CREATE | EXCLUSIVE) == CREATE | EXCLUSIVE);
        let file = options.mode(mode as u32).open(OsStr::from_bytes(&path)).map_err(errno)?;
        // What the kernel says of the guest's memory is of the runner's.
        let guests = remu_syscalls::find_other(&path)
            .and_then(|(peer, file)| crate::procfs::content_of(&peer, file));
        let file = match guests {
            Some(content) => {
                File::from(crate::task::memory_file(c"proc", &content).map_err(|_| libc::ENOMEM)?)
            }
            None => file,
        };
        self.next += 1;
        self.open.insert(self.next, file);
        Ok((self.next, Vec::new()))
    }

    fn file(&self, fd: &str) -> Result<&File, i32> {
        number(fd).and_then(|fd| self.open.get(&fd)).ok_or(libc::EBADF)
    }

    fn read(&self, fd: &str, count: &str, offset: &str) -> Answer {
        let file = self.file(fd)?;
        let count = number(count).ok_or(libc::EINVAL)?.min(MOST);
        let mut out = vec![0; count as usize];
        let have = file.read_at(&mut out, number(offset).ok_or(libc::EINVAL)?).map_err(errno)?;
        out.truncate(have);
        Ok((have as u64, out))
    }

    fn stat(&self, fd: &str) -> Answer {
        let m = self.file(fd)?.metadata().map_err(errno)?;
        let mut out = Vec::new();
        let ids = [m.dev(), m.ino(), u64::from(m.mode()), m.nlink()];
        let owners = [u64::from(m.uid()), u64::from(m.gid()), m.rdev()];
        // "struct stat" of the protocol: big-endian, narrow but for the sizes.
        ids.into_iter().chain(owners).for_each(|v| out.extend((v as u32).to_be_bytes()));
        [m.size(), m.blksize(), m.blocks()].iter().for_each(|v| out.extend(v.to_be_bytes()));
        let times = [m.atime(), m.mtime(), m.ctime()];
        times.iter().for_each(|v| out.extend((*v as u32).to_be_bytes()));
        Ok((out.len() as u64, out))
    }
}

/// The host's path of a guest's: inside the prefix where it exists there.
fn path_of(digits: &str, sysroot: &Sysroot, follow: bool) -> Result<Vec<u8>, i32> {
    let path = unhex(digits.as_bytes()).and_then(|p| CString::new(p).ok()).ok_or(libc::EINVAL)?;
    let inside = sysroot.resolve(libc::AT_FDCWD, &path, follow);
    Ok(inside.unwrap_or(path).into_bytes())
}

fn errno(e: io::Error) -> i32 {
    e.raw_os_error().unwrap_or(libc::EIO)
}

fn packet(done: Answer) -> Vec<u8> {
    match done {
        Ok((number, bytes)) if bytes.is_empty() => format!("F{number:x}").into_bytes(),
        Ok((number, bytes)) => {
            let mut out = format!("F{number:x};").into_bytes();
            out.extend(bytes);
            out
        }
        Err(errno) => format!("F-1,{:x}", gdb_errno(errno)).into_bytes(),
    }
}

/// The protocol's number of an error ("Errno Values" in gdb's manual): old ones are the kernel's.
fn gdb_errno(errno: i32) -> i32 {
    const SAME: [i32; 19] = [1, 2, 4, 9, 13, 14, 16, 17, 19, 20, 21, 22, 23, 24, 27, 28, 29, 30, 5];
    match errno {
        libc::ENAMETOOLONG => 91,
        e if SAME.contains(&e) => e,
        _ => 9999,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use remu_gdb::packet::hex;

    #[test]
    fn files_are_opened_read_and_closed() {
        let mut files = Files::default();
        let none = Sysroot::default();
        let mut call = |text: &str| String::from_utf8_lossy(&files.call(text, &none)).into_owned();
        let path = hex(file!().as_bytes());
        assert_eq!(call(&format!("open:{path},0,0")), "F1");
        assert_eq!(call("pread:1,5,4"), "F5;Files");
        assert!(call("fstat:1").starts_with("F40;"));
        assert_eq!((call("close:1"), call("close:1")), ("F0".into(), "F-1,9".into()));
        assert_eq!(call(&format!("open:{},0,0", hex(b"/no/such"))), "F-1,2");
        assert_eq!((call("setfs:0"), call("nonsense")), ("F0".into(), "".into()));
    }
}
