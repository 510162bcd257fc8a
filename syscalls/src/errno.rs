//! Error numbers as the guest sees them.
//!
//! Every 64-bit ABI served here uses the numbering of `asm-generic/errno.h`, which is also the
//! host's, so an [`Errno`] crosses the boundary unchanged (errno(3)).

use std::fmt;

/// A Linux error number, always positive.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(pub i32);

/// What a handler gives back: a value for the guest's result register, or an error number.
pub type SysResult<T> = Result<T, Errno>;

impl Errno {
    /// A signal arrived before the call took effect (kernel-internal `ERESTARTSYS`).
    /// Never reaches the guest: [`crate::dispatch`] turns it into [`crate::Outcome::Restart`].
    pub const RESTART: Errno = Errno(512);

    /// Splits the kernel's raw result register into value and error.
    #[inline]
    pub fn from_raw(raw: i64) -> SysResult<u64> {
        if (-4095..0).contains(&raw) { Err(Errno(-raw as i32)) } else { Ok(raw as u64) }
    }

    /// The value the kernel would leave in the result register for this error.
    pub fn to_raw(self) -> u64 {
        (-i64::from(self.0)) as u64
    }

    /// The error of a failed `std::io` call; `EIO` where the cause was not the kernel.
    pub fn from_io(e: &std::io::Error) -> Errno {
        Errno(e.raw_os_error().unwrap_or(libc::EIO))
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(crate::errors::errno_text(self.0).unwrap_or("Unknown error"))
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Errno({}: {self})", self.0)
    }
}

impl std::error::Error for Errno {}

macro_rules! errnos {
    ($($name:ident)*) => {
        impl Errno { $(#[doc = concat!("`", stringify!($name), "`, errno(3).")] pub const $name: Errno = Errno(libc::$name);)* }
    };
}
errnos! {
    EPERM ENOENT ESRCH EINTR EIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT EBUSY EEXIST ENODEV
    ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY EFBIG ESPIPE EROFS ERANGE ENAMETOOLONG ENOSYS ELOOP EOVERFLOW
    EOPNOTSUPP ETIMEDOUT EPROTONOSUPPORT EAFNOSUPPORT ENOPROTOOPT
}
