# The frame of a test program. x31 holds the address of a state, x30 the return address; neither is tested.
#   test STATE, WIDTH, WORD, BASE, INDEX, LANDING
# loads a state, points register BASE at the scratch memory and LANDING at the place that is reached by a jump of
# eight bytes, runs WORD and reports.
# A state is x0..x31, f0..f31, fcsr and, in a report, the digest of the scratch memory, the number and code of a
# signal, its address, its pc, and whether the jump was taken.
    .option norelax
    .option norvc                 # jumps of the frame have one size
    .equ STATE_SIZE, 560
    .equ REPORT, 528

    .macro test state, width, word, base, index, landing
    lla x31, states + \state * STATE_SIZE
    jal x30, load
    .ifnb \base
    lla \base, scratch + 4096
    .endif
    .ifnb \landing
    lla \landing, 3f
    .endif
    lla x31, report
    lla x30, 2f
    .if \width == 16
    .2byte \word
    .2byte 1                      # c.nop keeps the next one aligned
    .else
    .4byte \word
    .endif
    j save
3:  j taken
2:
    .endm

    .text
    .globl _start
_start:
    lla a0, alternate
    li a1, 0
    li a7, 132                     # sigaltstack
    ecall
    .irp n,4,5,7,11                # SIGILL, SIGTRAP, SIGBUS, SIGSEGV
    li a0, \n
    lla a1, action
    li a2, 0
    li a3, 8
    li a7, 134                     # rt_sigaction
    ecall
    .endr
    j tests

# Notes the signal and goes on at `save` with the registers as they are.
handler:
    lla a3, report
    lwu a4, 0(a1)
    lwu a5, 8(a1)
    slli a5, a5, 32
    or a4, a4, a5
    sd a4, REPORT(a3)
    ld a4, 16(a1)
    sd a4, REPORT+8(a3)
    ld a4, 176(a2)
    sd a4, REPORT+16(a3)
    lla a4, save
    sd a4, 176(a2)
    ret

load:
    lla x1, report
    .irp n,0,8,16,24
    sd x0, REPORT+\n(x1)
    .endr
    sc.w x0, x0, (x1)              # no reservation is left
    ld x1, 512(x31)
    fscsr x1
    .irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    fld f\n, 256+8*\n(x31)
    .endr
    lla x1, scratch                # the same contents for every test
    li x2, 1024
    li x3, 0x9e3779b97f4a7c15
    mv x4, x3
1:  sd x4, 0(x1)
    add x4, x4, x3
    addi x1, x1, 8
    addi x2, x2, -1
    bnez x2, 1b
    .irp n,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29
    ld x\n, 8*\n(x31)
    .endr
    jr x30

taken:
    sd x30, REPORT+24(x31)
save:
    .irp n,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29
    sd x\n, 8*\n(x31)
    .endr
    .irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    fsd f\n, 256+8*\n(x31)
    .endr
    frcsr x1
    sd x1, 512(x31)
    lla x1, scratch
    li x2, 1024
    li x3, 0
    li x5, 31
1:  ld x4, 0(x1)
    mul x3, x3, x5
    add x3, x3, x4
    addi x1, x1, 8
    addi x2, x2, -1
    bnez x2, 1b
    sd x3, 520(x31)
    li a0, 1
    mv a1, x31
    li a2, STATE_SIZE
    li a7, 64
    ecall
    jr x30

finish:
    li a0, 0
    li a7, 94
    ecall

    .data
    .balign 8
alternate: .quad stack, 0, 65536
action: .quad handler, 0x48000004, 0  # SA_SIGINFO, SA_ONSTACK, SA_NODEFER

    .bss
    .balign 4096
stack: .skip 65536
scratch: .skip 8192
report: .skip STATE_SIZE
beyond: .skip 8192
    .text
tests:
