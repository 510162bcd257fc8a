//! The rows: what each call takes, gives back, and how it is carried out.
//!
//! One row is the whole truth about a call. Dispatch, strace text, the support matrix and the
//! choice of an io_uring opcode all read it; nothing else lists calls by name.

pub mod calls;
pub mod drivers;
pub mod fcntls;
pub mod ioctls;
pub mod kinds;
pub mod names;
pub mod prctls;

use std::sync::atomic::AtomicU32;

use crate::{Context, Outcome};
pub use kinds::{ArgKind, Direction, KindInfo};

/// One argument of a row.
#[derive(Clone, Copy, Debug)]
pub struct Arg {
    /// Name as the manual page gives it.
    pub name: &'static str,
    /// What the register holds.
    pub kind: KindInfo,
    /// Structure name, or the argument that holds the length; empty when the kind needs none.
    pub param: &'static str,
}

/// What the result register holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ret {
    /// 0 on success.
    Zero,
    /// A plain number.
    Int,
    /// A file descriptor.
    Fd,
    /// A byte count or file offset.
    Size,
    /// A process or thread id.
    Pid,
    /// A guest address.
    Addr,
    /// Nothing: the call does not come back.
    Never,
}

/// A handler with its arguments already in the row's types.
pub type Handler = fn(&mut Context<'_>, &[u64; 6]) -> Outcome;

/// How a call is carried out.
#[derive(Clone, Copy)]
pub enum Policy {
    /// Layout and meaning equal the host's: the host call of this number, arguments unchanged.
    Forward(u16),
    /// Code of this crate.
    Handler(Handler),
    /// Not provided, for the given reason: `ENOSYS`, counted.
    Enosys(&'static str),
}

/// One row.
pub struct Call {
    /// Kernel name.
    pub name: &'static str,
    /// Arguments in register order.
    pub args: &'static [Arg],
    /// Result.
    pub result: Ret,
    /// How it is carried out.
    pub policy: Policy,
    /// May sleep: goes through the interruptible host call.
    pub blocking: bool,
    /// io_uring opcode that carries the call under `--io=uring`, for the files where it can.
    pub uring: Option<u8>,
    /// What a user should know about the support; empty when complete.
    pub note: &'static str,
    /// Index of the argument that names a file looked up for reading, if any.
    pub(crate) path: Option<u8>,
    /// Bit per argument that is an open descriptor.
    pub(crate) fds: u8,
    /// How often a call was refused because it is not provided.
    pub(crate) missed: AtomicU32,
}

impl Call {
    pub(crate) const fn new(
        name: &'static str,
        args: &'static [Arg],
        result: Ret,
        policy: Policy,
    ) -> Call {
        let note = match policy {
            Policy::Enosys(note) => note,
            _ => "",
        };
        let mut path = None;
        let mut fds = 0;
        let mut i = 0;
        while i < args.len() {
            if matches!(args[i].kind.dir, Direction::SysrootPath) {
                path = Some(i as u8);
            }
            if args[i].kind.is_descriptor() {
                fds |= 1 << i;
            }
            i += 1;
        }
        Call {
            name,
            args,
            result,
            policy,
            blocking: false,
            uring: None,
            note,
            path,
            fds,
            missed: AtomicU32::new(0),
        }
    }

    const fn blocking(mut self) -> Call {
        self.blocking = true;
        self
    }

    const fn uring(mut self, op: u8) -> Call {
        self.uring = Some(op);
        self
    }

    const fn note(mut self, note: &'static str) -> Call {
        self.note = note;
        self
    }
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Declares rows: `name (arg: Kind<param>, ..) -> Result = policy, attribute, ..;`
///
/// Policies: `forward`, `handler(module::function)`, `enosys("why")`. Attributes: `blocking`,
/// `uring(OPCODE)`, `note("text")`.
macro_rules! syscalls {
    ($( $name:ident ( $($arg:ident : $kind:ident $(<$param:ident>)?),* ) -> $ret:ident
        = $policy:ident $(($($how:tt)+))? $(, $attr:ident $(($($val:tt)+))?)* ; )*) => {
        $(
            #[doc = concat!("`", stringify!($name), "`(2).")]
            pub static $name: Call = Call::new(
                stringify!($name),
                &[ $( Arg {
                    name: stringify!($arg),
                    kind: <kinds::$kind as ArgKind>::INFO,
                    param: concat!($(stringify!($param))?),
                } ),* ],
                Ret::$ret,
                syscalls!(@policy $policy $(($($how)+))? ; $name ; $($arg $kind),*),
            ) $( .$attr( $($($val)+)? ) )*;
        )*
        /// Every row.
        pub static ALL: &[&Call] = &[ $( &$name ),* ];
    };
    (@policy forward ; $name:ident ; $($rest:tt)*) => { Policy::Forward(crate::abi::x86_64::numbers::$name) };
    (@policy enosys ($why:literal) ; $name:ident ; $($rest:tt)*) => { Policy::Enosys($why) };
    (@policy handler ($($path:tt)+) ; $name:ident ; $($arg:ident $kind:ident),*) => {
        Policy::Handler(|cx, regs| {
            let mut regs = regs.iter().copied();
            $( let $arg = <kinds::$kind as ArgKind>::import(regs.next().unwrap_or(0)); )*
            let _ = regs.next();
            crate::Outcome::from(crate::handlers::$($path)+(cx $(, $arg)*))
        })
    };
}
use syscalls;
