//! A processor in a debugger's hands.

use std::ops::Range;

use remu_engine::ExitKind;
use remu_isa::{DebugPlace, Debugged, Intent, PhysMem};
use vm_memory::{Bytes, GuestAddress};

use super::{Thread, Vcpu};
use crate::bus::PAGE;
use crate::gdb::{Stop, Touched};
use crate::machine::Debuggee;
use crate::softmmu::Tables;

/// Memory whose page tables are walked without a trace.
struct Untouched<'a>(&'a Tables);

impl PhysMem for Untouched<'_> {
    fn read(&self, pa: u64) -> Option<u64> {
        self.0.read(pa)
    }
    fn exchange(&self, pa: u64, _: u64, _: u64) -> Option<bool> {
        self.0.read(pa).map(|_| true)
    }
}

impl Thread {
    /// Stops, and has the debugger hear why.
    pub(super) fn stop_for_debugger(&mut self, why: Stop) {
        self.control.halt();
        self.shared.points.stopped(self.around.number, why);
    }

    /// Whether it has left translated code for a breakpoint of a debugger's.
    pub(super) fn is_at_break(&self, kind: ExitKind) -> bool {
        matches!(kind, ExitKind::Breakpoint | ExitKind::Special | ExitKind::Illegal)
            && self.shared.points.is_break(self.cpu.pc())
    }

    /// Why to stop before an access to a page with watchpoints, if there is reason.
    pub(super) fn before_watched(&self, touched: Touched) -> Option<Stop> {
        let before = self.shared.system.debug().watches_before;
        touched.watch.filter(|_| before).map(Stop::Watch)
    }

    /// Executes the instruction that has made such an access.
    pub(super) fn past_watched(&mut self, touched: Touched) -> ExitKind {
        self.mmu.set_watching(false);
        let kind = self.run_code(true);
        self.mmu.set_watching(true);
        // The TLB knows the page now, and the next one if the access reached into it.
        for va in [touched.addr, touched.addr.wrapping_add(PAGE)] {
            self.flush(remu_isa::Flush::Page(va));
        }
        kind
    }

    /// Where a guest address is, for whoever has the right to go there.
    fn look_up(&mut self, va: u64) -> Option<u64> {
        let Thread { shared, cpu, around, .. } = self;
        let isa = shared.engine.isa();
        let own = isa.tlb(isa.key(cpu.state()));
        let mut core = shared.engine.core(cpu);
        let others: &[u8] = if own == 3 { &[] } else { &[0, 1, 2] };
        let mem = Untouched(&around.tables);
        let mut find = |intent, tlb| {
            let found = shared.system.translate(core.state(), &mem, va, 1, intent, tlb);
            found.ok().map(|m| m.pa)
        };
        std::iter::once(&own)
            .chain(others)
            .find_map(|tlb| find(Intent::Read, *tlb))
            .or_else(|| find(Intent::Execute, own))
    }

    fn read(&mut self, va: u64, len: usize) -> Vec<u8> {
        let mut out = Vec::new();
        while out.len() < len {
            let at = va.wrapping_add(out.len() as u64);
            let here = (len - out.len()).min((PAGE - at % PAGE) as usize);
            let Some(pa) = self.look_up(at) else { break };
            let bus = &self.around.tables.0;
            let mut part = vec![0; here];
            if bus.ram().read_slice(&mut part, GuestAddress(pa)).is_err() {
                // Registers, as wide as asked for.
                let Ok(value) = bus.read(pa, here.min(8) as u8) else { break };
                part = value.to_le_bytes()[..here.min(8)].to_vec();
            }
            out.extend(part);
        }
        out
    }

    fn write(&mut self, va: u64, bytes: &[u8]) -> bool {
        let mut done = 0;
        while done < bytes.len() {
            let at = va.wrapping_add(done as u64);
            let here = (bytes.len() - done).min((PAGE - at % PAGE) as usize);
            let Some(pa) = self.look_up(at) else { return false };
            let bus = &self.around.tables.0;
            let part = &bytes[done..done + here];
            if bus.ram_page(pa).is_some() {
                if bus.ram().write_slice(part, GuestAddress(pa)).is_err() {
                    return false;
                }
                self.shared.engine.page_written(pa);
            } else {
                let value = part.iter().take(8).rev().fold(0, |v, b| v << 8 | u64::from(*b));
                if here > 8 || bus.write(pa, here as u8, value).is_err() {
                    return false;
                }
            }
            done += here;
        }
        self.shared.engine.sync_code();
        true
    }
}

impl Debuggee for Vcpu {
    fn describe(&self) -> Debugged {
        self.shared.system.debug()
    }
    fn registers(&self, places: Vec<DebugPlace>) -> Vec<Option<Vec<u8>>> {
        self.ask(move |t| {
            let mut core = t.shared.engine.core(&mut t.cpu);
            let one = |p: &DebugPlace| t.shared.system.debug_register(core.state(), *p, &t.around);
            places.iter().map(one).collect()
        })
    }
    fn set_register(&self, place: DebugPlace, bytes: Vec<u8>) -> bool {
        self.ask(move |t| {
            let mut core = t.shared.engine.core(&mut t.cpu);
            t.shared.system.set_debug_register(core.state(), place, &bytes, &t.around)
        })
    }
    fn read(&self, va: u64, len: usize) -> Vec<u8> {
        self.ask(move |t| t.read(va, len))
    }
    fn write(&self, va: u64, bytes: Vec<u8>) -> bool {
        self.ask(move |t| t.write(va, &bytes))
    }
    fn step(&self, range: Option<Range<u64>>) {
        self.control.set_step(range);
    }
    fn forget_code(&self, va: u64) {
        self.shared.engine.forget_at(va);
    }
    fn forget_pages(&self) {
        self.ask(|t| t.flush(remu_isa::Flush::All));
    }
}
