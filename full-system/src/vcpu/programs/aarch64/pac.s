// Pointer authentication: off until SCTLR_EL1 enables a key; every half of a key counts.
        .arch   armv8.4-a
        install
        load    x0, 0x3fa912c477d05b1e
        msr     apiakeylo_el1, x0
        adr     x19, _start
        mov     x20, x19
        mov     x1, #5
        pacia   x20, x1
        cmp     x20, x19
        cset    x0, eq                          // off: nothing happens
        report  x0
        mrs     x0, sctlr_el1
        orr     x0, x0, #1 << 31
        msr     sctlr_el1, x0
        isb
        pacia   x20, x1
        cmp     x20, x19
        cset    x0, ne
        report  x0
        mov     x21, x20
        autia   x21, x1
        cmp     x21, x19
        cset    x0, eq
        report  x0
        // With another high half it does not authenticate, and does when that is back.
        load    x0, 0x1234567890abcdef
        msr     apiakeyhi_el1, x0
        isb
        mov     x21, x20
        autia   x21, x1
        cmp     x21, x19
        cset    x0, ne
        report  x0
        msr     apiakeyhi_el1, xzr
        isb
        autia   x20, x1
        cmp     x20, x19
        cset    x0, eq
        report  x0
        mrs     x0, apiakeylo_el1
        report  x0
        // The other instruction key is still off.
        mov     x20, x19
        pacib   x20, x1
        cmp     x20, x19
        cset    x0, eq
        report  x0
        // ERETAA.
        adr     x0, at_user
        pacia   x0, sp
        msr     elr_el1, x0
        msr     spsr_el1, xzr
        eretaa
at_user:
        svc     #0
on_sync:
        mrs     x0, elr_el1
        adr     x1, on_sync
        cmp     x0, x1
        cset    x0, eq
        report  x0
        finish
on_irq: b       .
        vectors on_sync, on_irq
