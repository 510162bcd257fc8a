//! Random numbers that like to be special.

/// xorshift64*: the same numbers in every run.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// Starts from a seed.
    pub fn new(seed: u64) -> Rng {
        Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }
    /// 64 random bits.
    pub fn draw(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.draw() >> 33) as usize % n
    }
    /// An element.
    pub fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
    /// An integer that is often small or at a limit.
    pub fn integer(&mut self) -> u64 {
        const LIMITS: [u64; 10] = [
            0,
            1,
            u64::MAX,
            1 << 63,
            i64::MAX as u64,
            1 << 31,
            0x7fff_ffff,
            0xffff_ffff,
            0xffff_ffff_8000_0000,
            0x1_0000_0000,
        ];
        match self.below(6) {
            0 => self.pick(&LIMITS),
            1 => self.draw() as i8 as u64,
            2 => self.draw() as i32 as u64,
            3 => 1 << self.below(64),
            _ => self.draw(),
        }
    }
    /// Bits of a double, or of a narrower number with the upper bits set.
    pub fn float(&mut self) -> u64 {
        const DOUBLES: [u64; 14] = [
            0x7ff0_0000_0000_0000,
            0xfff0_0000_0000_0000,
            0x7ff8_0000_0000_0000,
            0x7ff0_0000_0000_0001,
            0xfff8_1234_0000_0000,
            0x3ff0_0000_0000_0000,
            0xbff0_0000_0000_0000,
            1,
            0x000f_ffff_ffff_ffff,
            0x0010_0000_0000_0000,
            0x7fef_ffff_ffff_ffff,
            0x8000_0000_0000_0000,
            0,
            0x41e0_0000_0000_0000,
        ];
        const SINGLES: [u32; 11] = [
            0x7f80_0000,
            0xff80_0000,
            0x7fc0_0000,
            0x7f80_0001,
            0x3f80_0000,
            1,
            0x007f_ffff,
            0x0080_0000,
            0x7f7f_ffff,
            0x8000_0000,
            0x4f00_0000,
        ];
        const HALVES: [u16; 8] = [0x7c00, 0xfc00, 0x7e00, 0x7c01, 0x3c00, 1, 0x7bff, 0x8000];
        let single = |v: u32| 0xffff_ffff_0000_0000 | u64::from(v);
        let half = |v: u16| 0xffff_ffff_ffff_0000 | u64::from(v);
        match self.below(10) {
            0 => self.pick(&DOUBLES),
            1 => single(self.pick(&SINGLES)),
            2 => half(self.pick(&HALVES)),
            3 => ((self.draw() as i32 as f64) / 16.0).to_bits(),
            4 => single(((self.draw() as i16 as f32) / 16.0).to_bits()),
            5 => single(self.draw() as u32),
            6 => half(self.draw() as u16),
            // Near the largest and smallest of both formats.
            7 => ((self.draw() % 3) << 62) | (0x380 + self.draw() % 3) << 52 | self.draw() >> 12,
            _ => self.draw(),
        }
    }
}
