// Every processor adds to two counters, in one step and by exclusives; the first one starts the
// others by PSCI, and reports.
        mrs     x19, mpidr_el1
        and     x19, x19, #0xff
        cbnz    x19, work
        mov     x20, #1
1:      load    x0, 0xc4000003                  // CPU_ON
        mov     x1, x20
        adr     x2, secondary
        add     x3, x20, #0x100
        hvc     #0
        cbnz    x0, bad
        add     x20, x20, #1
        cmp     x20, #4
        b.lo    1b
        // It is on already.
        load    x0, 0xc4000003
        mov     x1, #1
        hvc     #0
        report  x0
        // The others have waited for that.
        adr     x1, counters
        add     x4, x1, #192
        mov     x5, #1
        stlr    x5, [x4]
        b       work
secondary:
        mrs     x19, mpidr_el1
        and     x19, x19, #0xff
        // The argument.
        sub     x0, x0, #0x100
        cmp     x0, x19
        b.ne    bad
        adr     x1, counters
        add     x4, x1, #192
6:      ldar    x5, [x4]
        cbz     x5, 6b
work:   adr     x1, counters
        mov     x2, #20000
        mov     x3, #1
2:      ldadd   x3, xzr, [x1]
        add     x4, x1, #64
3:      ldaxr   x5, [x4]
        add     x5, x5, #1
        stlxr   w6, x5, [x4]
        cbnz    w6, 3b
        sub     x2, x2, #1
        cbnz    x2, 2b
        add     x4, x1, #128
        ldaddal x3, xzr, [x4]
        cbnz    x19, 5f
4:      ldar    x5, [x4]
        wfe
        cmp     x5, #4
        b.ne    4b
        ldr     x0, [x1]
        report  x0
        ldr     x0, [x1, #64]
        report  x0
        finish
bad:    report  x0
5:      load    x0, 0x84000002                  // CPU_OFF
        hvc     #0
        b       bad
        .balign 4096
counters: .zero 4096
