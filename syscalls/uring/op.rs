//! Opcodes in the kernel's order (`enum io_uring_op`, include/uapi/linux/io_uring.h).

macro_rules! opcodes {
    ($( $nr:literal $name:ident; )*) => {
        $( #[doc = concat!("`IORING_OP_", stringify!($name), "`.")] pub const $name: u8 = $nr; )*
        /// Names by number.
        pub const NAMES: &[&str] = &[ $( stringify!($name) ),* ];
    };
}

opcodes! {
    0 NOP;
    1 READV;
    2 WRITEV;
    3 FSYNC;
    4 READ_FIXED;
    5 WRITE_FIXED;
    6 POLL_ADD;
    7 POLL_REMOVE;
    8 SYNC_FILE_RANGE;
    9 SENDMSG;
    10 RECVMSG;
    11 TIMEOUT;
    12 TIMEOUT_REMOVE;
    13 ACCEPT;
    14 ASYNC_CANCEL;
    15 LINK_TIMEOUT;
    16 CONNECT;
    17 FALLOCATE;
    18 OPENAT;
    19 CLOSE;
    20 FILES_UPDATE;
    21 STATX;
    22 READ;
    23 WRITE;
    24 FADVISE;
    25 MADVISE;
    26 SEND;
    27 RECV;
    28 OPENAT2;
    29 EPOLL_CTL;
    30 SPLICE;
    31 PROVIDE_BUFFERS;
    32 REMOVE_BUFFERS;
    33 TEE;
    34 SHUTDOWN;
    35 RENAMEAT;
    36 UNLINKAT;
    37 MKDIRAT;
    38 SYMLINKAT;
    39 LINKAT;
    40 MSG_RING;
    41 FSETXATTR;
    42 SETXATTR;
    43 FGETXATTR;
    44 GETXATTR;
    45 SOCKET;
    46 URING_CMD;
    47 SEND_ZC;
    48 SENDMSG_ZC;
    49 READ_MULTISHOT;
    50 WAITID;
    51 FUTEX_WAIT;
    52 FUTEX_WAKE;
    53 FUTEX_WAITV;
    54 FIXED_FD_INSTALL;
    55 FTRUNCATE;
    56 BIND;
    57 LISTEN;
    58 RECV_ZC;
    59 EPOLL_WAIT;
    60 READV_FIXED;
    61 WRITEV_FIXED;
    62 PIPE;
}
