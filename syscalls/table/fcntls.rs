//! fcntl commands (fcntl(2)). The generic 64-bit numbering and `struct flock` equal the host's.

/// What the third argument is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FcntlArg {
    /// Unused.
    None,
    /// A number.
    Int,
    /// open(2) flags.
    Flags,
    /// `FD_CLOEXEC`.
    FdFlags,
    /// A pointer.
    Ptr,
}

/// How a command is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FcntlHow {
    /// By the host.
    Forward,
    /// By the host, and it may sleep.
    Wait,
    /// The result is open(2) flags, to be turned into the guest's numbering.
    GetFlags,
    /// The argument is open(2) flags, to be turned into the host's numbering.
    SetFlags,
}

/// One command.
#[derive(Clone, Copy, Debug)]
pub struct Fcntl {
    /// Number.
    pub cmd: u32,
    /// Symbol.
    pub name: &'static str,
    /// Third argument.
    pub arg: FcntlArg,
    /// How.
    pub how: FcntlHow,
}

macro_rules! fcntls {
    ($( $cmd:literal $name:ident $arg:ident $how:ident; )*) => {
        /// Every command.
        pub const ALL: &[Fcntl] = &[ $( Fcntl { cmd: $cmd, name: stringify!($name), arg: FcntlArg::$arg, how: FcntlHow::$how } ),* ];
    };
}

/// Finds a command.
pub fn find(cmd: u32) -> Option<&'static Fcntl> {
    ALL.iter().find(|r| r.cmd == cmd)
}

#[rustfmt::skip]
fcntls! {
    0 F_DUPFD Int Forward;
    1 F_GETFD None Forward;
    2 F_SETFD FdFlags Forward;
    3 F_GETFL None GetFlags;
    4 F_SETFL Flags SetFlags;
    5 F_GETLK Ptr Forward;
    6 F_SETLK Ptr Forward;
    7 F_SETLKW Ptr Wait;
    8 F_SETOWN Int Forward;
    9 F_GETOWN None Forward;
    10 F_SETSIG Int Forward;
    11 F_GETSIG None Forward;
    15 F_SETOWN_EX Ptr Forward;
    16 F_GETOWN_EX Ptr Forward;
    17 F_GETOWNER_UIDS Ptr Forward;
    36 F_OFD_GETLK Ptr Forward;
    37 F_OFD_SETLK Ptr Forward;
    38 F_OFD_SETLKW Ptr Wait;
    1024 F_SETLEASE Int Forward;
    1025 F_GETLEASE None Forward;
    1026 F_NOTIFY Int Forward;
    1027 F_DUPFD_QUERY Int Forward;
    1028 F_CREATED_QUERY None Forward;
    1029 F_CANCELLK Ptr Forward;
    1030 F_DUPFD_CLOEXEC Int Forward;
    1031 F_SETPIPE_SZ Int Forward;
    1032 F_GETPIPE_SZ None Forward;
    1033 F_ADD_SEALS Int Forward;
    1034 F_GET_SEALS None Forward;
    1035 F_GET_RW_HINT Ptr Forward;
    1036 F_SET_RW_HINT Ptr Forward;
    1037 F_GET_FILE_RW_HINT Ptr Forward;
    1038 F_SET_FILE_RW_HINT Ptr Forward;
    1039 F_GETDELEG Ptr Forward;
    1040 F_SETDELEG Ptr Forward;
}
