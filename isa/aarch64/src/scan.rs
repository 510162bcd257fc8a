//! Length and control flow of an instruction, by a few bit tests: region
//! discovery asks this of every instruction. A test holds it against the
//! tables' `flow=` columns.

use remu_isa::{Flow, Scan};

/// Sign-extended field of `len` bits at `pos`, in units of instructions.
fn offset(w: u32, pos: u32, len: u32) -> u64 {
    ((((w >> pos) << (32 - len)) as i32 >> (32 - len)) as i64 * 4) as u64
}

/// Scans one instruction.
pub(crate) fn scan(w: u32, pc: u64) -> Scan {
    let plain = |flow| Scan { len: 4, flow, target: 0 };
    let direct = |flow, off: u64| Scan { len: 4, flow, target: pc.wrapping_add(off) };
    // op0 of the top-level table: x101 and 101x hold the branches and system
    // instructions; memory copies (xx0 with bits 29:24 = 011001) loop on themselves.
    if w >> 26 & 7 != 5 {
        return match w {
            _ if w >> 16 == 0 => plain(Flow::Stop),
            _ if is_mops(w) => direct(Flow::Cond, 0),
            _ => plain(Flow::Next),
        };
    }
    match w >> 24 {
        0x14..=0x17 => direct(Flow::Jump, offset(w, 0, 26)),
        0x94..=0x97 => direct(Flow::Call, offset(w, 0, 26)),
        0x34 | 0x35 | 0xb4 | 0xb5 | 0x54 => direct(Flow::Cond, offset(w, 5, 19)),
        0x36 | 0x37 | 0xb6 | 0xb7 => direct(Flow::Cond, offset(w, 5, 14)),
        0xd4 => plain(match w & 0x00e0_001f {
            1 => Flow::Exit,
            0x0020_0000 => Flow::Exit,
            _ => Flow::Stop,
        }),
        0xd5 => plain(match w {
            // MSR FPCR, and IC IVAU: translated code is left behind them.
            _ if w & 0xffff_ffe0 == 0xd51b_4400 => Flow::Exit,
            _ if w & 0xffff_ffe0 == 0xd50b_7520 => Flow::Exit,
            _ => Flow::Next,
        }),
        0xd6 | 0xd7 => plain(match w >> 21 & 0xf {
            0 | 8 => Flow::Indirect,
            1 | 9 => Flow::CallIndirect,
            2 => Flow::Ret,
            _ => Flow::Stop,
        }),
        _ => plain(Flow::Next),
    }
}

/// CPYM, CPYE, SETM, SETE: they repeat themselves until they are done.
fn is_mops(w: u32) -> bool {
    if w & 0xfb20_0c00 != 0x1900_0400 {
        return false;
    }
    match w >> 22 & 3 {
        3 => matches!(w >> 14 & 3, 1 | 2) && w >> 26 & 1 == 0,
        n => n != 0,
    }
}
