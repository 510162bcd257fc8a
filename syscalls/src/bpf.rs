//! Classic BPF as seccomp(2) accepts it: checked when it is given, then run on `struct seccomp_data`.

use crate::{Errno, SysResult};

/// Bytes of `struct seccomp_data`.
const DATA: u32 = 64;
/// Words of scratch memory (`BPF_MEMWORDS`).
const WORDS: usize = 16;
/// Most instructions (`BPF_MAXINSNS`).
pub(crate) const MOST: usize = 4096;

/// `struct sock_filter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Insn {
    code: u16,
    jt: u8,
    jf: u8,
    k: u32,
}

impl Insn {
    pub(crate) const SIZE: usize = 8;

    fn of(b: &[u8; 8]) -> Insn {
        Insn {
            code: u16::from_le_bytes([b[0], b[1]]),
            jt: b[2],
            jf: b[3],
            k: u32::from_le_bytes([b[4], b[5], b[6], b[7]]),
        }
    }
    pub(crate) fn to_bytes(self) -> [u8; 8] {
        let (c, k) = (self.code.to_le_bytes(), self.k.to_le_bytes());
        [c[0], c[1], self.jt, self.jf, k[0], k[1], k[2], k[3]]
    }
    /// Second operand of arithmetic and jumps: the constant or X.
    fn operand(&self, x: u32) -> u32 {
        if self.code & 8 != 0 { x } else { self.k }
    }
}

/// A program that ends, whatever its data.
#[derive(Clone, Debug)]
pub(crate) struct Program(pub(crate) Vec<Insn>);

impl Program {
    /// Checks a program as the kernel does (`bpf_check_classic`, `seccomp_check_filter`).
    pub(crate) fn new(bytes: &[u8]) -> SysResult<Program> {
        let (insns, rest) = bytes.as_chunks::<8>();
        if insns.is_empty() || insns.len() > MOST || !rest.is_empty() {
            return Err(Errno::EINVAL);
        }
        let insns: Vec<Insn> = insns.iter().map(Insn::of).collect();
        let ends = |i: &Insn| matches!(i.code, 0x06 | 0x16);
        // Scratch words that are stored to on every way to an instruction.
        let mut set = vec![u16::MAX; insns.len()];
        set[0] = 0;
        let mut now = u16::MAX;
        for (n, i) in insns.iter().enumerate() {
            let left = insns.len() - n - 1;
            now &= set[n];
            let k = i.k as usize;
            let good = match i.code {
                0x20 => i.k < DATA && i.k.is_multiple_of(4),
                // divisions by zero and shifts past the end
                0x34 => i.k != 0,
                0x64 | 0x74 => i.k < 32,
                0x60 | 0x61 => k < WORDS && now & 1 << k != 0,
                0x02 | 0x03 => {
                    now |= if k < WORDS { 1 << k } else { 0 };
                    k < WORDS
                }
                0x05 => k < left,
                0x15 | 0x1d | 0x25 | 0x2d | 0x35 | 0x3d | 0x45 | 0x4d => {
                    usize::from(i.jt) < left && usize::from(i.jf) < left
                }
                0x80 | 0x81 | 0x00 | 0x01 | 0x07 | 0x87 | 0x06 | 0x16 | 0x84 => true,
                0x04 | 0x0c | 0x14 | 0x1c | 0x24 | 0x2c | 0x3c | 0x44 | 0x4c | 0x54 | 0x5c
                | 0x6c | 0x7c | 0xa4 | 0xac => true,
                _ => false,
            };
            if !good {
                return Err(Errno::EINVAL);
            }
            let mut reach = |to: usize| set[to] &= now;
            match i.code {
                0x05 => reach(n + 1 + k),
                c if c & 7 == 5 => {
                    reach(n + 1 + usize::from(i.jt));
                    reach(n + 1 + usize::from(i.jf));
                }
                _ => continue,
            }
            // Behind a jump only those who jump there count.
            now = u16::MAX;
        }
        if insns.last().is_some_and(ends) { Ok(Program(insns)) } else { Err(Errno::EINVAL) }
    }

    /// The value that the program returns for `data`.
    pub(crate) fn run(&self, data: &[u8; DATA as usize]) -> u32 {
        let (mut a, mut x, mut mem, mut pc) = (0u32, 0u32, [0u32; WORDS], 0);
        while let Some(i) = self.0.get(pc) {
            pc += 1;
            let v = i.operand(x);
            let slot = i.k as usize % WORDS;
            let jump = |taken: bool| usize::from(if taken { i.jt } else { i.jf });
            match i.code {
                0x20 => {
                    let at = i.k as usize;
                    a = data
                        .get(at..at + 4)
                        .and_then(|w| w.try_into().ok())
                        .map_or(0, u32::from_le_bytes);
                }
                0x00 => a = i.k,
                0x01 => x = i.k,
                0x80 => a = DATA,
                0x81 => x = DATA,
                0x60 => a = mem[slot],
                0x61 => x = mem[slot],
                0x02 => mem[slot] = a,
                0x03 => mem[slot] = x,
                0x07 => x = a,
                0x87 => a = x,
                0x06 => return i.k,
                0x16 => return a,
                0x05 => pc += i.k as usize,
                0x15 | 0x1d => pc += jump(a == v),
                0x25 | 0x2d => pc += jump(a > v),
                0x35 | 0x3d => pc += jump(a >= v),
                0x45 | 0x4d => pc += jump(a & v != 0),
                0x04 | 0x0c => a = a.wrapping_add(v),
                0x14 | 0x1c => a = a.wrapping_sub(v),
                0x24 | 0x2c => a = a.wrapping_mul(v),
                0x34 | 0x3c => match a.checked_div(v) {
                    Some(q) => a = q,
                    // As the kernel: the program returns 0.
                    None => return 0,
                },
                0x44 | 0x4c => a |= v,
                0x54 | 0x5c => a &= v,
                0x64 | 0x6c => a = a.wrapping_shl(v),
                0x74 | 0x7c => a = a.wrapping_shr(v),
                0x84 => a = a.wrapping_neg(),
                0xa4 | 0xac => a ^= v,
                _ => return 0,
            }
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(rows: &[(u16, u8, u8, u32)]) -> SysResult<Program> {
        let bytes: Vec<u8> = rows
            .iter()
            .flat_map(|&(code, jt, jf, k)| Insn { code, jt, jf, k }.to_bytes())
            .collect();
        Program::new(&bytes)
    }

    #[test]
    fn a_filter_by_number_and_argument_answers() {
        let p = program(&[
            (0x20, 0, 0, 0),
            (0x15, 0, 3, 64),
            (0x20, 0, 0, 16),
            (0x45, 0, 1, 0xf0),
            (0x06, 0, 0, 7),
            (0x02, 0, 0, 3),
            (0x60, 0, 0, 3),
            (0x04, 0, 0, 1),
            (0x16, 0, 0, 0),
        ])
        .unwrap();
        let mut data = [0; 64];
        assert_eq!(p.run(&data), 1);
        data[0] = 64;
        data[16] = 0x12;
        assert_eq!(p.run(&data), 7);
        data[16] = 2;
        assert_eq!(p.run(&data), 3);
    }

    #[test]
    fn programs_that_could_go_astray_are_refused() {
        const RET: (u16, u8, u8, u32) = (0x06, 0, 0, 0);
        for bad in [
            &[][..],
            &[(0x20, 0, 0, 0)],
            &[(0x20, 0, 0, 64), RET],
            &[(0x20, 0, 0, 2), RET],
            &[(0x28, 0, 0, 0), RET],
            &[(0x15, 1, 0, 0), RET],
            &[(0x05, 0, 0, 1), RET],
            &[(0x05, 0, 0, u32::MAX), RET],
            &[(0x60, 0, 0, 0), RET],
            &[(0x02, 0, 0, 16), RET],
            &[(0x34, 0, 0, 0), RET],
            &[(0x15, 1, 0, 0), (0x02, 0, 0, 1), (0x60, 0, 0, 1), RET],
        ] {
            assert_eq!(program(bad).err(), Some(Errno::EINVAL), "{bad:?}");
        }
        assert!(program(&vec![RET; MOST]).is_ok() && program(&vec![RET; MOST + 1]).is_err());
        let p = program(&[(0x01, 0, 0, 0), (0x00, 0, 0, 5), (0x3c, 0, 0, 0), RET]).unwrap();
        assert_eq!(p.run(&[0; 64]), 0);
    }
}
