// The frame of a test program. x28 holds the address of a state, x27 the return address; neither is tested.
//   test STATE, WIDTH, WORD, BASE, INDEX   load a state, point BASE at the scratch memory, set INDEX small, run, report
// A state is x0..x30, sp, v0..v31, nzcv, fpcr, fpsr and, in a report, the digest of the scratch memory.
    .macro address reg, label, offset=0
    adrp \reg, \label + \offset
    add \reg, \reg, :lo12:(\label + \offset)
    .endm

    .macro test state, width, word, base, index
    address x28, states, \state * 800
    bl_27 load
    .ifnb \base
    address x27, scratch, 4096
    mov \base, x27
    .endif
    .ifnb \index
    mov \index, #24
    .endif
    .inst \word
    address x28, report
    bl_27 save
    .endm

    // A call that leaves x30 alone.
    .macro bl_27 label
    adr x27, 1f
    b \label
1:
    .endm

    .text
    .globl _start
_start:
    b tests

load:
    ldr x0, [x28, #768]
    msr nzcv, x0
    ldr x0, [x28, #776]
    msr fpcr, x0
    ldr x0, [x28, #784]
    msr fpsr, x0
    ldr x0, [x28, #248]
    mov sp, x0
    .irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    ldr q\n, [x28, #256+16*\n]
    .endr
    address x1, scratch
    mov x2, #1024
    ldr x3, =0x9e3779b97f4a7c15
    mov x4, x3
1:  str x4, [x1], #8
    add x4, x4, x3
    sub x2, x2, #1
    cbnz x2, 1b
    .irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,29,30
    ldr x\n, [x28, #8*\n]
    .endr
    br x27

save:
    .irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,29,30
    str x\n, [x28, #8*\n]
    .endr
    .irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    str q\n, [x28, #256+16*\n]
    .endr
    mrs x0, nzcv
    str x0, [x28, #768]
    mrs x0, fpcr
    str x0, [x28, #776]
    mrs x0, fpsr
    str x0, [x28, #784]
    // The stack pointer may have become an address in the scratch memory, which is alike in both emulators.
    mov x0, sp
    str x0, [x28, #248]
    address x1, scratch
    mov x2, #1024
    mov x3, #0
    mov x5, #31
1:  ldr x4, [x1], #8
    madd x3, x3, x5, x4
    sub x2, x2, #1
    cbnz x2, 1b
    str x3, [x28, #792]
    mov x0, #1
    mov x1, x28
    mov x2, #800
    mov x8, #64
    svc #0
    br x27

finish:
    mov x0, #0
    mov x8, #94
    svc #0
    .ltorg

    .bss
    .balign 4096
scratch: .skip 8192
report: .skip 800
    .text
tests:
