//! A hart as gdb sees it: features `org.gnu.gdb.riscv.*`.

use remu_ir::{Slot, Type};
use remu_isa::{DebugFeature, DebugPlace, DebugReg, Debugged, Header, Surroundings};

use super::csr;
use super::regs::{Regs, slots};
use crate::features::Features;
use crate::state::{fcsr, set_fcsr};

const X: [&str; 32] = [
    "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "fp", "s1", "a0", "a1", "a2", "a3", "a4",
    "a5", "a6", "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4",
    "t5", "t6",
];
const F: [&str; 32] = [
    "ft0", "ft1", "ft2", "ft3", "ft4", "ft5", "ft6", "ft7", "fs0", "fs1", "fa0", "fa1", "fa2",
    "fa3", "fa4", "fa5", "fa6", "fa7", "fs2", "fs3", "fs4", "fs5", "fs6", "fs7", "fs8", "fs9",
    "fs10", "fs11", "ft8", "ft9", "ft10", "ft11",
];

const PC: Slot = Slot { offset: core::mem::offset_of!(Header, pc) as u16, ty: Type::I64 };

/// Numbers of CSRs stand for themselves; above them, the privilege mode.
const PRIVILEGE: u32 = 0x1000;
/// `fflags`, `frm`, `fcsr`.
const FCSR: core::ops::RangeInclusive<u32> = 1..=3;

/// What gdb is told.
pub(crate) fn debugged(features: Features) -> Debugged {
    let reg = |name: &str, bits, ty, place| DebugReg { name: name.into(), bits, ty, place };
    let mut cpu = vec![reg(X[0], 64, "int", DebugPlace::Zero)];
    for (n, name) in X.iter().enumerate().skip(1) {
        let ty = match *name {
            "ra" => "code_ptr",
            "sp" | "gp" | "tp" | "fp" => "data_ptr",
            _ => "int",
        };
        cpu.push(reg(name, 64, ty, DebugPlace::Slot(slots::x(n))));
    }
    cpu.push(reg("pc", 64, "code_ptr", DebugPlace::Slot(PC)));
    let f = |(n, name): (usize, &&str)| reg(name, 64, "ieee_double", DebugPlace::Slot(slots::f(n)));
    let mut fpu: Vec<DebugReg> = F.iter().enumerate().map(f).collect();
    let names = ["fflags", "frm", "fcsr"];
    fpu.extend(FCSR.zip(names).map(|(n, name)| reg(name, 32, "int", DebugPlace::Other(n))));
    let csrs = csr::debugged(features).into_iter();
    let csrs = csrs.map(|(n, name)| reg(name, 64, "int", DebugPlace::Other(n.into()))).collect();
    let mode = vec![reg("priv", 64, "int", DebugPlace::Other(PRIVILEGE))];
    let feature = |name, regs| DebugFeature { name, types: "", regs };
    Debugged {
        arch: "riscv:rv64",
        features: vec![
            feature("org.gnu.gdb.riscv.cpu", cpu),
            feature("org.gnu.gdb.riscv.fpu", fpu),
            feature("org.gnu.gdb.riscv.csr", csrs),
            feature("org.gnu.gdb.riscv.virtual", mode),
        ],
        // c.ebreak, ebreak.
        breakpoint: |len| match len {
            2 => Some(&[0x02, 0x90]),
            4 => Some(&[0x73, 0x00, 0x10, 0x00]),
            _ => None,
        },
        watches_before: false,
        always: ["sp", "pc"],
    }
}

/// See [`remu_isa::System::debug_register`].
pub(crate) fn read(
    r: &mut Regs<'_>,
    features: Features,
    place: DebugPlace,
    around: &dyn Surroundings,
) -> Option<Vec<u8>> {
    let DebugPlace::Other(n) = place else { return place.read(r.0) };
    let bytes = |v: u64| v.to_le_bytes().to_vec();
    match n {
        1 => Some((fcsr(r.0) & 0x1f).to_le_bytes().to_vec()),
        2 => Some((fcsr(r.0) >> 5).to_le_bytes().to_vec()),
        3 => Some(fcsr(r.0).to_le_bytes().to_vec()),
        PRIVILEGE => Some(bytes(r.privilege())),
        n => csr::peek(r, features, u16::try_from(n).ok()?, around).map(bytes),
    }
}

/// See [`remu_isa::System::set_debug_register`].
pub(crate) fn write(r: &mut Regs<'_>, place: DebugPlace, bytes: &[u8]) -> bool {
    let DebugPlace::Other(n) = place else { return place.write(r.0, bytes) };
    // CSRs are looked at only: writing one has effects that belong to an instruction.
    let Ok(word) = bytes.try_into().map(u32::from_le_bytes) else { return false };
    let old = fcsr(r.0);
    match n {
        1 => set_fcsr(r.0, old & !0x1f | word & 0x1f),
        2 => set_fcsr(r.0, old & 0x1f | (word & 7) << 5),
        3 => set_fcsr(r.0, word),
        _ => return false,
    }
    true
}
