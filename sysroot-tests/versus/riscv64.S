# The frame of a test program. x31 holds the address of a state, x30 the return address; neither is tested.
#   test STATE, WIDTH, WORD, BASE   load a state, point register BASE at the scratch memory, run, report
# A state is x0..x31, f0..f31, fcsr and, in a report, the digest of the scratch memory.
    .option norelax

    .macro test state, width, word, base
    lla x31, states + \state * 528
    jal x30, load
    .ifnb \base
    lla \base, scratch + 4096
    .endif
    .if \width == 16
    .2byte \word
    .2byte 1                      # c.nop keeps the next one aligned
    .else
    .4byte \word
    .endif
    lla x31, report
    jal x30, save
    .endm

    .text
    .globl _start
_start:
    j tests

load:
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
    li a2, 528
    li a7, 64
    ecall
    jr x30

finish:
    li a0, 0
    li a7, 94
    ecall

    .bss
    .balign 4096
scratch: .skip 8192
report: .skip 528
    .text
tests:
