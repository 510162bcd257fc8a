# Runs single instructions on given states: reads cases from standard input until its end, writes
# what became of each to standard output. Layouts, in doublewords:
#   case: code, window address, fcsr, window[8], x[32], f[32]
#   out:  fcsr, taken, window[8], x[32], f[32]
# The instruction stands at `slot`; a branch goes to slot + 8 ("taken") or behind itself.
        .option norvc
        .option norelax
        .equ    CASE, 600
        .equ    OUT, 592
        .macro  each_x op, base
        .irp    n, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30
        \op     x\n, \base + 8 * \n (t6)
        .endr
        .endm
        .macro  each_f op, base
        .irp    n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
        \op     f\n, \base + 8 * \n (t6)
        .endr
        .endm

        .section .text, "ax"
        .globl  _start
_start:
next:   li      s0, 0
1:      li      a7, 63                  # read
        li      a0, 0
        la      a1, case
        add     a1, a1, s0
        li      a2, CASE
        sub     a2, a2, s0
        ecall
        blez    a0, finish
        add     s0, s0, a0
        li      t0, CASE
        bltu    s0, t0, 1b

        la      t0, slot
        la      t6, case
        lw      t1, 0(t6)
        sw      t1, 0(t0)
        fence.i
        la      t1, out
        sd      zero, 8(t1)
        ld      t0, 8(t6)
        .irp    n, 0,1,2,3,4,5,6,7
        ld      t1, 24 + 8 * \n (t6)
        sd      t1, 8 * \n (t0)
        .endr
        la      t0, out
        sc.w    zero, zero, (t0)        # no reservation is left from the case before
        ld      t0, 16(t6)
        fscsr   t0
        each_f  fld, 344
        each_x  ld, 88
        j       slot

finish: li      a7, 93                  # exit
        li      a0, 0
        ecall

behind: la      t6, out
        each_x  sd, 80
        each_f  fsd, 336
        frcsr   t0
        sd      t0, 0(t6)
        la      t1, case
        ld      t0, 8(t1)
        .irp    n, 0,1,2,3,4,5,6,7
        ld      t1, 8 * \n (t0)
        sd      t1, 16 + 8 * \n (t6)
        .endr
        li      s0, 0
2:      li      a7, 64                  # write
        li      a0, 1
        la      a1, out
        add     a1, a1, s0
        li      a2, OUT
        sub     a2, a2, s0
        ecall
        blez    a0, finish
        add     s0, s0, a0
        li      t0, OUT
        bltu    s0, t0, 2b
        j       next

        .section .slot, "awx"
slot:   .word   0
        j       behind
        la      t6, out                 # slot + 8
        sd      t6, 8(t6)
        j       behind

        .section .case, "aw"
case:   .skip   CASE
        .section .out, "aw"
out:    .skip   OUT
        .section .window, "aw"
        .skip   64
