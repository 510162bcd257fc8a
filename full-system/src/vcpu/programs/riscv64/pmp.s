# What supervisor mode may touch: a range of 4 bytes is closed, the rest is open.
        la      t0, mhandler
        csrw    mtvec, t0
        la      t0, closed
        srli    t0, t0, 2
        csrw    pmpaddr0, t0
        li      t0, -1
        csrw    pmpaddr1, t0
        li      t0, 0x1f10
        csrw    pmpcfg0, t0
        la      s0, closed
        lw      a0, 0(s0)
        report  a0
        supervisor start
start:  lw      a0, -4(s0)
        report  a0
        lw      a0, 4(s0)
        report  a0
        lw      a0, 0(s0)                       # faults
        sw      a0, 0(s0)                       # faults
        ld      a0, -4(s0)                      # faults
        sw      s0, 4(s0)
        csrr    t0, mstatus                     # illegal
        li      a7, 1
        ecall
        .balign 4
mhandler:
        csrr    t3, mcause
        report  t3
        li      t1, 9
        beq     t3, t1, 1f
        csrr    t4, mepc
        addi    t4, t4, 4
        csrw    mepc, t4
        mret
1:      finish
        .balign 4096
        .word   11
closed: .word   22
        .word   33
