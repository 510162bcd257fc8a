# Every hart adds to two counters, in one step and by a reservation; the first one reports.
        csrr    s0, mhartid
        la      s1, counters
        li      s2, 20000
1:      li      t0, 1
        amoadd.d zero, t0, (s1)
        addi    t1, s1, 64
2:      lr.d    t2, (t1)
        addi    t2, t2, 1
        sc.d    t3, t2, (t1)
        bnez    t3, 2b
        addi    s2, s2, -1
        bnez    s2, 1b
        addi    t1, s1, 128
        li      t0, 1
        amoadd.d.aqrl zero, t0, (t1)
        bnez    s0, 4f
3:      ld      t0, (t1)
        li      t2, 4
        bne     t0, t2, 3b
        ld      t0, 0(s1)
        report  t0
        ld      t0, 64(s1)
        report  t0
        finish
4:      wfi
        j       4b
        .balign 4096
counters: .zero 4096
