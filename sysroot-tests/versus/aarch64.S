// The frame of a test program. x28 holds the address of a state, x27 the return address; neither is tested.
//   test STATE, WIDTH, WORD, BASE, INDEX, LANDING
// loads a state, points BASE at the scratch memory, sets INDEX small, points LANDING at the place that is reached
// by a jump of two words, runs WORD and reports.
// A state is x0..x30, sp, v0..v31, nzcv, fpcr, fpsr and, in a report, the digest of the scratch memory, the number
// and code of a signal, its address, its pc, and whether the jump was taken.
    .equ STATE_SIZE, 832
    .equ REPORT, 800
    .macro address reg, label, offset=0
    adrp \reg, \label + \offset
    add \reg, \reg, :lo12:(\label + \offset)
    .endm

    .macro test state, width, word, base, index, landing
    address x28, states, \state * STATE_SIZE
    bl_27 load
    .ifnb \base
    address x27, scratch, 4096
    mov \base, x27
    .endif
    .ifnb \index
    mov \index, #24
    .endif
    .ifnb \landing
    adr \landing, 3f
    .endif
    address x28, report
    adr x27, 2f
    .inst \word
    b save
3:  b taken
2:
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
    address x0, alternate
    mov x1, #0
    mov x8, #132                   // sigaltstack
    svc #0
    .irp n,4,5,7,11                // SIGILL, SIGTRAP, SIGBUS, SIGSEGV
    mov x0, #\n
    address x1, action
    mov x2, #0
    mov x3, #8
    mov x8, #134                   // rt_sigaction
    svc #0
    .endr
    b tests

// Notes the signal and goes on at `save` with the registers as they are.
handler:
    address x3, report
    ldr w4, [x1]
    ldr w5, [x1, #8]
    orr x4, x4, x5, lsl #32
    str x4, [x3, #REPORT]
    ldr x4, [x1, #16]
    str x4, [x3, #REPORT + 8]
    ldr x4, [x2, #440]
    str x4, [x3, #REPORT + 16]
    address x4, save
    str x4, [x2, #440]
    ret
restorer:
    mov x8, #139                   // rt_sigreturn
    svc #0

load:
    address x0, report
    .irp n,0,8,16,24
    str xzr, [x0, #REPORT + \n]
    .endr
    clrex
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

taken:
    str x27, [x28, #REPORT + 24]
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
    mov x2, #STATE_SIZE
    mov x8, #64
    svc #0
    br x27

finish:
    mov x0, #0
    mov x8, #94
    svc #0
    .ltorg

    .data
    .balign 8
alternate: .quad stack, 0, 65536
action: .quad handler, 0x4c000004, restorer, 0  // SA_SIGINFO, SA_RESTORER, SA_ONSTACK, SA_NODEFER

    .bss
    .balign 4096
stack: .skip 65536
scratch: .skip 8192
report: .skip STATE_SIZE
beyond: .skip 131072               // in reach of large displacements
    .text
tests:
