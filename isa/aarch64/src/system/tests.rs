//! Random states, instructions and page tables: nothing panics, and what always holds does.

use remu_ir::ExitKind;
use remu_isa::{Flush, Intent, Isa, PhysMem, Surroundings, System};

use super::regs::{Regs, slots, spsr};
use super::{Privileged, STATE};
use crate::Aarch64;
use crate::features::Features;

/// Xorshift.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    /// Any number, a small one, or few bits.
    fn value(&mut self) -> u64 {
        match self.next() & 3 {
            0 => self.next() >> (self.next() & 63),
            1 => 1 << (self.next() & 63) | 1 << (self.next() & 63),
            2 => (self.next() & 0xfff).wrapping_neg(),
            _ => self.next(),
        }
    }
}

/// Memory everywhere, whose words follow from their addresses.
struct Anything(u64);

impl PhysMem for Anything {
    fn read(&self, pa: u64) -> Option<u64> {
        let mut r = Random(pa.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ self.0 | 1);
        r.next();
        // Mostly valid, within 4 GiB.
        (pa >> 40 == 0).then(|| r.next() & 0xfff0_0000_ffff_ffff | u64::from(r.next() & 7 != 0))
    }
    fn exchange(&self, pa: u64, old: u64, _: u64) -> Option<bool> {
        self.read(pa).map(|now| now == old)
    }
}

impl Surroundings for Anything {
    fn memory(&self) -> &dyn PhysMem {
        self
    }
    fn time(&self) -> u64 {
        self.0
    }
    fn lines(&self) -> u64 {
        self.0 >> 7 & 3
    }
    fn register(&self, reg: u16) -> Option<u64> {
        Some(reg.into())
    }
}

fn random_state(random: &mut Random, state: &mut [u8]) {
    let mut r = Regs(state);
    for slot in STATE.regs.iter().map(|reg| reg.slot).filter(|s| s.ty.bytes() == 8) {
        r.set(slot, random.value());
    }
    r.set_el(random.next() & 1);
    let spsel = if r.el() == 0 { 0 } else { random.next() & 1 };
    r.set_spsel(spsel);
    r.set_pan(random.next() & spsr::PAN);
    r.set_daif(random.next() & spsr::DAIF);
    r.set_pc(random.value());
}

#[test]
fn nothing_panics() {
    let mut random = Random(0x1234_5678_9abc_def1);
    for features in [Features::MAX, Features::parse("cortex-a53").expect("a model")] {
        let (system, isa) = (Privileged::new(features), Aarch64::in_machine(features));
        let mut state = vec![0; STATE.size];
        for n in 0..100_000 {
            random_state(&mut random, &mut state);
            let around = Anything(random.value());
            // Exceptions, system instructions, hints and returns.
            let word = match n & 3 {
                0 => 0xd400_0000,
                1 => 0xd660_0000,
                _ => 0xd500_0000,
            } | random.next() & 0x3f_ffff;
            let info = core::mem::offset_of!(remu_isa::Header, exit_info);
            state[info..info + 8].copy_from_slice(&word.to_le_bytes());
            let kind = match random.next() & 15 {
                0 => ExitKind::ALL[random.next() as usize % ExitKind::ALL.len()],
                _ => ExitKind::Special,
            };
            let after = system.exit(&mut state, kind, None, &around);
            assert!(after.others == Flush::None || after.others == after.flush);
            system.interrupt(&mut state, &around);
            system.timers(&mut state, &around);
            system.deadline(&mut state);
            assert!(Regs(&mut state).el() <= 1);
            let tlb = isa.tlb(isa.key(&state));
            for intent in [Intent::Read, Intent::Write, Intent::Execute] {
                let va = random.value();
                if let Ok(m) = system.translate(&mut state, &around, va, 1, intent, tlb) {
                    assert_eq!(m.pa & 0xfff, va & 0xfff);
                    assert!(m.span.is_power_of_two() && m.pa >> 48 == 0);
                    assert!(m.read || intent != Intent::Read);
                    assert!(m.write || intent != Intent::Write);
                }
            }
        }
        assert!(system.dump(&mut state, &Anything(1)).contains("sctlr_el1"));
    }
}

#[test]
fn stack_pointers_follow_the_level() {
    let mut state = vec![0; STATE.size];
    let mut r = Regs(&mut state);
    r.reset(3, 0x1000);
    r.set(slots::x(31), 0x11);
    r.go(1, 0);
    r.set(slots::x(31), 0x10);
    r.go(0, 0);
    assert_eq!((r.get(slots::x(31)), r.el()), (0x10, 0));
    r.go(1, 1);
    assert_eq!(r.get(slots::x(31)), 0x11);
    assert_eq!((r.get(slots::sp_el(0)), r.pstate()), (0x10, 0x3c5));
}
