// Each label is a case: what stands between it and the next one is translated by itself.
// The registers are those that compilers use most, unless a case is about the others.
.arch armv8.6-a+crypto
add_imm:            add x0, x0, 1
add_reg:            add x0, x1, x2
add_shifted:        add x0, x1, x2, lsl 3
add_unpinned:       add x25, x26, x27
add_word:           add w0, w1, w2
compare_and_branch: cmp x0, x1
                    b.hi . + 0xf00
compare_and_select: cmp w0, 5
                    csel x0, x1, x2, lt
test_bit:           tbnz w0, 3, . + 0xf00
carry_chain:        adds x0, x0, x2
                    adcs x1, x1, x3
                    adc x4, x4, xzr
multiply_wide:      mul x4, x0, x1
                    umulh x5, x0, x1
product_row:        mul x14, x7, x6
                    mul x15, x8, x6
                    adds x20, x20, x14
                    adcs x21, x21, x15
                    umulh x14, x7, x6
                    umulh x15, x8, x6
                    adds x21, x21, x14
                    adc x22, x22, x15
multiply_add:       madd x0, x1, x2, x0
divide:             udiv x0, x1, x2
bit_field:          ubfx x0, x1, 8, 4
                    bfi x2, x0, 4, 8
load_indexed:       ldr x0, [x1, x2, lsl 3]
load_byte_signed:   ldrsb x0, [x1, 3]
load_pair:          ldp x0, x1, [sp, 16]
store_pair:         stp x29, x30, [sp, -32]!
load_post:          ldr w3, [x0], 4
store_byte:         strb w0, [x1], 1
float_add:          fadd d0, d1, d2
float_multiply_add: fmadd d0, d1, d2, d0
float_compare:      fcmp d0, d1
                    b.mi . + 0xf00
float_convert:      fcvtzs w0, d0
vector_add:         add v0.4s, v1.4s, v2.4s
vector_float:       fmla v0.2d, v1.2d, v2.2d
vector_by_element:  fmla v0.4s, v1.4s, v2.s[1]
vector_permute:     zip1 v0.16b, v1.16b, v2.16b
                    ext v3.16b, v0.16b, v1.16b, 8
                    tbl v4.16b, {v0.16b}, v3.16b
vector_compare:     cmeq v0.16b, v1.16b, v2.16b
                    shrn v0.8b, v0.8h, 4
                    fmov x0, d0
aes_round:          aese v0.16b, v1.16b
                    aesmc v0.16b, v0.16b
aes_rounds:         aese v0.16b, v1.16b
                    aesmc v0.16b, v0.16b
                    aese v0.16b, v2.16b
                    aesmc v0.16b, v0.16b
polynomial:         pmull v0.1q, v1.1d, v2.1d
polynomial_high:    pmull2 v0.1q, v1.2d, v25.2d
load_structure:     ld1 {v0.16b, v1.16b}, [x0], 32
prefetch:           prfm pldl1keep, [x0, 64]
unpinned_vectors:   eor v24.16b, v25.16b, v26.16b
atomic_add:         ldadd x0, x1, [x2]
exclusive_loop:     ldaxr w3, [x0]
                    cmp w3, w1
                    b.ne . + 12
                    stlxr w4, w2, [x0]
                    cbnz w4, exclusive_loop
loop:               add x1, x1, x0
                    subs x0, x0, 1
                    b.ne loop
loop_compare:       add x1, x1, 8
                    cmp x1, x0
                    b.ne loop_compare
global:             adrp x1, .
                    ldr x1, [x1, 64]
sign:               paciasp
authenticate:       autiasp
jump_table:         br x3
call:               bl . + 0xf00
call_indirect:      blr x3
return:             ret
system_call:        svc 0
end:
