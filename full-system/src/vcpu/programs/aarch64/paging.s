// Tables with the granule that GRAIN says: a block for memory and one for devices, and pages at
// 0x40000000, which the upper half has as well.
        .set    PAGE, 1 << GRAIN
        .if     GRAIN == 12
        .set    TSZ, 25                         // level 1: 1 GiB
        .set    TG0, 0
        .set    TG1, 2
        .set    BLOCK, 30
        .endif
        .if     GRAIN == 14
        .set    TSZ, 28                         // level 2: 32 MiB
        .set    TG0, 2
        .set    TG1, 1
        .set    BLOCK, 25
        .endif
        .if     GRAIN == 16
        .set    TSZ, 22                         // level 2: 512 MiB
        .set    TG0, 1
        .set    TG1, 3
        .set    BLOCK, 29
        .endif
        .set    TCR, TSZ | TSZ << 16 | TG0 << 14 | TG1 << 30 | 5 << 32
        .set    AF, 1 << 10
        .set    USER, 1 << 6
        .set    RO, 1 << 7
        .set    DBM, 1 << 51
        .macro  entry index, value
        load    x0, (\value)
        add     x0, x0, x20
        str     x0, [x19, #8 * (\index)]
        .endm
        install
        adrp    x20, _start
        adrp    x1, root
        load    x0, (0x10000000 >> BLOCK << BLOCK) | AF | 1
        load    x2, 8 * (0x10000000 >> BLOCK)
        str     x0, [x1, x2]
        load    x0, (0x80000000 | AF | 1)
        load    x2, 8 * (0x80000000 >> BLOCK)
        str     x0, [x1, x2]
        adrp    x19, leaves
        orr     x0, x19, #3
        .if     GRAIN == 12
        adrp    x3, middle
        str     x0, [x3]
        orr     x0, x3, #3
        .endif
        load    x2, 8 * (0x40000000 >> BLOCK)
        str     x0, [x1, x2]
        // Pages: 0 no access flag, 1 read-only, 2 for EL0, 3 nothing, 4 read-only but may become dirty.
        entry   0, (data - _start + 3)
        entry   1, (data - _start + AF + RO + 3)
        entry   2, (data - _start + AF + USER + 3)
        entry   4, (data - _start + AF + RO + DBM + 3)
        msr     ttbr0_el1, x1
        msr     ttbr1_el1, x1
        load    x0, TCR
        msr     tcr_el1, x0
        isb
        mrs     x0, sctlr_el1
        orr     x0, x0, #1
        msr     sctlr_el1, x0
        isb
        mov     x21, #0x40000000
        // The access flag: a fault, then set by hardware.
        ldr     x0, [x21, #8]
        load    x0, TCR | 1 << 39 | 1 << 40 | 1 << 37
        msr     tcr_el1, x0
        isb
        ldr     x0, [x21, #8]
        report  x0
        ldr     x0, [x19]
        and     x0, x0, #AF
        report  x0
        // The upper half.
        load    x1, -(1 << (64 - TSZ)) + 0x40000000
        ldr     x0, [x1, #8]
        report  x0
        // Read-only, and dirty by hardware.
        load    x1, 0x40000000 + PAGE
        ldr     x0, [x1, #8]
        report  x0
        str     x0, [x1, #8]
        load    x1, 0x40000000 + 4 * PAGE
        ldr     x0, [x1, #8]
        str     x0, [x1, #16]
        ldr     x0, [x19, #32]
        and     x0, x0, #RO
        report  x0
        // EL0's page: PAN, unprivileged loads, execution.
        load    x1, 0x40000000 + 2 * PAGE
        msr     pan, #0
        ldr     x0, [x1, #8]
        report  x0
        msr     pan, #1
        ldr     x0, [x1, #8]
        ldtr    x0, [x1, #8]
        report  x0
        ldtr    x0, [x21, #8]
        sttr    x0, [x21, #8]
        adr     x30, 1f
        br      x1
1:      // Nothing, beyond the address space, across pages of which one is not there.
        load    x1, 0x40000000 + 3 * PAGE
        ldr     x0, [x1]
        load    x1, 1 << (64 - TSZ)
        ldr     x0, [x1]
        load    x1, 0x40000000 + 3 * PAGE - 4
        msr     pan, #0
        str     x0, [x1]
        // Tags.
        load    x1, 0x5500000040000000
        ldr     x0, [x1, #8]
        report  x0
        // AT.
        at      s1e1r, x21
        isb
        mrs     x0, par_el1
        lsl     x0, x0, #16
        lsr     x0, x0, #28
        lsl     x0, x0, #12
        adr     x2, data
        sub     x0, x0, x2
        report  x0
        load    x1, 0x40000000 + 3 * PAGE
        at      s1e0w, x1
        isb
        report_reg par_el1
        // Another page at a known address, which its tagged form forgets as well.
        entry   0, (other - _start + AF + 3)
        dsb     ishst
        lsr     x1, x21, #12
        tlbi    vaae1is, x1
        dsb     ish
        isb
        ldr     x0, [x21, #8]
        report  x0
        load    x1, 0x5500000040000000
        ldr     x0, [x1, #8]
        report  x0
        finish
        .balign 8
on_sync:
        mrs     x22, esr_el1
        report  x22
        report_reg far_el1
        mrs     x23, elr_el1
        add     x23, x23, #4
        lsr     x22, x22, #26
        cmp     x22, #0x21
        csel    x23, x30, x23, eq
        msr     elr_el1, x23
        eret
on_irq: b       .
        vectors on_sync, on_irq
        .balign 65536
root:   .zero   65536
leaves: .zero   65536
middle: .zero   65536
data:   .quad   1, 0x1111, 3
        .balign 65536
other:  .quad   1, 0x2222, 3
        .balign 65536
