# Runs single instructions on given states of the vector unit: reads cases from standard input until
# its end, writes what became of each to standard output. Layouts, in doublewords:
#   case: code, window address, fcsr, vtype, vl, vstart, vcsr, 0, window[64], x[32], f[32], v[64]
#   out:  fcsr, illegal, vtype, vl, vstart, vcsr, 0, 0, window[64], x[32], f[32], v[64]
        .option norvc
        .option norelax
        .equ    CASE, 8 * 200
        .equ    AT_X, 8 * 72
        .equ    AT_F, 8 * 104
        .equ    AT_V, 8 * 136
        .macro  each_x op
        .irp    n, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30
        \op     x\n, AT_X + 8 * \n (t6)
        .endr
        .endm
        .macro  each_f op
        .irp    n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
        \op     f\n, AT_F + 8 * \n (t6)
        .endr
        .endm
        .macro  each_v op
        .irp    n, 0,8,16,24
        \op     v\n, (t0)
        addi    t0, t0, 128
        .endr
        .endm

        .section .text, "ax"
        .globl  _start
_start: li      a7, 134                 # rt_sigaction of SIGILL
        li      a0, 4
        la      a1, action
        li      a2, 0
        li      a3, 8
        ecall
        li      a7, 132                 # sigaltstack, for any sp
        la      a0, stack
        li      a1, 0
        ecall
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
        ld      t0, 8(t6)               # window
        addi    t2, t6, 64
        li      t3, 64
2:      ld      t1, 0(t2)
        sd      t1, 0(t0)
        addi    t2, t2, 8
        addi    t0, t0, 8
        addi    t3, t3, -1
        bnez    t3, 2b
        ld      t0, 16(t6)
        fscsr   t0
        each_f  fld
        li      t0, AT_V
        add     t0, t0, t6
        each_v  vl8re8.v
        ld      t0, 32(t6)
        ld      t1, 24(t6)
        vsetvl  zero, t0, t1
        ld      t0, 48(t6)
        csrw    vcsr, t0
        ld      t0, 40(t6)
        csrw    vstart, t0
        each_x  ld
        j       slot

finish: li      a7, 93                  # exit
        li      a0, 0
        ecall

        # The instruction is passed over.
handler: la     t0, out
        li      t1, 1
        sd      t1, 8(t0)
        ld      t0, 176(a2)
        addi    t0, t0, 4
        sd      t0, 176(a2)
        ret

behind: la      t6, out
        each_x  sd
        each_f  fsd
        frcsr   t0
        sd      t0, 0(t6)
        csrr    t0, vtype
        sd      t0, 16(t6)
        csrr    t0, vl
        sd      t0, 24(t6)
        csrr    t0, vstart
        sd      t0, 32(t6)
        csrr    t0, vcsr
        sd      t0, 40(t6)
        csrw    vstart, zero
        vsetivli zero, 1, e8, m1, ta, ma
        li      t0, AT_V
        add     t0, t0, t6
        each_v  vs8r.v
        la      t1, case
        ld      t0, 8(t1)
        addi    t2, t6, 64
        li      t3, 64
3:      ld      t1, 0(t0)
        sd      t1, 0(t2)
        addi    t2, t2, 8
        addi    t0, t0, 8
        addi    t3, t3, -1
        bnez    t3, 3b
        li      s0, 0
2:      li      a7, 64                  # write
        li      a0, 1
        la      a1, out
        add     a1, a1, s0
        li      a2, CASE
        sub     a2, a2, s0
        ecall
        blez    a0, finish
        add     s0, s0, a0
        li      t0, CASE
        bltu    s0, t0, 2b
        j       next

        .section .slot, "awx"
slot:   .word   0
        j       behind

        .section .case, "aw"
        .balign 16
case:   .skip   CASE
action: .dword  handler, 0x8000004, 0   # SA_SIGINFO, SA_ONSTACK
stack:  .dword  room, 0, 65536
room:   .skip   65536
        .section .out, "aw"
        .balign 16
out:    .skip   CASE
        .section .window, "aw"
        .skip   512
