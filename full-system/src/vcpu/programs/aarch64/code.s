// Code that changes: elsewhere in memory, and this very page from within a loop.
        adr     x19, place
        mov     x20, #0
1:      mov     w0, #0x52800000                 // mov w0, #N
        orr     w0, w0, w20, lsl #5
        str     w0, [x19]
        load    x1, 0xd65f03c0                  // ret
        str     w1, [x19, #4]
        dc      cvau, x19
        dsb     ish
        ic      ivau, x19
        dsb     ish
        isb
        blr     x19
        report  x0
        add     x20, x20, #1
        cmp     x20, #3
        b.lo    1b
        mov     x20, #0
2:      mov     w0, #0x52800000
        orr     w0, w0, w20, lsl #5
        adr     x1, here
        str     w0, [x1]
        ic      iallu
        dsb     ish
        isb
here:   mov     w0, #99
        report  x0
        add     x20, x20, #1
        cmp     x20, #3
        b.lo    2b
        finish
        .balign 4096
place:  .zero   4096
