// Exceptions from EL1 and EL0: the syndrome, the place, the state; then what EL0 may do.
        install
        mov     x19, #0
        mrs     x0, currentel
        report  x0
        mrs     x0, daif
        report  x0
        svc     #0x123
        brk     #0x42
        udf     #7
        hvc     #1                              // nobody listens
        msr     daifclr, #0xf
        mrs     x0, daif
        report  x0
        // The other stack pointer, and flags, survive.
        mov     sp, x19
        msr     spsel, #0
        mov     x0, #0x100
        mov     sp, x0
        cmp     x0, #0x101
        svc     #1
        mrs     x0, nzcv
        report  x0
        mov     x0, sp
        report  x0
        msr     spsel, #1
        mrs     x0, sp_el0
        report  x0
        // Floating point is off.
        fmov    d0, #1.0
        mov     x0, #3 << 20
        msr     cpacr_el1, x0
        isb
        fmov    d0, #1.0
        fmov    x0, d0
        report  x0
        // No memory there: a load, a store, a fetch.
        mov     x1, #0x40000000
        mov     x0, #77
        ldr     x0, [x1, #8]
        report  x0
        str     x0, [x1, #16]
        adr     x30, 1f
        br      x1
1:      mov     x1, #2
        adr     x30, 1f
        br      x1                              // misaligned
1:      adr     x1, _start
        add     x1, x1, #1
        ldxr    x0, [x1]                        // misaligned
        user    at_user
at_user:
        svc     #5
        mrs     x0, sctlr_el1                   // undefined
        mrs     x0, ctr_el0                     // trapped
        msr     daifset, #2                     // trapped
        dc      zva, x1                         // trapped
        wfi                                     // trapped
        mrs     x0, cntvct_el0                  // trapped
        eret                                    // undefined
        fmov    x0, d0
        report  x0
        svc     #0x600d
        .balign 8
on_sync:
        mrs     x20, esr_el1
        report  x20
        mrs     x21, elr_el1
        adr     x22, _start
        sub     x23, x21, x22
        mrs     x24, spsr_el1
        report  x24
        lsr     x25, x20, #26
        // Aborts and misaligned fetches have an address.
        cmp     x25, #0x22
        b.eq    fetch
        cmp     x25, #0x21
        b.eq    fetch
        cmp     x25, #0x25
        b.ne    1f
        report_reg far_el1
1:      load    x26, 0x5600600d
        cmp     x20, x26
        b.eq    over
        // What comes back to the next instruction.
        cmp     x25, #0x15
        b.eq    2f
        add     x21, x21, #4
        msr     elr_el1, x21
2:      eret
fetch:  report_reg far_el1
        msr     elr_el1, x30
        eret
over:   finish
on_irq: b       .
        vectors on_sync, on_irq
