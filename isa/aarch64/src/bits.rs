//! Immediates that are more than a field. DDI 0487, shared pseudocode.

/// `DecodeBitMasks` for the logical instructions: the mask, or nothing where
/// the encoding is reserved. 32-bit masks are zero-extended.
pub(crate) fn bitmask(sf: u8, n: u8, imms: u8, immr: u8) -> Option<u64> {
    if sf == 0 && n == 1 {
        return None;
    }
    let combined = u32::from(n) << 6 | u32::from(!imms & 0x3f);
    let len = combined.checked_ilog2()?;
    if len < 1 {
        return None;
    }
    let size = 1u32 << len;
    let levels = size - 1;
    let (s, r) = (u32::from(imms) & levels, u32::from(immr) & levels);
    if s == levels {
        return None;
    }
    let ones = u64::MAX >> (63 - s);
    let element = if r == 0 { ones } else { ones >> r | ones << (size - r) };
    let mut mask = if size == 64 { element } else { element & ((1 << size) - 1) };
    let mut have = size;
    while have < 64 {
        mask |= mask << have;
        have *= 2;
    }
    Some(if sf == 1 { mask } else { mask & 0xffff_ffff })
}

/// `MoveWidePreferred`: whether MOVZ or MOVN could make the mask.
pub(crate) fn move_wide_preferred(sf: u8, n: u8, imms: u8, immr: u8) -> bool {
    let width = if sf == 1 { 64 } else { 32 };
    if (sf == 1 && n != 1) || (sf == 0 && (n != 0 || imms & 0x20 != 0)) {
        return false;
    }
    let (s, r) = (i32::from(imms), i32::from(immr));
    if s < 16 {
        return (-r).rem_euclid(16) <= 15 - s;
    }
    if s >= width - 15 {
        return r.rem_euclid(16) <= s - (width - 15);
    }
    false
}

/// `VFPExpandImm` to double precision.
pub(crate) fn expand_f64(imm: u8) -> u64 {
    let i = u64::from(imm);
    let exp = if i & 0x40 != 0 { 0xff << 54 } else { 1 << 62 };
    (i & 0x80) << 56 | exp | (i & 0x3f) << 48
}
/// `VFPExpandImm` to single precision.
pub(crate) fn expand_f32(imm: u8) -> u32 {
    let i = u32::from(imm);
    let exp = if i & 0x40 != 0 { 0x1f << 25 } else { 1 << 30 };
    (i & 0x80) << 24 | exp | (i & 0x3f) << 19
}
/// `VFPExpandImm` to half precision.
pub(crate) fn expand_f16(imm: u8) -> u16 {
    let i = u16::from(imm);
    let exp = if i & 0x40 != 0 { 3 << 12 } else { 1 << 14 };
    (i & 0x80) << 8 | exp | (i & 0x3f) << 6
}

/// `AdvSIMDExpandImm`: the 64-bit constant, before MVNI or BIC inverts it.
pub(crate) fn modified(op: u8, cmode: u8, imm: u8) -> u64 {
    let i = u64::from(imm);
    let words = |v: u64| v << 32 | v;
    let halves = |v: u64| words(v << 16 | v);
    match cmode {
        0..=7 => words(i << (8 * (cmode >> 1))),
        8..=11 => halves(i << (8 * (cmode >> 1 & 1))),
        12 => words(i << 8 | 0xff),
        13 => words(i << 16 | 0xffff),
        14 if op == 0 => i * 0x0101_0101_0101_0101,
        14 => (0..8).filter(|n| imm >> n & 1 == 1).fold(0, |v, n| v | 0xff << (8 * n)),
        _ if op == 0 => words(expand_f32(imm).into()),
        _ => expand_f64(imm),
    }
}
