//! Interrupts and interfaces against random use: nothing is lost, and nothing is taken that may not be.

use super::*;

#[test]
fn binary_points_decide_what_comes_between() {
    let mut i = Interface::default();
    i.set_mask(0xff);
    let c = |priority, group| interrupts_candidate(priority, group);
    assert!(i.takes(&c(0xf0, 0)) && !i.takes(&c(0xf8, 0)));
    i.start(&c(0x88, 1));
    assert!(i.takes(&c(0x80, 1)) && !i.takes(&c(0x88, 1)));
    i.drop_priority(1);
    i.start(&c(0x80, 1));
    // Only the upper four bits of group 1 decide, which leave 0x70 and 0x78 the same.
    i.set_point(1, 4);
    i.drop_priority(1);
    i.start(&c(0x78, 1));
    assert!(!i.takes(&c(0x70, 1)) && i.takes(&c(0x68, 1)) && i.takes(&c(0x68, 0)));
    i.common = true;
    assert_eq!((i.point(0), i.point(1)), (2, 3));
    i.drop_priority(1);
    i.start(&c(0x78, 1));
    assert!(i.takes(&c(0x70, 1)) && !i.takes(&c(0x78, 1)));
    i.drop_priority(1);
    i.start(&c(0x88, 1));
    i.start(&c(0x40, 0));
    assert_eq!((i.running(), i.running_group()), (0x40, Some(0)));
    i.drop_priority(0);
    assert_eq!((i.running(), i.running_group()), (0x88, Some(1)));
    i.drop_priority(1);
    assert_eq!((i.running(), i.running_group()), (0xff, None));
}

fn interrupts_candidate(priority: u8, group: usize) -> Candidate {
    Candidate { number: 0, priority, group }
}

#[test]
fn every_interrupt_that_is_raised_is_taken_once_and_in_order() {
    let mut irqs = Interrupts::new(2, 96);
    let mut seed = 7u64;
    let mut random = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % below
    };
    for word in 0..3 {
        irqs.put(Bits::Enabled, 1, word, Lanes::new(0, 4, u64::from(u32::MAX)));
        for at in 0..8 {
            irqs.set_priorities(1, 8 * word + at, Lanes::new(0, 4, random(1 << 32)));
        }
        irqs.set_triggers(1, 2 * word, Lanes::new(0, 4, u64::from(u32::MAX)));
        irqs.set_triggers(1, 2 * word + 1, Lanes::new(0, 4, u64::from(u32::MAX)));
    }
    let best = |irqs: &Interrupts| irqs.best(1, [true; 2], |target| target == 0);
    for _ in 0..200 {
        let mut raised = std::collections::BTreeSet::new();
        for _ in 0..random(40) {
            let number = random(96) as u32;
            irqs.set_level(1, number, true);
            irqs.set_level(1, number, false);
            // Generated ones have no level, but an edge is one all the same.
            raised.insert(number);
        }
        let (mut taken, mut last) = (std::collections::BTreeSet::new(), (0, 0));
        while let Some(c) = best(&irqs) {
            assert!((c.priority, c.number) >= last, "in order");
            last = (c.priority, c.number);
            irqs.acknowledge(1, c.number);
            assert!(taken.insert(c.number), "once");
        }
        assert_eq!(taken, raised);
        taken.iter().for_each(|&n| irqs.deactivate(1, n));
    }
}
