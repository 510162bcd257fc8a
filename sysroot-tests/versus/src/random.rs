//! Random values that hit the corners more often than chance would.

/// SplitMix64.
pub(crate) struct Random(pub(crate) u64);

/// Doubles, pairs of singles and halves with a special meaning, as bits.
const DOUBLES: [u64; 14] = [
    0,
    1 << 63,
    0x3ff0_0000_0000_0000,
    0xbff8_0000_0000_0000,
    0x7ff0_0000_0000_0000,
    0xfff0_0000_0000_0000,
    0x7ff8_0000_0000_0000,
    0xfff4_0000_0000_0001,
    1,
    0x0010_0000_0000_0000,
    0x7fef_ffff_ffff_ffff,
    0x43e0_0000_0000_0000,
    0x3fef_ffff_ffff_ffff,
    0x000f_ffff_ffff_ffff,
];
const SINGLES: [u32; 14] = [
    0,
    1 << 31,
    0x3f80_0000,
    0xbfc0_0000,
    0x7f80_0000,
    0xff80_0000,
    0x7fc0_0000,
    0xffa0_0001,
    1,
    0x0080_0000,
    0x7f7f_ffff,
    0x4f00_0000,
    0x3f7f_ffff,
    0x007f_ffff,
];
const HALVES: [u16; 10] = [0, 0x8000, 0x3c00, 0xbe00, 0x7c00, 0xfc00, 0x7e00, 0xfd01, 1, 0x7bff];

impl Random {
    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[(self.next() % from.len() as u64) as usize]
    }

    /// A general register's value.
    pub(crate) fn integer(&mut self) -> u64 {
        let any = self.next();
        match self.next() % 8 {
            0 => any % 64,
            1 => (any % 64).wrapping_neg(),
            2 => 1 << (any % 64),
            3 => (1u64 << (any % 64)).wrapping_sub(1),
            4 => any >> 32,
            5 => (any as i32) as i64 as u64,
            _ => any,
        }
    }

    /// A floating-point or vector register's value.
    pub(crate) fn float(&mut self) -> u64 {
        let any = self.next();
        let boxed = 0xffff_ffff_0000_0000;
        match self.next() % 10 {
            0 | 1 => self.pick(&DOUBLES),
            2 | 3 => boxed | u64::from(self.pick(&SINGLES)),
            // A number of ordinary size.
            4 => (any & 0x800f_ffff_ffff_ffff) | (0x3f0 + any % 32) << 52,
            5 => {
                boxed
                    | u64::from((any as u32 & 0x807f_ffff) | (0x78 + (any as u32 >> 8) % 16) << 23)
            }
            6 => u64::from(self.pick(&SINGLES)) << 32 | u64::from(self.pick(&SINGLES)),
            7 => 0xffff_ffff_ffff_0000 | u64::from(self.pick(&HALVES)),
            8 => 0xffff_ffff_ffff_0000 | any & 0xffff,
            _ => any,
        }
    }
}
