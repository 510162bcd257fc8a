// The virtual and the physical timer: while spinning and while waiting, from EL1 and from EL0.
        install
        mrs     x0, cntfrq_el0
        report  x0
        mov     x19, #0
        msr     daifclr, #2
        // Due at once, but masked by the timer itself.
        mrs     x0, cntvct_el0
        msr     cntv_cval_el0, x0
        mov     x1, #3
        msr     cntv_ctl_el0, x1
        mrs     x1, cntv_ctl_el0
        report  x1
        report  x19
        // Spinning.
        mov     x0, #0x8000
        msr     cntv_tval_el0, x0
        mov     x1, #1
        msr     cntv_ctl_el0, x1
1:      cbz     x19, 1b
        report  x19
        // Waiting, with interrupts masked: it wakes, and is taken when they are let through.
        mov     x19, #0
        msr     daifset, #2
        mrs     x20, cntpct_el0
        mov     x0, #0x8000
        add     x21, x20, x0
        msr     cntp_cval_el0, x21
        mov     x1, #1
        msr     cntp_ctl_el0, x1
        wfi
        report  x19
        mrs     x0, cntpct_el0
        cmp     x0, x21
        cset    x0, hs
        report  x0
        report_reg isr_el1
        msr     daifclr, #2
        report  x19
        // From EL0.
        mov     x19, #0
        mov     x0, #0x8000
        msr     cntv_tval_el0, x0
        mov     x1, #1
        msr     cntv_ctl_el0, x1
        user    spin
spin:   cbz     x19, spin
        svc     #0
on_sync:
        report  x19
        mrs     x0, spsr_el1
        report  x0
        finish
on_irq: // 1 virtual, 2 physical.
        mrs     x0, cntv_ctl_el0
        tbz     x0, #2, 1f
        orr     x19, x19, #1
        msr     cntv_ctl_el0, xzr
1:      mrs     x0, cntp_ctl_el0
        tbz     x0, #2, 2f
        orr     x19, x19, #2
        msr     cntp_ctl_el0, xzr
2:      eret
        vectors on_sync, on_irq
