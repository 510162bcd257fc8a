# Exceptions in machine mode: cause, address relative to the start, value.
        la      t0, handler
        csrw    mtvec, t0
        la      s0, _start
        ecall
        .word   0xffffffff
        ebreak
        csrr    t1, 0x7c0
        li      a0, 0x80001002
        amoadd.w a1, a1, (a0)
        li      a0, 0x4000
        li      a1, 77
        ld      a1, 0(a0)
        report  a1
        sd      a1, 8(a0)
        li      a0, 0x4002
        csrw    mepc, zero
        la      ra, back
        jr      a0
back:   li      t0, 1 << 13
        csrc    mstatus, t0
        fadd.d  f0, f0, f0
        csrs    mstatus, t0
        fadd.d  f0, f0, f0
        csrr    t1, mstatus
        srli    t1, t1, 63
        report  t1
        finish
        .balign 4
handler:
        csrr    t3, mcause
        report  t3
        csrr    t4, mepc
        sub     t1, t4, s0
        report  t1
        report_csr mtval
        li      t1, 1
        beq     t3, t1, 2f
        addi    t4, t4, 4
        csrw    mepc, t4
        mret
2:      csrw    mepc, ra
        mret
