# Code that changes: through its own page, through another mapping's page, across a page's end.
        la      s0, place
        li      s1, 0
1:      li      t0, 0x00000513                  # li a0, N
        slli    t1, s1, 20
        or      t0, t0, t1
        sw      t0, 0(s0)
        li      t0, 0x00008067                  # ret
        sw      t0, 4(s0)
        fence.i
        jalr    s0
        report  a0
        addi    s1, s1, 1
        li      t0, 3
        blt     s1, t0, 1b
        # The same across the end of a page.
        la      s0, edge
        li      s1, 0
2:      li      t0, 0x00000513
        slli    t1, s1, 20
        or      t0, t0, t1
        sh      t0, 0(s0)
        srli    t0, t0, 16
        sh      t0, 2(s0)
        li      t0, 0x8082                      # ret
        sh      t0, 4(s0)
        fence.i
        jalr    s0
        report  a0
        addi    s1, s1, 1
        li      t0, 3
        blt     s1, t0, 2b
        # This very page, from within a loop.
        li      s1, 0
3:      li      t0, 0x00000513
        slli    t1, s1, 20
        or      t0, t0, t1
        la      t1, here
        sw      t0, 0(t1)
        fence.i
        .option push
        .option norvc
        .balign 4
here:   li      a0, 99
        .option pop
        report  a0
        addi    s1, s1, 1
        li      t0, 3
        blt     s1, t0, 3b
        finish
        .balign 4096
place:  .zero   4094
edge:   .zero   4098
