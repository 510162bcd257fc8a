# Sv39: 1 GiB identity mapping of memory, devices, and pages with all rights and none.
        open_memory
        la      t0, mhandler
        csrw    mtvec, t0
        li      t0, 0xb100
        csrw    medeleg, t0
        li      t0, 1 << 61                     # ADUE
        csrw    menvcfg, t0
        # 0x8000_0000: a leaf of 1 GiB for supervisor mode; 0: one for devices.
        la      s1, root
        li      t0, (0x80000000 >> 2) | 0xcf
        sd      t0, 16(s1)
        li      t0, 0xc7
        sd      t0, 0(s1)
        # 0x4000_0000: through two levels to pages.
        la      t0, middle
        srli    t1, t0, 2
        ori     t1, t1, 1
        sd      t1, 8(s1)
        la      t2, leaves
        srli    t1, t2, 2
        ori     t1, t1, 1
        sd      t1, 0(t0)
        la      s2, leaves
        la      s3, data
        srli    s3, s3, 2
        ori     t1, s3, 0x07                    # read, write
        sd      t1, 0(s2)
        ori     t1, s3, 0x03                    # read
        sd      t1, 8(s2)
        ori     t1, s3, 0x17                    # user
        sd      t1, 16(s2)
        li      t0, 8 << 60
        srli    t1, s1, 12
        or      t0, t0, t1
        csrw    satp, t0
        sfence.vma
        la      t0, handler
        csrw    stvec, t0
        supervisor start
start:  li      a0, 0x40000000
        ld      a1, 8(a0)
        report  a1
        ld      a2, 0(s2)                       # accessed
        andi    a2, a2, 0xff
        report  a2
        sd      a1, 16(a0)
        ld      a2, 0(s2)                       # and dirty
        andi    a2, a2, 0xff
        report  a2
        li      a0, 0x40001000
        ld      a1, 16(a0)
        report  a1
        sd      a1, 16(a0)                      # faults
        li      a0, 0x40002000
        ld      a1, 0(a0)                       # faults
        li      t0, 1 << 18
        csrs    sstatus, t0
        ld      a1, 8(a0)
        report  a1
        csrc    sstatus, t0
        li      a0, 0x40003000
        ld      a1, 0(a0)                       # faults
        # Across two pages of which the second is not there.
        li      a0, 0x40002ffc
        csrs    sstatus, t0
        ld      a1, 0(a0)                       # faults
        # Another page at a known address.
        li      a0, 0x40000000
        la      t1, other
        srli    t1, t1, 2
        ori     t1, t1, 0xc7
        sd      t1, 0(s2)
        sfence.vma a0
        ld      a1, 8(a0)
        report  a1
        li      a0, 0x40004000
        la      ra, after
        jr      a0                              # faults
after:
        .ifdef  STAY                            # under the tables
        finish
        .endif
        ecall
        .balign 4
handler:
        csrr    t3, scause
        report  t3
        report_csr stval
        csrr    t4, sepc
        addi    t4, t4, 4
        li      t1, 12
        bne     t3, t1, 1f
        mv      t4, ra
1:      csrw    sepc, t4
        sret
        .balign 4
mhandler:
        report_csr mcause
        finish
        .balign 4096
root:   .zero   4096
middle: .zero   4096
leaves: .zero   4096
data:   .quad   1, 0x1111, 3
        .balign 4096
other:  .quad   1, 0x2222, 3
        .balign 4096
