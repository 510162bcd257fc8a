//! Integer operations on elements: "Vector Integer Arithmetic Instructions",
//! "Vector Fixed-Point Arithmetic Instructions", "Zvbb", "Zvbc".

use super::{Config, Shape, Src, Step, VOp, Vectors, extend, mask};

/// Runs an operation on every active element.
pub(super) fn run(u: &mut Vectors<'_>, c: Config, s: Step, scalar: u64) -> u64 {
    let sew = c.sew;
    let (wide_d, wide_2) = match s.op.shape() {
        Shape::Wide => (1, 0),
        Shape::WideWide => (1, 1),
        Shape::Narrow => (0, 1),
        _ => (0, 0),
    };
    let (eew_d, eew_2) = match s.op.shape() {
        Shape::Extend(n) => (sew, sew - n),
        _ => (sew + wide_d, sew + wide_2),
    };
    let compares = s.op.shape() == Shape::Compare;
    // The mask is an operand, not a condition.
    let operand = matches!(s.op, VOp::Adc | VOp::Sbc | VOp::Madc | VOp::Msbc | VOp::Merge);
    let mut saturated = false;
    for i in *u.vstart..*u.vl {
        let bit = u.active(s.vm, i);
        if !bit && !operand {
            continue;
        }
        let a = u.get(s.vs2, eew_2, i);
        let b = match s.src {
            Src::V(n) => u.get(n, sew, i),
            Src::Scalar => scalar & mask(sew),
        };
        if compares {
            let carry = bit && !s.vm;
            u.set_bit(s.vd, i, compare(s.op, a, b, sew, carry));
            continue;
        }
        let d = u.get(s.vd, eew_d, i);
        let x = Operands { a, b, d, sew, eew_2, bit, scalar, rounding: u.vxrm };
        let (r, saturates) = value(s.op, x);
        saturated |= saturates;
        u.set(s.vd, eew_d, i, r);
    }
    if saturated {
        *u.vxsat = 1;
    }
    0
}

fn compare(op: VOp, a: u64, b: u64, sew: u8, carry: bool) -> bool {
    let (sa, sb) = (extend(a, sew), extend(b, sew));
    match op {
        VOp::Mseq => a == b,
        VOp::Msne => a != b,
        VOp::Msltu => a < b,
        VOp::Mslt => sa < sb,
        VOp::Msleu => a <= b,
        VOp::Msle => sa <= sb,
        VOp::Msgtu => a > b,
        VOp::Msgt => sa > sb,
        VOp::Madc => u128::from(a) + u128::from(b) + u128::from(carry) > u128::from(mask(sew)),
        _ => u128::from(a) < u128::from(b) + u128::from(carry),
    }
}

struct Operands {
    /// Element of vs2, of vs1 or the scalar, of vd.
    a: u64,
    b: u64,
    d: u64,
    sew: u8,
    eew_2: u8,
    /// The mask's bit.
    bit: bool,
    /// The whole scalar.
    scalar: u64,
    rounding: u8,
}

/// The result, and whether it was saturated.
fn value(op: VOp, x: Operands) -> (u64, bool) {
    let Operands { a, b, d, sew, .. } = x;
    let bits = 8u32 << sew;
    let (sa, sb) = (extend(a, sew), extend(b, sew));
    // Operands as the widening forms see them.
    let a2 = extend(a, x.eew_2);
    let n = b as u32 & (bits - 1);
    let n2 = b as u32 & (2 * bits - 1);
    let round = |v: i128, n: u32| rounded(v, n, x.rounding);
    let wide = |a: i64, b: i64| i128::from(a) * i128::from(b);
    let both = |a: u64, b: u64| u128::from(a) * u128::from(b);
    let r = match op {
        VOp::Add => a.wrapping_add(b),
        VOp::Sub => a.wrapping_sub(b),
        VOp::Rsub => b.wrapping_sub(a),
        VOp::And => a & b,
        VOp::Or => a | b,
        VOp::Xor => a ^ b,
        VOp::Minu => a.min(b),
        VOp::Maxu => a.max(b),
        VOp::Min => sa.min(sb) as u64,
        VOp::Max => sa.max(sb) as u64,
        VOp::Sll => a << n,
        VOp::Srl => a >> n,
        VOp::Sra => (sa >> n) as u64,
        VOp::Mul => a.wrapping_mul(b),
        VOp::Mulh => (wide(sa, sb) >> bits) as u64,
        VOp::Mulhu => (both(a, b) >> bits) as u64,
        VOp::Mulhsu => ((i128::from(sa) * i128::from(b)) >> bits) as u64,
        VOp::Divu => a.checked_div(b).unwrap_or(u64::MAX),
        VOp::Remu => a.checked_rem(b).unwrap_or(a),
        VOp::Div if b == 0 => u64::MAX,
        VOp::Div => sa.wrapping_div(sb) as u64,
        VOp::Rem if b == 0 => a,
        VOp::Rem => sa.wrapping_rem(sb) as u64,
        VOp::Macc => d.wrapping_add(a.wrapping_mul(b)),
        VOp::Nmsac => d.wrapping_sub(a.wrapping_mul(b)),
        VOp::Madd => a.wrapping_add(d.wrapping_mul(b)),
        VOp::Nmsub => a.wrapping_sub(d.wrapping_mul(b)),
        VOp::Adc => a.wrapping_add(b).wrapping_add(x.bit.into()),
        VOp::Sbc => a.wrapping_sub(b).wrapping_sub(x.bit.into()),
        VOp::Merge if x.bit => b,
        VOp::Merge => a,
        VOp::Mv => b,
        VOp::Andn => a & !b,
        VOp::Rol => a << n | a >> ((bits - n) & (bits - 1)),
        VOp::Ror => a >> n | a << ((bits - n) & (bits - 1)),
        VOp::Brev8 => u64::from_le_bytes(a.to_le_bytes().map(u8::reverse_bits)),
        VOp::Rev8 => a.swap_bytes() >> (64 - bits),
        VOp::Brev => a.reverse_bits() >> (64 - bits),
        VOp::Clz => (a.leading_zeros() + bits - 64).into(),
        VOp::Ctz => a.trailing_zeros().min(bits).into(),
        VOp::Cpop => a.count_ones().into(),
        VOp::Clmul => carryless(a, b) as u64,
        VOp::Clmulh => (carryless(a, b) >> bits) as u64,
        VOp::Waddu => a.wrapping_add(b),
        VOp::Wadd => sa.wrapping_add(sb) as u64,
        VOp::Wsubu => a.wrapping_sub(b),
        VOp::Wsub => sa.wrapping_sub(sb) as u64,
        VOp::WadduW => a.wrapping_add(b),
        VOp::WaddW => a2.wrapping_add(sb) as u64,
        VOp::WsubuW => a.wrapping_sub(b),
        VOp::WsubW => a2.wrapping_sub(sb) as u64,
        VOp::Wmulu => a.wrapping_mul(b),
        VOp::Wmulsu => (sa as u64).wrapping_mul(b),
        VOp::Wmul => sa.wrapping_mul(sb) as u64,
        VOp::Wmaccu => d.wrapping_add(a.wrapping_mul(b)),
        VOp::Wmacc => d.wrapping_add(sa.wrapping_mul(sb) as u64),
        VOp::Wmaccsu => d.wrapping_add((sb as u64).wrapping_mul(a)),
        VOp::Wmaccus => d.wrapping_add((sa as u64).wrapping_mul(b)),
        VOp::Wsll => a << n2,
        VOp::Nsrl => a >> n2,
        VOp::Nsra => (a2 >> n2) as u64,
        VOp::ZextF2 | VOp::ZextF4 | VOp::ZextF8 => a,
        VOp::SextF2 | VOp::SextF4 | VOp::SextF8 => a2 as u64,
        VOp::Saddu => return unsigned(i128::from(a) + i128::from(b), sew),
        VOp::Ssubu => return unsigned(i128::from(a) - i128::from(b), sew),
        VOp::Sadd => return signed(i128::from(sa) + i128::from(sb), sew),
        VOp::Ssub => return signed(i128::from(sa) - i128::from(sb), sew),
        VOp::Aaddu => round(i128::from(a) + i128::from(b), 1) as u64,
        VOp::Asubu => round(i128::from(a) - i128::from(b), 1) as u64,
        VOp::Aadd => round(i128::from(sa) + i128::from(sb), 1) as u64,
        VOp::Asub => round(i128::from(sa) - i128::from(sb), 1) as u64,
        VOp::Smul => return signed(round(wide(sa, sb), bits - 1), sew),
        VOp::Ssrl => round(i128::from(a), n) as u64,
        VOp::Ssra => round(i128::from(sa), n) as u64,
        VOp::Nclipu => return unsigned(round(i128::from(a), n2), sew),
        VOp::Nclip => return signed(round(i128::from(a2), n2), sew),
        // The operations of other files do not come here.
        _ => x.scalar,
    };
    (r, false)
}

/// `v >> n`, rounded as `vxrm` says.
fn rounded(v: i128, n: u32, mode: u8) -> i128 {
    if n == 0 {
        return v;
    }
    let half = v >> (n - 1) & 1;
    let rest = v & ((1 << (n - 1)) - 1) != 0;
    let odd = v >> n & 1;
    let up = match mode {
        0 => half,
        1 => i128::from(half != 0 && (rest || odd != 0)),
        2 => 0,
        _ => i128::from(odd == 0 && (half != 0 || rest)),
    };
    (v >> n) + up
}

fn unsigned(v: i128, sew: u8) -> (u64, bool) {
    let most = i128::from(mask(sew));
    (v.clamp(0, most) as u64, v < 0 || v > most)
}
fn signed(v: i128, sew: u8) -> (u64, bool) {
    let most = i128::from(mask(sew) >> 1);
    (v.clamp(-most - 1, most) as u64, v < -most - 1 || v > most)
}

/// Carry-less product.
pub(super) fn carryless(a: u64, b: u64) -> u128 {
    (0..64).filter(|n| b >> n & 1 != 0).fold(0, |r, n| r ^ u128::from(a) << n)
}
