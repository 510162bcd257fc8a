//! Host calls as ring entries: only those whose result over a ring is the call's own.
//!
//! What makes the difference is the file. A read of a terminal or a signalfd would be made by a kernel
//! thread with its own signals; a write to a pipe may end short; a socket's timeouts and `O_NONBLOCK` do
//! not count. So the descriptor is looked at first, and what is left goes directly.

use super::op;
use crate::host;

/// A ring entry (`struct io_uring_sqe`).
pub(super) type Entry = [u8; 64];

/// Host calls that a ring can carry, by number.
pub(crate) const CARRIED: &[(i64, u8)] = &[
    (libc::SYS_read, op::READ),
    (libc::SYS_write, op::WRITE),
    (libc::SYS_readv, op::READV),
    (libc::SYS_writev, op::WRITEV),
    (libc::SYS_pread64, op::READ),
    (libc::SYS_pwrite64, op::WRITE),
    (libc::SYS_preadv, op::READV),
    (libc::SYS_pwritev, op::WRITEV),
    (libc::SYS_preadv2, op::READV),
    (libc::SYS_pwritev2, op::WRITEV),
    (libc::SYS_accept, op::ACCEPT),
    (libc::SYS_accept4, op::ACCEPT),
    (libc::SYS_sendto, op::SEND),
    (libc::SYS_recvfrom, op::RECV),
    (libc::SYS_sendmsg, op::SENDMSG),
    (libc::SYS_recvmsg, op::RECVMSG),
];

/// Most bytes of one transfer: an entry's length has 32 bits, its result 31.
const MOST: u64 = 1 << 30;
/// Writes to a pipe up to this are whole or not at all (`PIPE_BUF`).
const PIPE_BUF: u64 = 4096;
/// The file's own position.
const CURRENT: u64 = u64::MAX;

/// Fields of an entry, by what the calls here use.
#[derive(Default)]
struct Fields {
    off: u64,
    addr: u64,
    len: u64,
    flags: u32,
    addr_len: u16,
}

/// The entry for a host call; `None`: it goes directly.
pub(super) fn entry(nr: i64, a: &[u64; 6]) -> Option<Entry> {
    let (_, mut code) = *CARRIED.iter().find(|c| c.0 == nr)?;
    let kind = host::fstat(a[0] as i32).ok()?.st_mode & libc::S_IFMT;
    let (file, pipe, socket) =
        (kind == libc::S_IFREG, kind == libc::S_IFIFO, kind == libc::S_IFSOCK);
    let mut f = Fields { addr: a[1], len: a[2], ..Fields::default() };
    let possible = match nr {
        libc::SYS_read | libc::SYS_readv => {
            f.off = CURRENT;
            file || pipe || socket
        }
        libc::SYS_write if socket => {
            // A blocking write to a stream ends when all is written.
            (code, f.flags) = (op::SEND, libc::MSG_WAITALL as u32);
            true
        }
        libc::SYS_write => {
            f.off = CURRENT;
            file || pipe && f.len <= PIPE_BUF
        }
        libc::SYS_writev => {
            f.off = CURRENT;
            file
        }
        libc::SYS_pread64 | libc::SYS_pwrite64 | libc::SYS_preadv | libc::SYS_pwritev => {
            f.off = a[3];
            file && (a[3] as i64) >= 0
        }
        libc::SYS_preadv2 | libc::SYS_pwritev2 => {
            (f.off, f.flags) = (a[3], a[5] as u32);
            file && (a[3] as i64) >= 0
        }
        libc::SYS_accept | libc::SYS_accept4 => {
            // The length's address goes where offsets do.
            (f.off, f.len) = (a[2], 0);
            f.flags = if nr == libc::SYS_accept4 { a[3] as u32 } else { 0 };
            socket
        }
        libc::SYS_sendto => {
            (f.off, f.addr_len) = (a[4], a[5] as u16);
            f.flags = a[3] as u32 | libc::MSG_WAITALL as u32;
            socket && (a[5] as u32) < 128 && (a[4] != 0 || a[5] as u32 == 0)
        }
        libc::SYS_recvfrom => {
            f.flags = a[3] as u32;
            socket && a[4] == 0
        }
        libc::SYS_sendmsg | libc::SYS_recvmsg => {
            let all = if nr == libc::SYS_sendmsg { libc::MSG_WAITALL as u32 } else { 0 };
            (f.len, f.flags) = (1, a[2] as u32 | all);
            socket
        }
        _ => false,
    };
    let waits = file || !is_nonblocking(a[0] as i32);
    if !possible || f.len > MOST || !waits || (socket && has_timeout(a[0] as i32, code)) {
        return None;
    }
    let mut e = [0; 64];
    e[0] = code;
    e[4..8].copy_from_slice(&(a[0] as u32).to_le_bytes());
    e[8..16].copy_from_slice(&f.off.to_le_bytes());
    e[16..24].copy_from_slice(&f.addr.to_le_bytes());
    e[24..28].copy_from_slice(&(f.len as u32).to_le_bytes());
    e[28..32].copy_from_slice(&f.flags.to_le_bytes());
    // The length of a send's address shares its place with other opcodes' descriptors.
    e[44..46].copy_from_slice(&f.addr_len.to_le_bytes());
    Some(e)
}

/// True for a descriptor that never waits, or of which that is not known.
fn is_nonblocking(fd: i32) -> bool {
    let args = [fd as u64, libc::F_GETFL as u64, 0, 0, 0, 0];
    host::forward(libc::SYS_fcntl, &args).map_or(true, |f| f as i32 & libc::O_NONBLOCK != 0)
}

/// True for a socket with a timeout, which a ring does not keep (socket(7)), or of which that is not
/// known.
fn has_timeout(fd: i32, code: u8) -> bool {
    let sends = [op::SEND, op::SENDMSG].contains(&code);
    let option = if sends { libc::SO_SNDTIMEO } else { libc::SO_RCVTIMEO };
    let mut time = [0u64; 2];
    let mut len = size_of_val(&time) as u32;
    let args = [
        fd as u64,
        libc::SOL_SOCKET as u64,
        option as u64,
        time.as_mut_ptr() as u64,
        (&raw mut len) as u64,
        0,
    ];
    host::forward(libc::SYS_getsockopt, &args).is_err() || time != [0; 2]
}
