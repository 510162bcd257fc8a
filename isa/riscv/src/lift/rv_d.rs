//! "D", Double-Precision Floating-Point.

use remu_ir::{Builder, FCond, Type};

use super::float::{Sign, rows};

rows! { F64;
    fld(I) = load;
    fsd(S) = store;
    fmadd_d(F4) = fma([false, false]);
    fmsub_d(F4) = fma([false, true]);
    fnmsub_d(F4) = fma([true, false]);
    fnmadd_d(F4) = fma([true, true]);
    fadd_d(Fr) = arith(Builder::fadd);
    fsub_d(Fr) = arith(Builder::fsub);
    fmul_d(Fr) = arith(Builder::fmul);
    fdiv_d(Fr) = arith(Builder::fdiv);
    fsqrt_d(F2) = unary(Builder::fsqrt);
    fsgnj_d(R) = sign(Sign::Copy);
    fsgnjn_d(R) = sign(Sign::Negate);
    fsgnjx_d(R) = sign(Sign::Xor);
    fmin_d(R) = pick(Builder::fminnm);
    fmax_d(R) = pick(Builder::fmaxnm);
    feq_d(R) = compare(FCond::Eq);
    flt_d(R) = compare(FCond::Lt);
    fle_d(R) = compare(FCond::Le);
    fclass_d(Fu) = class;
    fcvt_w_d(F2) = to_int(Type::I32, true);
    fcvt_wu_d(F2) = to_int(Type::I32, false);
    fcvt_l_d(F2) = to_int(Type::I64, true);
    fcvt_lu_d(F2) = to_int(Type::I64, false);
    fcvt_d_w(F2) = from_int(Type::I32, true);
    fcvt_d_wu(F2) = from_int(Type::I32, false);
    fcvt_d_l(F2) = from_int(Type::I64, true);
    fcvt_d_lu(F2) = from_int(Type::I64, false);
    fcvt_d_s(F2) = convert(Type::F32);
    fmv_x_d(Fu) = to_x;
    fmv_d_x(Fu) = from_x;
}

rows! { F32;
    fcvt_s_d(F2) = convert(Type::F64);
}
