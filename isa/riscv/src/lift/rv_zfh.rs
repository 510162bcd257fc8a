//! "Zfh" and "Zfhmin", Half-Precision Floating-Point.

use remu_ir::{Builder, FCond, Type};

use super::float::{Sign, rows};

rows! { F16;
    flh(I) = load;
    fsh(S) = store;
    fmadd_h(F4) = fma([false, false]);
    fmsub_h(F4) = fma([false, true]);
    fnmsub_h(F4) = fma([true, false]);
    fnmadd_h(F4) = fma([true, true]);
    fadd_h(Fr) = arith(Builder::fadd);
    fsub_h(Fr) = arith(Builder::fsub);
    fmul_h(Fr) = arith(Builder::fmul);
    fdiv_h(Fr) = arith(Builder::fdiv);
    fsqrt_h(F2) = unary(Builder::fsqrt);
    fsgnj_h(R) = sign(Sign::Copy);
    fsgnjn_h(R) = sign(Sign::Negate);
    fsgnjx_h(R) = sign(Sign::Xor);
    fmin_h(R) = pick(Builder::fminnm);
    fmax_h(R) = pick(Builder::fmaxnm);
    feq_h(R) = compare(FCond::Eq);
    flt_h(R) = compare(FCond::Lt);
    fle_h(R) = compare(FCond::Le);
    fclass_h(Fu) = class;
    fcvt_w_h(F2) = to_int(Type::I32, true);
    fcvt_wu_h(F2) = to_int(Type::I32, false);
    fcvt_l_h(F2) = to_int(Type::I64, true);
    fcvt_lu_h(F2) = to_int(Type::I64, false);
    fcvt_h_w(F2) = from_int(Type::I32, true);
    fcvt_h_wu(F2) = from_int(Type::I32, false);
    fcvt_h_l(F2) = from_int(Type::I64, true);
    fcvt_h_lu(F2) = from_int(Type::I64, false);
    fcvt_h_s(F2) = convert(Type::F32);
    fcvt_h_d(F2) = convert(Type::F64);
    fmv_x_h(Fu) = to_x;
    fmv_h_x(Fu) = from_x;
}

rows! { F32;
    fcvt_s_h(F2) = convert(Type::F16);
}
rows! { F64;
    fcvt_d_h(F2) = convert(Type::F16);
}
