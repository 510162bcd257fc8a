//! The controller driven through its registers.

use std::sync::Arc;

use super::*;

const IRQ: u64 = 1;
const FIQ: u64 = 2;

struct Rig {
    gic: Arc<Gicv2>,
    d: Arc<dyn Mmio>,
    c: Arc<dyn Mmio>,
    cpus: Vec<Arc<CpuLines>>,
}

/// A controller with everything enabled for group 0.
fn rig(cpus: usize) -> Rig {
    let cpus: Vec<_> = (0..cpus).map(|_| Arc::new(CpuLines::new())).collect();
    let gic = Gicv2::new(256, cpus.clone());
    let (d, c) = (gic.distributor(), gic.interfaces());
    d.write(0, 4, 3);
    for n in 0..cpus.len() {
        bus::set_initiator(n as u32);
        c.write(0, 4, 1);
        c.write(4, 4, 0xf0);
    }
    bus::set_initiator(0);
    Rig { gic, d, c, cpus }
}

impl Rig {
    fn as_cpu<T>(&self, cpu: u32, act: impl FnOnce(&Rig) -> T) -> T {
        bus::set_initiator(cpu);
        let result = act(self);
        bus::set_initiator(0);
        result
    }
}

#[test]
fn rows_hold() {
    let gic = Gicv2::new(256, vec![Arc::new(CpuLines::new())]);
    distributor::check_rows(&*gic.distributor());
    interfaces::check_rows(&*gic.interfaces());
    assert_eq!(gic.distributor().read(4, 4), 8);
}

#[test]
fn a_device_interrupts_and_is_served() {
    let r = rig(2);
    // Shared interrupt 1 is number 33.
    r.d.write(0x104, 4, 2);
    r.gic.set_input(1, true);
    assert_eq!(r.cpus[0].levels(), 0, "sent to nobody");
    r.d.write(0x821, 1, 0xff);
    assert_eq!([0, 1].map(|n| r.cpus[n].levels()), [IRQ; 2]);
    r.d.write(0x820, 4, 1 << 8);
    assert_eq!([0, 1].map(|n| r.cpus[n].levels()), [IRQ, 0]);
    assert_eq!((r.d.read(0x820, 4), r.as_cpu(1, |r| r.d.read(0x800, 4))), (0x100, 0x0202_0202));
    assert_eq!((r.c.read(0x18, 4), r.c.read(0xc, 4)), (33, 33));
    assert_eq!(r.cpus[0].levels(), 0);
    assert_eq!((r.d.read(0x304, 4), r.c.read(0x14, 4)), (2, 0));
    assert_eq!(r.c.read(0xc, 4), 1023, "active: not taken again");
    r.gic.set_input(1, false);
    r.c.write(0x10, 4, 33);
    assert_eq!((r.cpus[0].levels(), r.c.read(0x14, 4)), (0, 0xff));
    r.gic.set_input(1, true);
    r.c.read(0xc, 4);
    r.c.write(0x10, 4, 33);
    assert_eq!(r.cpus[0].levels(), IRQ, "still high: taken again");
}

#[test]
fn urgent_interrupts_come_between() {
    let r = rig(1);
    r.d.write(0x100, 4, 3 << 30);
    r.d.write(0x400 + 28, 4, 0x40a0_0000);
    r.gic.set_private(0, 30, true);
    assert_eq!(r.c.read(0xc, 4), 30);
    r.gic.set_private(0, 31, true);
    assert_eq!((r.cpus[0].levels(), r.c.read(0xc, 4)), (IRQ, 31));
    assert_eq!((r.c.read(0x14, 4), r.c.read(0xd0, 4)), (0x40, 1 << 20 | 1 << 8));
    r.gic.set_private(0, 31, false);
    r.c.write(0x10, 4, 31);
    assert_eq!((r.cpus[0].levels(), r.c.read(0x14, 4)), (0, 0xa0));
    r.c.write(0x10, 4, 30);
    assert_eq!((r.cpus[0].levels(), r.c.read(0x14, 4)), (IRQ, 0xff));
}

#[test]
fn a_single_processor_gets_everything() {
    let r = rig(1);
    r.d.write(0x104, 4, 1);
    r.gic.set_input(0, true);
    assert_eq!((r.cpus[0].levels(), r.d.read(0x820, 4)), (IRQ, 0));
}

#[test]
fn processors_interrupt_each_other() {
    let r = rig(3);
    // To all others, number 5.
    r.as_cpu(1, |r| r.d.write(0xf00, 4, 1 << 24 | 5));
    r.as_cpu(0, |r| r.d.write(0xf00, 4, 4 << 16 | 5));
    assert_eq!([0, 1, 2].map(|n| r.cpus[n].levels()), [IRQ, 0, IRQ]);
    r.as_cpu(2, |r| {
        assert_eq!(r.d.read(0xf24, 4), 0x300);
        assert_eq!(r.c.read(0xc, 4), 5, "from processor 0 first");
        r.c.write(0x10, 4, 5);
        assert_eq!(r.c.read(0xc, 4), 1 << 10 | 5);
        r.c.write(0x10, 4, 1 << 10 | 5);
        assert_eq!(r.c.read(0xc, 4), 1023);
    });
    assert_eq!([0, 1, 2].map(|n| r.cpus[n].levels()), [IRQ, 0, 0]);
    r.d.write(0xf14, 4, 0x200);
    assert_eq!(r.cpus[0].levels(), 0, "taken back");
}

#[test]
fn groups_go_their_ways() {
    let r = rig(1);
    r.d.write(0x100, 4, 1 << 20 | 1 << 21);
    r.d.write(0x80, 4, 1 << 21);
    // Both groups, group 0 as FIQ.
    r.c.write(0, 4, 1 | 2 | 8);
    r.gic.set_private(0, 21, true);
    assert_eq!(r.cpus[0].levels(), IRQ);
    assert_eq!((r.c.read(0xc, 4), r.c.read(0x18, 4)), (1022, 1022));
    assert_eq!(r.c.read(0x20, 4), 21);
    r.c.write(0x24, 4, 21);
    r.gic.set_private(0, 21, false);
    r.gic.set_private(0, 20, true);
    assert_eq!(r.cpus[0].levels(), FIQ);
    assert_eq!((r.c.read(0x20, 4), r.c.read(0xc, 4)), (1023, 20));
}

#[test]
fn edges_are_kept_and_masks_hold_back() {
    let r = rig(1);
    r.d.write(0xc04, 4, 0x8000_0000);
    assert_eq!(r.d.read(0xc04, 4), 0x8000_0000);
    r.d.write(0x103, 1, 0x80);
    r.gic.set_private(0, 31, true);
    r.gic.set_private(0, 31, false);
    assert_eq!(r.cpus[0].levels(), IRQ, "an edge stays");
    r.c.write(4, 4, 0);
    assert_eq!(r.cpus[0].levels(), 0);
    r.c.write(4, 4, 0xff);
    r.d.write(0x280, 4, 1 << 31);
    assert_eq!(r.cpus[0].levels(), 0, "taken back");
    // The end in two steps.
    r.c.write(0, 4, 1 | 1 << 9);
    r.gic.set_private(0, 31, true);
    assert_eq!(r.c.read(0xc, 4), 31);
    r.c.write(0x10, 4, 31);
    assert_eq!((r.c.read(0x14, 4), r.d.read(0x300, 4)), (0xff, 1 << 31));
    r.c.write(0x1000, 4, 31);
    assert_eq!(r.d.read(0x300, 4), 0);
}
