//! Stage 1 of address translation at EL1 and EL0: "The AArch64 Virtual Memory System
//! Architecture", `AArch64.S1Translate`.

use remu_isa::{Intent, Mapping, PhysMem, Trap};

use super::exception::{ec, syndrome};
use super::regs::{Regs, sctlr, slots};
use crate::features::{self, Features};

/// Bits of a physical address.
const PHYSICAL: u32 = 48;
/// Most bits of a guest address, and fewest.
const LONGEST: u64 = 48;
const SHORTEST: u64 = 25;

/// Fields of TCR_EL1: those of TTBR0, and how far those of TTBR1 are from them.
mod tcr {
    pub(super) const EPD: [u64; 2] = [1 << 7, 1 << 23];
    pub(super) const TBI: [u64; 2] = [1 << 37, 1 << 38];
    pub(super) const HA: u64 = 1 << 39;
    pub(super) const HD: u64 = 1 << 40;
    pub(super) const HPD: [u64; 2] = [1 << 41, 1 << 42];
    pub(super) const TBID: [u64; 2] = [1 << 51, 1 << 52];
    pub(super) const E0PD: [u64; 2] = [1 << 55, 1 << 56];
}

/// Fields of descriptors.
mod desc {
    pub(super) const VALID: u64 = 1;
    pub(super) const TABLE: u64 = 1 << 1;
    pub(super) const USER: u64 = 1 << 6;
    pub(super) const READ_ONLY: u64 = 1 << 7;
    pub(super) const AF: u64 = 1 << 10;
    pub(super) const DBM: u64 = 1 << 51;
    pub(super) const PXN: u64 = 1 << 53;
    pub(super) const UXN: u64 = 1 << 54;
    pub(super) const PXN_TABLE: u64 = 1 << 59;
    pub(super) const UXN_TABLE: u64 = 1 << 60;
    pub(super) const NO_USER_TABLE: u64 = 1 << 61;
    pub(super) const READ_ONLY_TABLE: u64 = 1 << 62;
    pub(super) const ADDRESS: u64 = (1 << 48) - 1;
}

/// Fault status codes (ESR_ELx.DFSC); the level is added to the first four.
pub(crate) mod status {
    pub(crate) const ADDRESS_SIZE: u64 = 0x00;
    pub(crate) const TRANSLATION: u64 = 0x04;
    pub(crate) const ACCESS_FLAG: u64 = 0x08;
    pub(crate) const PERMISSION: u64 = 0x0c;
    pub(crate) const EXTERNAL: u64 = 0x10;
    pub(crate) const EXTERNAL_ON_WALK: u64 = 0x14;
    pub(crate) const ALIGNMENT: u64 = 0x21;
}

/// Who makes an access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Who {
    /// EL0, or EL1 with its rights.
    User,
    /// EL1; with PAN or without.
    Privileged(bool),
}

/// The abort of an access: a fault status code.
pub(crate) fn abort(va: u64, intent: Intent, status: u64) -> Trap {
    let class = if intent == Intent::Execute { ec::INSN_ABORT } else { ec::DATA_ABORT };
    let write = u64::from(intent == Intent::Write) << 6;
    Trap { cause: syndrome(class, status | write), value: va }
}

/// Where a page is.
#[derive(Clone, Copy, Debug)]
struct Leaf {
    pa: u64,
    read: bool,
    write: bool,
    span: u64,
}

/// Translates for a processor as it runs: see [`remu_isa::System::translate`].
pub(crate) fn translate(
    r: &Regs<'_>,
    features: &Features,
    mem: &dyn PhysMem,
    va: u64,
    intent: Intent,
    tlb: u8,
) -> Result<Mapping, Trap> {
    let who = match (intent, tlb) {
        (Intent::Execute, _) if r.el() == 0 => Who::User,
        (Intent::Execute, _) => Who::Privileged(false),
        (_, 0) => Who::User,
        (_, n) => Who::Privileged(n == 2),
    };
    match walk(r, features, mem, va, intent, who) {
        Ok(leaf) => {
            let Leaf { pa, read, write, span } = leaf;
            Ok(Mapping { pa, read, write, whole: true, span })
        }
        Err(status) => Err(abort(va, intent, status)),
    }
}

/// AT: the physical address, or a fault status code.
pub(crate) fn address(
    r: &Regs<'_>,
    features: &Features,
    mem: &dyn PhysMem,
    va: u64,
    intent: Intent,
    who: Who,
) -> Result<u64, u64> {
    walk(r, features, mem, va, intent, who).map(|leaf| leaf.pa)
}

/// How addresses of one half are translated.
struct Half {
    /// log2 of a page.
    grain: u32,
    /// Bits of an address.
    bits: u32,
}

impl Half {
    /// Of TTBR0 or TTBR1. `None` if the size of the address space is out of range.
    fn new(tcr: u64, n: usize) -> Option<Half> {
        let (size, grain) = if n == 0 {
            (tcr & 0x3f, [12, 16, 14, 12][(tcr >> 14 & 3) as usize])
        } else {
            (tcr >> 16 & 0x3f, [12, 14, 12, 16][(tcr >> 30 & 3) as usize])
        };
        let bits = 64 - size;
        (SHORTEST..=LONGEST).contains(&bits).then_some(Half { grain, bits: bits as u32 })
    }
    /// Bits that one level of tables translates.
    fn stride(&self) -> u32 {
        self.grain - 3
    }
    fn first_level(&self) -> u32 {
        4 - (self.bits - self.grain).div_ceil(self.stride())
    }
    /// log2 of what an entry of a level maps.
    fn shift(&self, level: u32) -> u32 {
        self.grain + self.stride() * (3 - level)
    }
    /// Whether an entry of the level may be a block.
    fn has_blocks(&self, level: u32) -> bool {
        level == 2 || level == 1 && self.grain == 12
    }
}

/// Bits of physical addresses for a value of TCR_EL1.IPS.
fn physical_bits(tcr: u64) -> u32 {
    [32, 36, 40, 42, 44, 48, 48, 48][(tcr >> 32 & 7) as usize].min(PHYSICAL)
}

fn walk(
    r: &Regs<'_>,
    features: &Features,
    mem: &dyn PhysMem,
    va: u64,
    intent: Intent,
    who: Who,
) -> Result<Leaf, u64> {
    let (control, tcr) = (r.sctlr(), r.tcr());
    let n = (va >> 55 & 1) as usize;
    let is_set = |field: [u64; 2]| tcr & field[n] != 0;
    let ignores_tag = is_set(tcr::TBI) && (intent != Intent::Execute || !is_set(tcr::TBID));
    // Bits from 55 or 63 down.
    let top = if ignores_tag { (va << 8) as i64 >> 8 } else { va as i64 };
    if control & sctlr::M == 0 {
        let pa = if ignores_tag { va & (u64::MAX >> 8) } else { va };
        if pa >> PHYSICAL != 0 {
            return Err(status::ADDRESS_SIZE);
        }
        return Ok(Leaf { pa, read: true, write: true, span: 4096 });
    }
    let untranslated = Err(status::TRANSLATION);
    let Some(half) = Half::new(tcr, n) else { return untranslated };
    if top >> half.bits != -(n as i64) || is_set(tcr::EPD) {
        return untranslated;
    }
    if who == Who::User && features.has(features::E0PD) && is_set(tcr::E0PD) {
        return untranslated;
    }
    let out = physical_bits(tcr);
    let mut level = half.first_level();
    let first_bits = half.bits - half.shift(level);
    let mut table = r.get(slots::ttbr(n)) & desc::ADDRESS & !((8 << first_bits) - 1);
    if table >> out != 0 {
        return Err(status::ADDRESS_SIZE);
    }
    let hierarchical = !(features.has(features::HPDS) && is_set(tcr::HPD));
    let mut inherited = 0;
    let mut index_bits = first_bits;
    loop {
        let shift = half.shift(level);
        let at = table + (va >> shift & ((1 << index_bits) - 1)) * 8;
        let lv = u64::from(level);
        let d = mem.read(at).ok_or(status::EXTERNAL_ON_WALK + lv)?;
        let is_page = level == 3;
        if d & desc::VALID == 0 || d & desc::TABLE == 0 && (is_page || !half.has_blocks(level)) {
            return Err(status::TRANSLATION + lv);
        }
        let base = d & desc::ADDRESS & (u64::MAX << half.grain);
        if base >> out != 0 {
            return Err(status::ADDRESS_SIZE + lv);
        }
        if d & desc::TABLE != 0 && !is_page {
            if hierarchical {
                inherited |= d;
            }
            table = base;
            level += 1;
            index_bits = half.stride();
            continue;
        }
        if d & desc::AF == 0 && !(features.has(features::HAFDBS) && tcr & tcr::HA != 0) {
            return Err(status::ACCESS_FLAG + lv);
        }
        let rights = Rights::new(d, inherited, control, can_become_dirty(features, tcr, d));
        if !rights.allows(intent, who) {
            return Err(status::PERMISSION + lv);
        }
        let mut wanted = d | desc::AF;
        if intent == Intent::Write {
            wanted &= !desc::READ_ONLY;
        }
        if wanted != d {
            match mem.exchange(at, d, wanted) {
                Some(true) => {}
                // Somebody else has changed the entry: look at it again.
                Some(false) => continue,
                None => return Err(status::EXTERNAL_ON_WALK + lv),
            }
        }
        let span = 1 << shift;
        return Ok(Leaf {
            pa: base & !(span - 1) | va & (span - 1),
            read: rights.allows(Intent::Read, who),
            write: rights.allows(Intent::Write, who) && wanted & desc::READ_ONLY == 0,
            span,
        });
    }
}

/// Whether hardware makes a read-only descriptor one that can be written ("Hardware management of
/// dirty state").
fn can_become_dirty(features: &Features, tcr: u64, d: u64) -> bool {
    features.has(features::HAFDBS) && tcr & tcr::HA != 0 && tcr & tcr::HD != 0 && d & desc::DBM != 0
}

/// What a descriptor allows: "Memory access control".
struct Rights {
    user: bool,
    writable: bool,
    user_executes: bool,
    executes: bool,
}

impl Rights {
    fn new(d: u64, inherited: u64, control: u64, dirty: bool) -> Rights {
        let user = d & desc::USER != 0 && inherited & desc::NO_USER_TABLE == 0;
        let writable =
            (d & desc::READ_ONLY == 0 || dirty) && inherited & desc::READ_ONLY_TABLE == 0;
        let wxn = control & sctlr::WXN != 0;
        let never = |leaf: u64, table: u64| d & leaf != 0 || inherited & table != 0;
        // What EL0 may write is never executed at EL1.
        let user_never = never(desc::UXN, desc::UXN_TABLE) || wxn && user && writable;
        let own_never = never(desc::PXN, desc::PXN_TABLE) || (user || wxn) && writable;
        Rights { user, writable, user_executes: !user_never, executes: !own_never }
    }
    fn allows(&self, intent: Intent, who: Who) -> bool {
        let reach = match who {
            Who::User => self.user,
            Who::Privileged(pan) => !(pan && self.user),
        };
        match (intent, who) {
            (Intent::Read, _) => reach,
            (Intent::Write, _) => reach && self.writable,
            (Intent::Execute, Who::User) => self.user_executes,
            (Intent::Execute, Who::Privileged(_)) => self.executes,
        }
    }
}
