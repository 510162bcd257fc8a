//! "F", Single-Precision Floating-Point.

use remu_ir::{Builder, FCond, Type};

use super::float::{Sign, rows};

rows! { F32;
    flw(I) = load;
    fsw(S) = store;
    fmadd_s(F4) = fma([false, false]);
    fmsub_s(F4) = fma([false, true]);
    fnmsub_s(F4) = fma([true, false]);
    fnmadd_s(F4) = fma([true, true]);
    fadd_s(Fr) = arith(Builder::fadd);
    fsub_s(Fr) = arith(Builder::fsub);
    fmul_s(Fr) = arith(Builder::fmul);
    fdiv_s(Fr) = arith(Builder::fdiv);
    fsqrt_s(F2) = unary(Builder::fsqrt);
    fsgnj_s(R) = sign(Sign::Copy);
    fsgnjn_s(R) = sign(Sign::Negate);
    fsgnjx_s(R) = sign(Sign::Xor);
    fmin_s(R) = pick(Builder::fminnm);
    fmax_s(R) = pick(Builder::fmaxnm);
    feq_s(R) = compare(FCond::Eq);
    flt_s(R) = compare(FCond::Lt);
    fle_s(R) = compare(FCond::Le);
    fclass_s(Fu) = class;
    fcvt_w_s(F2) = to_int(Type::I32, true);
    fcvt_wu_s(F2) = to_int(Type::I32, false);
    fcvt_l_s(F2) = to_int(Type::I64, true);
    fcvt_lu_s(F2) = to_int(Type::I64, false);
    fcvt_s_w(F2) = from_int(Type::I32, true);
    fcvt_s_wu(F2) = from_int(Type::I32, false);
    fcvt_s_l(F2) = from_int(Type::I64, true);
    fcvt_s_lu(F2) = from_int(Type::I64, false);
    fmv_x_w(Fu) = to_x;
    fmv_w_x(Fu) = from_x;
}
