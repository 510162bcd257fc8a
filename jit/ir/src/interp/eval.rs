//! One arm per op.

use super::float::{self, Status};
use super::{Packed, crypto, flags, hash, int, lanes, low, moves, signed, width};
use crate::{Cond, CrcAttr, DivZero, FlagCond, Lane, Op};

/// Value of an op from its operands, where neither state nor memory nor
/// control takes part; constants that need their region's tables, and ops with
/// such effects, give 0. `fpstat` collects floating-point flags as the
/// `fpstat` op numbers them, `fpmode` is as `set_fpmode` takes it.
pub fn eval(p: &Packed, args: [u128; 3], fpstat: &mut u32, fpmode: u32) -> u128 {
    value(p, args, fpstat, fpmode).unwrap_or(0)
}

/// As [`eval`], but `None` where it takes more than operands.
pub(super) fn value(p: &Packed, args: [u128; 3], fpstat: &mut u32, fpmode: u32) -> Option<u128> {
    let i = p.inst();
    let [x, y, z] = args;
    let t = p.operand_type();
    let w = width(t);
    let lane = Lane::from_u8(i.aux);
    let mut fp = Status { flags: fpstat, mode: fpmode };
    // Lane numbers and scales are constant I32 operands.
    let n = y as u32;
    let (fx, fy, fz) = (x as u64, y as u64, z as u64);

    let r = match i.op {
        Op::iconst | Op::pcconst => u128::from(i.const_bits()),

        Op::add => x + y,
        Op::sub => x.wrapping_sub(y),
        Op::mul => x * y,
        Op::mulhu => (x * y) >> w,
        Op::mulhs => int::mul_high_signed(x, y, w),
        Op::mulhsu => int::mul_high_mixed(x, y, w),
        Op::divu => int::div_unsigned(x, y, DivZero::from_u8(i.aux)),
        Op::divs => int::div_signed(x, y, w, DivZero::from_u8(i.aux)),
        Op::remu => int::rem_unsigned(x, y),
        Op::rems => int::rem_signed(x, y, w),
        Op::and => x & y,
        Op::or => x | y,
        Op::xor => x ^ y,
        Op::andc => x & !y,
        Op::orc => x | !y,
        Op::eqv => !(x ^ y),
        Op::neg => x.wrapping_neg(),
        Op::not => !x,
        Op::shl => int::shift_left(x, y, w),
        Op::shr => int::shift_right(x, y, w),
        Op::sar => int::shift_right_signed(x, y, w),
        Op::rotr => int::rotate_right(x, y, w),
        Op::rotl => int::rotate_left(x, y, w),
        Op::extract => int::extract(x, i.imm),
        Op::sextract => int::extract_signed(x, i.imm),
        Op::deposit => int::deposit(x, y, i.imm),
        Op::extract2 => int::funnel(x, y, i.imm, w),
        Op::sext => signed(x, 32) as u128,
        Op::zext | Op::trunc => x,
        Op::clz => int::leading_zeros(x, w),
        Op::ctz => int::trailing_zeros(x, w),
        Op::ctpop => u128::from(x.count_ones()),
        Op::bswap => int::swap_bytes(x, w),
        Op::bswap16 => int::swap_bytes_16(x),
        Op::bitrev => int::reverse_bits(x, w),
        Op::orcb => int::or_bytes(x),
        Op::smin => int::smaller(x, y, w),
        Op::smax => int::larger(x, y, w),
        Op::umin => x.min(y),
        Op::umax => x.max(y),
        Op::clmul => int::carryless(x, y),
        Op::clmulh => int::carryless(x, y) >> 64,
        Op::crc32 => int::crc32(x, y, CrcAttr::of(i)),

        Op::icmp => u128::from(int::holds(Cond::from_u8(i.aux), x, y, w)),
        Op::band => x & y,
        Op::bor => x | y,
        Op::bxor => x ^ y,
        Op::bnot => !x,
        Op::boolint => x,
        Op::movcond | Op::fl_select => {
            if x != 0 {
                y
            } else {
                z
            }
        }

        Op::fl_add => flags::add(x, y, 0, w),
        Op::fl_sub => flags::sub(x, y, 1, w),
        Op::fl_adc => flags::add(x, y, z, w),
        Op::fl_sbc => flags::sub(x, y, z, w),
        Op::adc => x + y + z,
        Op::sbc => x + low(!y, w) + z,
        Op::fl_logic => flags::logic(x, w),
        Op::fl_fcmp => fp.compare_flags(i, t, x, y),
        Op::fl_pack | Op::fl_unpack => x & 0xf000_0000,
        Op::fl_cond => u128::from(flags::holds(x, FlagCond::from_u8(i.aux))),

        Op::fadd => fp.scalar(i, t, |e, f| e.add(f, fx, fy)),
        Op::fsub => fp.scalar(i, t, |e, f| e.sub(f, fx, fy)),
        Op::fmul => fp.scalar(i, t, |e, f| e.mul(f, fx, fy)),
        Op::fdiv => fp.scalar(i, t, |e, f| e.div(f, fx, fy)),
        Op::fsqrt => fp.scalar(i, t, |e, f| e.sqrt(f, fx)),
        Op::fma => fp.scalar(i, t, |e, f| e.fma(f, fx, fy, fz)),
        Op::fmin => fp.scalar(i, t, |e, f| e.min_max(f, fx, fy, false)),
        Op::fmax => fp.scalar(i, t, |e, f| e.min_max(f, fx, fy, true)),
        Op::fminnm => fp.scalar(i, t, |e, f| e.min_max_num(f, fx, fy, false)),
        Op::fmaxnm => fp.scalar(i, t, |e, f| e.min_max_num(f, fx, fy, true)),
        Op::fneg => float::negate(x, t),
        Op::fabs => float::absolute(x, t),
        Op::fcmp => fp.holds(i, t, x, y),
        Op::fcvt => fp.scalar(i, i.ty, |e, to| e.convert(super::soft::Format::of(t), to, fx)),
        Op::fcvt_int => fp.int_of(i, t, x, 0),
        Op::fcvt_fix => fp.int_of(i, t, x, y),
        Op::fcvt_s => fp.of_int(i, signed(x, w), 0),
        Op::fcvt_u => fp.of_int(i, x as i128, 0),
        Op::fscalb_s => fp.of_int(i, signed(x, w), y),
        Op::fscalb_u => fp.of_int(i, x as i128, y),
        Op::fround => fp.scalar(i, t, |e, f| e.round_to_integral(f, fx, false)),
        Op::froundx => fp.scalar(i, t, |e, f| e.round_to_integral(f, fx, true)),
        Op::bitcast => x,
        Op::fbox => float::boxed(x, t),
        Op::funbox => float::unboxed(x, i.ty),

        Op::vdup => lanes::build(lane, |_| x),
        Op::vextract => lanes::get(x, lane, n),
        Op::vextract_s => lanes::get_signed(x, lane, n) as u128,
        Op::vmovmask => lanes::top_bits(lane, x),
        Op::vinsert => moves::insert(lane, x, i.imm as u32, y),
        Op::vmovlane => moves::insert_lane(lane, x, y, i.imm),
        Op::vduplane => lanes::build(lane, |_| lanes::get(x, lane, i.imm as u32)),
        Op::vlow => low(x, 64),
        Op::vhigh => x >> 64,
        Op::vconcat | Op::vmake => moves::concat(x, y),
        Op::vfromf | Op::vtof => x,
        Op::vext => moves::window(x, y, i.imm),
        Op::vrev => moves::reverse(lane, x, i.imm),
        Op::vzip1 => moves::zip(lane, x, y, false),
        Op::vzip2 => moves::zip(lane, x, y, true),
        Op::vuzp1 => moves::unzip(lane, x, y, false),
        Op::vuzp2 => moves::unzip(lane, x, y, true),
        Op::vtrn1 => moves::transpose(lane, x, y, false),
        Op::vtrn2 => moves::transpose(lane, x, y, true),
        Op::vtbl => moves::table(0, x, y, 0),
        Op::vtbx => moves::table(x, y, z, 16 * i.imm as u32),

        Op::vand => x & y,
        Op::vor => x | y,
        Op::vxor => x ^ y,
        Op::vandc => x & !y,
        Op::vorc => x | !y,
        Op::vnot => !x,
        Op::vbitsel => x & y | !x & z,
        Op::vctpop => lanes::map(lane, x, |x| u128::from(x.count_ones())),
        Op::vclz => lanes::map(lane, x, |x| int::leading_zeros(x, lane.bits())),
        Op::vcls => lanes::leading_signs(lane, x),
        Op::vbitrev => lanes::map(Lane::B, x, |x| int::reverse_bits(x, 8)),

        Op::vadd => lanes::zip(lane, x, y, u128::wrapping_add),
        Op::vsub => lanes::zip(lane, x, y, u128::wrapping_sub),
        Op::vmul => lanes::zip(lane, x, y, u128::wrapping_mul),
        Op::vneg => lanes::map(lane, x, u128::wrapping_neg),
        Op::vabs => lanes::map_signed(lane, x, i128::wrapping_abs),
        Op::vsmin => lanes::zip_signed(lane, x, y, i128::min),
        Op::vsmax => lanes::zip_signed(lane, x, y, i128::max),
        Op::vumin => lanes::zip(lane, x, y, u128::min),
        Op::vumax => lanes::zip(lane, x, y, u128::max),
        Op::vcmp => lanes::compare(lane, x, y, Cond::from_u8(i.imm as u8)),
        Op::vshl => lanes::map(lane, x, |x| x << i.imm),
        Op::vshr => lanes::shift_right(lane, x, i.imm, false),
        Op::vsar => lanes::shift_right_signed(lane, x, i.imm, false),
        Op::vrshr => lanes::shift_right(lane, x, i.imm, true),
        Op::vrsar => lanes::shift_right_signed(lane, x, i.imm, true),
        Op::vushl => lanes::shift_by(lane, x, y, false, false),
        Op::vsshl => lanes::shift_by(lane, x, y, true, false),
        Op::vurshl => lanes::shift_by(lane, x, y, false, true),
        Op::vsrshl => lanes::shift_by(lane, x, y, true, true),
        Op::vuhadd => lanes::zip(lane, x, y, |x, y| (x + y) >> 1),
        Op::vshadd => lanes::zip_signed(lane, x, y, |x, y| (x + y) >> 1),
        Op::vurhadd => lanes::zip(lane, x, y, |x, y| (x + y + 1) >> 1),
        Op::vsrhadd => lanes::zip_signed(lane, x, y, |x, y| (x + y + 1) >> 1),
        Op::vuhsub => lanes::zip(lane, x, y, |x, y| ((x as i128 - y as i128) >> 1) as u128),
        Op::vshsub => lanes::zip_signed(lane, x, y, |x, y| (x - y) >> 1),
        Op::vuabd => lanes::zip(lane, x, y, u128::abs_diff),
        Op::vsabd => lanes::zip_signed(lane, x, y, |x, y| x.abs_diff(y) as i128),
        Op::vuwiden => lanes::widen(lane, x, false),
        Op::vswiden => lanes::widen(lane, x, true),
        Op::vnarrow => lanes::narrow(lane, x),
        Op::vumull => lanes::mul_wide(lane, x, y, false),
        Op::vsmull => lanes::mul_wide(lane, x, y, true),
        Op::vpmul => lanes::zip(Lane::B, x, y, int::carryless),
        Op::vpmull => lanes::carryless_wide(lane, x, y),
        Op::vpadd => lanes::add_pairs(lane, x, y),
        Op::vuaddlp => lanes::add_pairs_wide(lane, x, false),
        Op::vsaddlp => lanes::add_pairs_wide(lane, x, true),

        Op::vfadd => fp.lanes2(i, x, y, |e, f, x, y| e.add(f, x, y)),
        Op::vfsub => fp.lanes2(i, x, y, |e, f, x, y| e.sub(f, x, y)),
        Op::vfmul => fp.lanes2(i, x, y, |e, f, x, y| e.mul(f, x, y)),
        Op::vfdiv => fp.lanes2(i, x, y, |e, f, x, y| e.div(f, x, y)),
        Op::vfsqrt => fp.lanes1(i, x, |e, f, x| e.sqrt(f, x)),
        Op::vfma => fp.lanes3(i, args, |e, f, [x, y, z]| e.fma(f, x, y, z)),
        Op::vfmin => fp.lanes2(i, x, y, |e, f, x, y| e.min_max(f, x, y, false)),
        Op::vfmax => fp.lanes2(i, x, y, |e, f, x, y| e.min_max(f, x, y, true)),
        Op::vfminnm => fp.lanes2(i, x, y, |e, f, x, y| e.min_max_num(f, x, y, false)),
        Op::vfmaxnm => fp.lanes2(i, x, y, |e, f, x, y| e.min_max_num(f, x, y, true)),
        Op::vfneg => lanes::map(lane, x, |x| x ^ 1 << (lane.bits() - 1)),
        Op::vfabs => lanes::map(lane, x, |x| low(x, lane.bits() - 1)),
        Op::vfcmp => fp.lanes_hold(i, x, y),
        Op::vfround => fp.lanes1(i, x, |e, f, x| e.round_to_integral(f, x, false)),
        Op::vfroundx => fp.lanes1(i, x, |e, f, x| e.round_to_integral(f, x, true)),
        Op::vfcvt_int => fp.lanes_to_int(i, x),
        Op::vfcvt_s => fp.lanes1(i, x, |e, f, x| e.of_int(f, signed_of(f, x), 0)),
        Op::vfcvt_u => fp.lanes1(i, x, |e, f, x| e.of_int(f, i128::from(x), 0)),

        Op::aesenclast => crypto::encrypt_last(x, y),
        Op::aesdeclast => crypto::decrypt_last(x, y),
        Op::aesenc => crypto::mix_columns(crypto::encrypt_last(x, 0)) ^ y,
        Op::aesdec => crypto::inverse_mix_columns(crypto::decrypt_last(x, 0)) ^ y,
        Op::sha1c => hash::sha1c(args),
        Op::sha1p => hash::sha1p(args),
        Op::sha1m => hash::sha1m(args),
        Op::sha1su1 => hash::sha1su1(args),
        Op::sha256h => hash::sha256h(args),
        Op::sha256r2 => hash::sha256r2(args),
        Op::sha256h2 => hash::sha256h2(args),
        Op::sha256su0 => hash::sha256su0(args),
        Op::sha256su1 => hash::sha256su1(args),
        Op::aesmc => crypto::mix_columns(x),
        Op::aesimc => crypto::inverse_mix_columns(x),

        // State, memory, control, and what needs the region's tables: `run`.
        Op::vconst
        | Op::get
        | Op::set
        | Op::insn
        | Op::load
        | Op::load_joint
        | Op::store
        | Op::rmw
        | Op::cas
        | Op::vload_part
        | Op::vstore_part
        | Op::fence
        | Op::prefetch
        | Op::fpstat
        | Op::set_fpstat
        | Op::undo_fcmp
        | Op::or_fpstat
        | Op::set_fpmode
        | Op::vhelper
        | Op::brcond
        | Op::goto
        | Op::goto_ptr
        | Op::call
        | Op::call_ptr
        | Op::ret_ptr
        | Op::exit
        | Op::exit_if
        | Op::helper
        | Op::helper_end => return None,
    };
    Some(low(r, width(i.ty)))
}

/// A lane of a format's width as a signed integer.
fn signed_of(f: super::soft::Format, x: u64) -> i128 {
    signed(u128::from(x), f.bits())
}
