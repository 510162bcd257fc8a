// What every program begins with. Reports go to a device at 0x10000000 that remembers 64-bit words.
        .arch   armv8.4-a
        .macro report value
        mov     x28, #0x10000000
        str     \value, [x28]
        .endm
        .macro report_reg name
        mrs     x27, \name
        report  x27
        .endm
        .macro finish
        mov     x28, #0x1000
        movk    x28, #0x1000, lsl #16
        str     xzr, [x28]
1:      wfi
        b       1b
        .endm
        // A vector table whose entries all go to labels, by kind.
        .macro vectors sync, irq
        .balign 2048
vectors:
        .rept   4
        .balign 128
        b       \sync
        .balign 128
        b       \irq
        .balign 128
        b       .
        .balign 128
        b       .
        .endr
        .endm
        .macro install
        adrp    x0, vectors
        add     x0, x0, :lo12:vectors
        msr     vbar_el1, x0
        isb
        .endm
        // Goes to a label at EL0, with interrupts enabled.
        .macro user label
        adr     x0, \label
        msr     elr_el1, x0
        msr     spsr_el1, xzr
        eret
        .endm
        .macro load reg, value
        movz    \reg, #((\value) & 0xffff)
        movk    \reg, #(((\value) >> 16) & 0xffff), lsl #16
        movk    \reg, #(((\value) >> 32) & 0xffff), lsl #32
        movk    \reg, #(((\value) >> 48) & 0xffff), lsl #48
        .endm
        .text
        .globl  _start
_start:
