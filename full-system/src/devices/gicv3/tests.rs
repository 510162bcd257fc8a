//! The controller driven through its registers.

use std::sync::Arc;

use super::*;

const IRQ: u64 = 1;
const FIQ: u64 = 2;

/// Numbers of registers: `CRm` and `op2` of those with `CRn` 12.
fn icc(crm: u16, op2: u16) -> u16 {
    3 << 14 | 12 << 7 | crm << 3 | op2
}
const PMR: u16 = 3 << 14 | 4 << 7 | 6 << 3;

struct Rig {
    gic: Arc<Gicv3>,
    d: Arc<dyn Mmio>,
    r: Arc<dyn Mmio>,
    cpus: Vec<Target>,
}

/// A controller with everything enabled for group 1; processors have the affinities 0.0, 0.1, 1.0, 1.1.
fn rig(cpus: u64) -> Rig {
    let target = |n| Target { lines: Arc::new(CpuLines::new()), affinity: n / 2 << 8 | n % 2 };
    let cpus: Vec<_> = (0..cpus).map(target).collect();
    let gic = Gicv3::new(256, cpus.clone());
    let (d, r) = (gic.distributor(), gic.redistributors());
    d.write(0, 4, 3);
    for n in 0..cpus.len() {
        r.write(n as u64 * REDISTRIBUTOR + 0x1_0080, 4, 0xffff_ffff);
        assert!(gic.set_register(n, PMR, 0xf0));
        assert!(gic.set_register(n, icc(12, 7), 1));
    }
    Rig { gic, d, r, cpus }
}

impl Rig {
    fn levels(&self) -> Vec<u64> {
        self.cpus.iter().map(|c| c.lines.levels()).collect()
    }
    fn read(&self, cpu: usize, reg: u16) -> u64 {
        self.gic.register(cpu, reg).expect("it can be read")
    }
}

#[test]
fn rows_hold() {
    let target = Target { lines: Arc::new(CpuLines::new()), affinity: 0 };
    let gic = Gicv3::new(256, vec![target]);
    distributor::check_rows(&*gic.distributor());
    redistributors::check_rows(&*gic.redistributors());
    assert_eq!(gic.distributor().read(4, 4) & 0x1f, 8);
}

#[test]
fn redistributors_say_whose_they_are() {
    let r = rig(3);
    let typer = |n: u64| {
        let at = n * REDISTRIBUTOR + 8;
        r.r.read(at, 4) | r.r.read(at + 4, 4) << 32
    };
    assert_eq!([0, 1, 2].map(typer), [0, 1 << 32 | 0x100, 0x100 << 32 | 0x210]);
    assert_eq!(r.r.read(3 * REDISTRIBUTOR + 0xffe8, 4), 0);
    r.r.write(REDISTRIBUTOR + 0x14, 4, 0);
    assert_eq!((r.r.read(0x14, 4), r.r.read(REDISTRIBUTOR + 0x14, 4)), (6, 0));
}

#[test]
fn a_device_interrupts_the_processor_it_is_routed_to() {
    let r = rig(3);
    // Shared interrupt 1 is number 33.
    r.d.write(0x84, 4, 2);
    r.d.write(0x104, 4, 2);
    r.gic.set_input(1, true);
    assert_eq!(r.levels(), [IRQ, 0, 0]);
    r.d.write(0x6000 + 8 * 33, 4, 0x100);
    assert_eq!(r.levels(), [0, 0, IRQ]);
    r.d.write(0x6000 + 8 * 33 + 4, 4, 1);
    assert_eq!(r.levels(), [0, 0, 0], "there is no such processor");
    r.d.write(0x6000 + 8 * 33 + 4, 4, 0);
    assert_eq!((r.read(2, icc(12, 2)), r.read(2, icc(12, 0))), (33, 33));
    assert_eq!((r.levels(), r.d.read(0x304, 4)), (vec![0; 3], 2));
    assert_eq!((r.read(2, icc(11, 3)), r.read(2, icc(9, 0))), (0, 1));
    assert_eq!(r.read(2, icc(12, 0)), 1023);
    r.gic.set_input(1, false);
    assert!(r.gic.set_register(2, icc(12, 1), 33));
    assert_eq!((r.read(2, icc(11, 3)), r.d.read(0x304, 4)), (0xff, 0));
}

#[test]
fn timers_come_by_private_inputs() {
    let r = rig(2);
    r.r.write(REDISTRIBUTOR + 0x1_0100, 4, 1 << 27);
    r.gic.set_private(0, 27, true);
    r.gic.set_private(1, 27, true);
    assert_eq!(r.levels(), [0, IRQ], "the other has not enabled it");
    assert_eq!(r.read(1, icc(12, 0)), 27);
    r.gic.set_private(1, 27, false);
    r.gic.set_register(1, icc(12, 1), 27);
    assert_eq!(r.levels(), [0, 0]);
}

#[test]
fn processors_interrupt_each_other() {
    let r = rig(4);
    for n in 0..4 {
        r.r.write(n * REDISTRIBUTOR + 0x1_0100, 4, 0xffff);
    }
    // Number 3 for 1.0 and 1.1; then to all others.
    assert!(r.gic.set_register(0, icc(11, 5), 3 << 24 | 1 << 16 | 3));
    assert_eq!(r.levels(), [0, 0, IRQ, IRQ]);
    assert_eq!((r.read(2, icc(12, 0)), r.read(3, icc(12, 0))), (3, 3));
    assert!(r.gic.set_register(1, icc(11, 5), 4 << 24 | 1 << 40));
    assert_eq!(r.levels(), [IRQ, 0, 0, 0], "of equals, the running priority is not interrupted");
    r.gic.set_register(2, icc(12, 1), 3);
    assert_eq!(r.levels(), [IRQ, 0, IRQ, 0]);
    assert!(r.gic.set_register(0, icc(11, 7), 5 << 24 | 2));
    assert_eq!(r.levels(), [IRQ, 0, IRQ, 0], "5 is in group 1, not 0");
}

#[test]
fn groups_priorities_and_ends_in_two_steps() {
    let r = rig(1);
    r.gic.set_register(0, icc(12, 6), 1);
    r.r.write(0x1_0080, 4, 1 << 21);
    r.r.write(0x1_0100, 4, 1 << 20 | 1 << 21);
    r.r.write(0x1_0400 + 20, 4, 0x8040);
    r.gic.set_private(0, 21, true);
    assert_eq!(r.levels(), [IRQ]);
    assert_eq!((r.read(0, icc(8, 0)), r.read(0, icc(12, 0))), (1023, 21));
    r.gic.set_private(0, 20, true);
    assert_eq!((r.levels(), r.read(0, icc(8, 0))), (vec![FIQ], 20));
    assert_eq!((r.read(0, icc(8, 4)), r.read(0, icc(9, 0))), (1 << 8, 1 << 16));
    r.gic.set_register(0, icc(12, 1), 21);
    assert_eq!(r.read(0, icc(11, 3)), 0x40, "group 1 does not run: its end is ignored");
    r.gic.set_register(0, icc(12, 4), 2);
    r.gic.set_private(0, 20, false);
    r.gic.set_register(0, icc(8, 1), 20);
    assert_eq!((r.read(0, icc(11, 3)), r.r.read(0x1_0300, 4)), (0x80, 3 << 20));
    r.gic.set_register(0, icc(11, 1), 20);
    assert_eq!(r.r.read(0x1_0300, 4), 1 << 21);
    assert_eq!(r.read(0, icc(12, 4)), 2 | 4 << 8 | 1 << 15);
    assert_eq!(r.gic.register(0, icc(11, 1)), None, "only written");
    assert!(!r.gic.set_register(0, icc(12, 0), 0), "only read");
    assert_eq!(r.gic.register(0, icc(13, 0)), None, "no register");
}
