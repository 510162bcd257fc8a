# The supervisor's timer: pending at once, later, and while waiting.
        open_memory
        li      t0, 1 << 63
        csrw    menvcfg, t0
        li      t0, 7
        csrw    mcounteren, t0
        li      t0, 0x222
        csrw    mideleg, t0
        la      t0, handler
        csrw    stvec, t0
        supervisor start
start:  li      t0, 1 << 5
        csrs    sie, t0
        csrw    stimecmp, zero
        csrr    t1, sip
        report  t1
        csrsi   sstatus, 2
        nop
        # Spinning.
        csrr    s4, time
        li      t1, 20000
        add     t1, t1, s4
        csrw    stimecmp, t1
        li      s5, 0
1:      beqz    s5, 1b
        # Waiting.
        csrr    s4, time
        li      t1, 20000
        add     t1, t1, s4
        csrw    stimecmp, t1
        li      s5, 0
2:      wfi
        beqz    s5, 2b
        csrr    t1, time
        sub     t1, t1, s4
        li      t2, 20000
        sltu    t1, t1, t2
        report  t1
        finish
        .balign 4
handler:
        li      s5, 1
        report_csr scause
        li      t0, -1
        csrw    stimecmp, t0
        sret
