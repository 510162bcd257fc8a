# What every program begins with. Reports go to a device at 0x10000000 that remembers 64-bit words.
        .option arch, +zicsr, +zifencei, +a, +f, +d
        # Handlers go on four bytes behind what trapped.
        .option norvc
        .macro report value
        li      t6, 0x10000000
        sd      \value, 0(t6)
        .endm
        .macro report_csr name
        csrr    t5, \name
        report  t5
        .endm
        .macro finish
        li      t6, 0x10001000
        sd      zero, 0(t6)
1:      wfi
        j       1b
        .endm
        # All of memory for the lower modes.
        .macro open_memory
        li      t0, -1
        csrw    pmpaddr0, t0
        li      t0, 0x1f
        csrw    pmpcfg0, t0
        .endm
        # Goes to a label in supervisor mode.
        .macro supervisor label
        li      t0, 3 << 11
        csrc    mstatus, t0
        li      t0, 1 << 11
        csrs    mstatus, t0
        la      t0, \label
        csrw    mepc, t0
        mret
        .endm
        .text
        .globl _start
_start:
