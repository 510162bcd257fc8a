# Each label is a case: what stands between it and the next one is translated by itself.
# The registers are those that compilers use most, unless a case is about the others.
.option norelax
add_imm:            addi a0, a0, 1
add_reg:            add a0, a1, a2
add_unpinned:       add s8, s9, s10
add_word:           addw a0, a1, a2
compare_and_set:    slt a0, a1, a2
compare_and_branch: beq a0, a1, . + 0xf00
load_double:        ld a0, 16(sp)
load_byte_signed:   lb a0, 3(a1)
load_unpinned:      ld s8, 0(s9)
store_word:         sw a0, 8(s0)
multiply_wide:      mul a0, a1, a2
                    mulhu a3, a1, a2
divide:             divu a0, a1, a2
rotate:             srliw a3, a0, 7
                    slliw a4, a0, 25
                    or a3, a3, a4
rotate_zbb:         roriw a0, a0, 7
index:              slli a4, a1, 3
                    add a4, a4, a0
                    ld a4, 0(a4)
index_zba:          sh3add a4, a1, a0
                    ld a4, 0(a4)
carry:              add a0, a0, a2
                    sltu a3, a0, a2
                    add a1, a1, a3
constant:           lui a0, 0x12345
                    addiw a0, a0, 0x678
float_add:          fadd.d fa0, fa1, fa2
float_multiply_add: fmadd.d fa0, fa1, fa2, fa0
float_sum:          fmadd.d fa0, fa1, fa2, fa3
                    fadd.d fa0, fa0, fa4
                    fmul.d fa5, fa1, fa4
                    fadd.d fa4, fa1, fa2
float_sign:         fsgnj.d fa0, fa1, fa2
float_rounded:      fcvt.d.l fa0, a0, rdn
float_compare:      flt.d a0, fa0, fa1
float_convert:      fcvt.w.d a0, fa0, rtz
float_load:         fld fa0, 8(a0)
                    fadd.d fa0, fa0, fa1
atomic_add:         amoadd.d a0, a1, (a2)
exclusive_loop:     lr.w a3, (a0)
                    bne a3, a1, . + 12
                    sc.w a4, a2, (a0)
                    bnez a4, exclusive_loop
loop:               addi a0, a0, -1
                    add a1, a1, a0
                    bnez a0, loop
extend_word:        slli a0, a1, 32
                    srli a0, a0, 32
extend_half:        slli a0, a1, 48
                    srai a0, a0, 48
extend_and_scale:   slli a0, a1, 32
                    srli a0, a0, 29
global:             auipc a0, 1
                    ld a0, 64(a0)
unaligned_word:     lbu a4, 1(a0)
                    lbu a5, 0(a0)
                    lbu a3, 2(a0)
                    slli a4, a4, 8
                    or a4, a4, a5
                    lbu a5, 3(a0)
                    slli a3, a3, 16
                    or a3, a3, a4
                    slli a5, a5, 24
                    or a5, a5, a3
                    li a4, 0
                    li a3, 0
big_endian_word:    lbu a4, 0(a0)
                    lbu a5, 1(a0)
                    lbu a3, 2(a0)
                    slliw a4, a4, 24
                    slli a5, a5, 16
                    or a4, a4, a5
                    slli a3, a3, 8
                    lbu a5, 3(a0)
                    or a4, a4, a3
                    or a4, a4, a5
                    li a5, 0
                    li a3, 0
jump_table:         jr a4
call:               jal ra, . + 0xf00
return:             ret
system_call:        ecall
end:
