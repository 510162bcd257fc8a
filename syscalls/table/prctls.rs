//! prctl operations (prctl(2)).

/// How an operation is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrctlHow {
    /// By the host.
    Forward,
    /// By the runner, which knows the guest processor.
    Processor,
    /// Of the guest thread, which the runner remembers.
    TidAddress,
    /// Here: the guest's auxiliary vector.
    Auxv,
    /// Here: filters see the guest's numbers.
    Seccomp,
    /// Answered with 0: the state the guest starts in.
    Zero,
    /// `EINVAL`, for the given reason: would act on the runner instead of the guest.
    Refuse(&'static str),
}

/// One operation.
#[derive(Clone, Copy, Debug)]
pub struct Prctl {
    /// Number.
    pub op: u32,
    /// Symbol.
    pub name: &'static str,
    /// How.
    pub how: PrctlHow,
}

macro_rules! prctls {
    ($( $op:literal $name:ident $how:ident $(($why:literal))?; )*) => {
        /// Every operation.
        pub const ALL: &[Prctl] = &[ $( Prctl { op: $op, name: stringify!($name), how: PrctlHow::$how $(($why))? } ),* ];
    };
}

/// Finds an operation.
pub fn find(op: u32) -> Option<&'static Prctl> {
    ALL.iter().find(|r| r.op == op)
}

#[rustfmt::skip]
prctls! {
    1 PR_SET_PDEATHSIG Forward;
    2 PR_GET_PDEATHSIG Forward;
    3 PR_GET_DUMPABLE Forward;
    4 PR_SET_DUMPABLE Forward;
    5 PR_GET_UNALIGN Processor;
    6 PR_SET_UNALIGN Processor;
    7 PR_GET_KEEPCAPS Forward;
    8 PR_SET_KEEPCAPS Forward;
    9 PR_GET_FPEMU Refuse("of another processor");
    10 PR_SET_FPEMU Refuse("of another processor");
    11 PR_GET_FPEXC Refuse("of another processor");
    12 PR_SET_FPEXC Refuse("of another processor");
    13 PR_GET_TIMING Forward;
    14 PR_SET_TIMING Forward;
    15 PR_SET_NAME Forward;
    16 PR_GET_NAME Forward;
    19 PR_GET_ENDIAN Processor;
    20 PR_SET_ENDIAN Processor;
    21 PR_GET_SECCOMP Seccomp;
    22 PR_SET_SECCOMP Seccomp;
    23 PR_CAPBSET_READ Forward;
    24 PR_CAPBSET_DROP Forward;
    25 PR_GET_TSC Refuse("an x86 register");
    26 PR_SET_TSC Refuse("an x86 register");
    27 PR_GET_SECUREBITS Forward;
    28 PR_SET_SECUREBITS Forward;
    29 PR_SET_TIMERSLACK Forward;
    30 PR_GET_TIMERSLACK Forward;
    31 PR_TASK_PERF_EVENTS_DISABLE Forward;
    32 PR_TASK_PERF_EVENTS_ENABLE Forward;
    33 PR_MCE_KILL Forward;
    34 PR_MCE_KILL_GET Forward;
    35 PR_SET_MM Refuse("would change the runner's own layout");
    36 PR_SET_CHILD_SUBREAPER Forward;
    37 PR_GET_CHILD_SUBREAPER Forward;
    38 PR_SET_NO_NEW_PRIVS Forward;
    39 PR_GET_NO_NEW_PRIVS Forward;
    40 PR_GET_TID_ADDRESS TidAddress;
    41 PR_SET_THP_DISABLE Forward;
    42 PR_GET_THP_DISABLE Forward;
    43 PR_MPX_ENABLE_MANAGEMENT Refuse("removed in Linux 5.4");
    44 PR_MPX_DISABLE_MANAGEMENT Refuse("removed in Linux 5.4");
    45 PR_SET_FP_MODE Processor;
    46 PR_GET_FP_MODE Processor;
    47 PR_CAP_AMBIENT Forward;
    50 PR_SVE_SET_VL Processor;
    51 PR_SVE_GET_VL Processor;
    52 PR_GET_SPECULATION_CTRL Refuse("the guest processor does not speculate");
    53 PR_SET_SPECULATION_CTRL Refuse("the guest processor does not speculate");
    54 PR_PAC_RESET_KEYS Processor;
    55 PR_SET_TAGGED_ADDR_CTRL Processor;
    56 PR_GET_TAGGED_ADDR_CTRL Processor;
    57 PR_SET_IO_FLUSHER Forward;
    58 PR_GET_IO_FLUSHER Forward;
    59 PR_SET_SYSCALL_USER_DISPATCH Refuse("would catch the runner's calls");
    60 PR_PAC_SET_ENABLED_KEYS Processor;
    61 PR_PAC_GET_ENABLED_KEYS Processor;
    62 PR_SCHED_CORE Forward;
    63 PR_SME_SET_VL Processor;
    64 PR_SME_GET_VL Processor;
    65 PR_SET_MDWE Refuse("would forbid translated code");
    66 PR_GET_MDWE Zero;
    67 PR_SET_MEMORY_MERGE Forward;
    68 PR_GET_MEMORY_MERGE Forward;
    69 PR_RISCV_V_SET_CONTROL Processor;
    70 PR_RISCV_V_GET_CONTROL Processor;
    71 PR_RISCV_SET_ICACHE_FLUSH_CTX Processor;
    72 PR_PPC_GET_DEXCR Refuse("of another processor");
    73 PR_PPC_SET_DEXCR Refuse("of another processor");
    74 PR_GET_SHADOW_STACK_STATUS Refuse("no shadow stacks");
    75 PR_SET_SHADOW_STACK_STATUS Refuse("no shadow stacks");
    76 PR_LOCK_SHADOW_STACK_STATUS Refuse("no shadow stacks");
    77 PR_TIMER_CREATE_RESTORE_IDS Forward;
    78 PR_FUTEX_HASH Forward;
    79 PR_RSEQ_SLICE_EXTENSION Refuse("no restartable sequences");
    80 PR_GET_CFI Refuse("no landing pads");
    81 PR_SET_CFI Refuse("no landing pads");
    0x41555856 PR_GET_AUXV Auxv;
    0x53564d41 PR_SET_VMA Forward;
    0x59616d61 PR_SET_PTRACER Forward;
}
