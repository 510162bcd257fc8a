//! A processor as gdb sees it: features `org.gnu.gdb.aarch64.*`, and the system registers.

use remu_ir::{Slot, Type};
use remu_isa::{DebugFeature, DebugPlace, DebugReg, Debugged, Header, Surroundings};

use super::regs::{Regs, slots, spsr};
use super::sysregs;
use crate::features::Features;

const PC: Slot = Slot { offset: core::mem::offset_of!(Header, pc) as u16, ty: Type::I64 };
const FPSTAT: Slot = Slot { offset: core::mem::offset_of!(Header, fpstat) as u16, ty: Type::I32 };

/// Numbers of system registers stand for themselves; these are above them.
const CPSR: u32 = 0x1_0000;
const FPSR: u32 = 0x1_0001;
const FPCR: u32 = 0x1_0002;

const FLAGS: &str = "<flags id=\"cpsr_flags\" size=\"4\"><field name=\"SP\" start=\"0\" end=\"0\"/>\
     <field name=\"EL\" start=\"2\" end=\"3\"/><field name=\"F\" start=\"6\" end=\"6\"/>\
     <field name=\"I\" start=\"7\" end=\"7\"/><field name=\"A\" start=\"8\" end=\"8\"/>\
     <field name=\"D\" start=\"9\" end=\"9\"/><field name=\"PAN\" start=\"22\" end=\"22\"/>\
     <field name=\"V\" start=\"28\" end=\"28\"/><field name=\"C\" start=\"29\" end=\"29\"/>\
     <field name=\"Z\" start=\"30\" end=\"30\"/><field name=\"N\" start=\"31\" end=\"31\"/></flags>";

/// A vector register by the size of its lanes.
const VECTOR: &str = "<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>\
     <vector id=\"v2u\" type=\"uint64\" count=\"2\"/><vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>\
     <vector id=\"v4u\" type=\"uint32\" count=\"4\"/><vector id=\"v8u\" type=\"uint16\" count=\"8\"/>\
     <vector id=\"v16u\" type=\"uint8\" count=\"16\"/>\
     <union id=\"vnd\"><field name=\"f\" type=\"v2d\"/><field name=\"u\" type=\"v2u\"/></union>\
     <union id=\"vns\"><field name=\"f\" type=\"v4f\"/><field name=\"u\" type=\"v4u\"/></union>\
     <union id=\"vnh\"><field name=\"u\" type=\"v8u\"/></union>\
     <union id=\"vnb\"><field name=\"u\" type=\"v16u\"/></union>\
     <union id=\"vnq\"><field name=\"u\" type=\"uint128\"/></union>\
     <union id=\"aarch64v\"><field name=\"d\" type=\"vnd\"/><field name=\"s\" type=\"vns\"/>\
     <field name=\"h\" type=\"vnh\"/><field name=\"b\" type=\"vnb\"/><field name=\"q\" type=\"vnq\"/></union>";

/// What gdb is told.
pub(crate) fn debugged(f: &Features) -> Debugged {
    let reg = |name: String, bits, ty, place| DebugReg { name, bits, ty, place };
    let slot = |slot| DebugPlace::Slot(slot);
    let mut core: Vec<DebugReg> =
        (0..31).map(|n| reg(format!("x{n}"), 64, "int", slot(slots::x(n)))).collect();
    core.push(reg("sp".into(), 64, "data_ptr", slot(slots::x(31))));
    core.push(reg("pc".into(), 64, "code_ptr", slot(PC)));
    core.push(reg("cpsr".into(), 32, "cpsr_flags", DebugPlace::Other(CPSR)));
    let mut fpu: Vec<DebugReg> =
        (0..32).map(|n| reg(format!("v{n}"), 128, "aarch64v", slot(slots::v(n)))).collect();
    fpu.push(reg("fpsr".into(), 32, "int", DebugPlace::Other(FPSR)));
    fpu.push(reg("fpcr".into(), 32, "int", DebugPlace::Other(FPCR)));
    let system = sysregs::debugged(f)
        .map(|(n, name)| reg(name.to_uppercase(), 64, "int", DebugPlace::Other(n.into())))
        .collect();
    Debugged {
        arch: "aarch64",
        features: vec![
            DebugFeature { name: "org.gnu.gdb.aarch64.core", types: FLAGS, regs: core },
            DebugFeature { name: "org.gnu.gdb.aarch64.fpu", types: VECTOR, regs: fpu },
            DebugFeature { name: "org.remu.gdb.aarch64.system", types: "", regs: system },
        ],
        // brk #0.
        breakpoint: |len| (len == 4).then_some(&[0x00, 0x00, 0x20, 0xd4]),
        watches_before: true,
        always: ["sp", "pc"],
    }
}

/// See [`remu_isa::System::debug_register`].
pub(crate) fn read(
    r: &mut Regs<'_>,
    place: DebugPlace,
    around: &dyn Surroundings,
) -> Option<Vec<u8>> {
    let DebugPlace::Other(n) = place else { return place.read(r.0) };
    let word = |v: u64| Some((v as u32).to_le_bytes().to_vec());
    match n {
        CPSR => word(r.pstate()),
        FPSR => {
            // As lifters make it of the sticky flags, whose numbers are those of `fpstat`.
            let sticky = r.get32(FPSTAT);
            let low = sticky & 1 | sticky >> 1 & 0x1e | (sticky >> 1 & 1) << 7;
            let saturated = DebugPlace::Slot(slots::qc(0)).read(r.0)?.iter().any(|&b| b != 0);
            word(low | u64::from(saturated) << 27)
        }
        FPCR => word(r.get32(slots::fpcr(0))),
        n => sysregs::peek(r, u16::try_from(n).ok()?, around).map(|v| v.to_le_bytes().to_vec()),
    }
}

/// See [`remu_isa::System::set_debug_register`].
pub(crate) fn write(r: &mut Regs<'_>, place: DebugPlace, bytes: &[u8]) -> bool {
    let DebugPlace::Other(n) = place else { return place.write(r.0, bytes) };
    // System registers are looked at only: writing one has effects that belong to an instruction.
    let Ok(word) = bytes.try_into().map(u32::from_le_bytes) else { return false };
    // The level and the width stay.
    let legal = u64::from(word) & (spsr::NOT_A64 | 3 << 2) == r.el() << 2;
    if n == CPSR && legal {
        r.set_pstate(word.into());
    }
    n == CPSR && legal
}
