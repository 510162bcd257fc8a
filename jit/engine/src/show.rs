//! Translations as text, for the log: the guest's code, the region, the host's code.

use core::fmt::Write as _;
use core::ops::RangeInclusive;

use iced_x86::{Decoder, DecoderOptions, FastFormatter, Instruction};
use log::Level::Trace;
use remu_codegen::Compiled;
use remu_ir::text::{Names, print};
use remu_ir::{Op, Region};
use remu_isa::Isa;

use crate::CodeSource;

const IN_ASM: &str = "remu::in_asm";
const OP: &str = "remu::op";
const OUT_ASM: &str = "remu::out_asm";

/// Whether the translation of guest code in `[guest.0, guest.1)` is to be logged.
pub(crate) fn wanted(shown: &[RangeInclusive<u64>], guest: (u64, u64)) -> bool {
    let asked = |target| log::log_enabled!(target: target, Trace);
    (asked(IN_ASM) || asked(OP) || asked(OUT_ASM))
        && (shown.is_empty() || shown.iter().any(|r| *r.start() < guest.1 && guest.0 <= *r.end()))
}

/// Logs a region: what `-d` asks for.
pub(crate) fn region(
    isa: &dyn Isa,
    source: &dyn CodeSource,
    region: &Region,
    compiled: &Compiled,
    (host, code): (u64, &[u8]),
) {
    if log::log_enabled!(target: IN_ASM, Trace) {
        log::trace!(target: IN_ASM, "IN:\n{}", guest_code(isa, source, region));
    }
    if log::log_enabled!(target: OP, Trace) {
        let regs = isa.state().regs.iter();
        let slots: Vec<_> = regs.map(|r| (r.name, r.slot)).collect();
        log::trace!(target: OP, "OP:\n{}", print(region, &Names { slots: &slots, helpers: &[] }));
    }
    if log::log_enabled!(target: OUT_ASM, Trace) {
        let text = host_code((host, code), region, compiled);
        log::trace!(target: OUT_ASM, "OUT: [size={}]\n{text}", compiled.len);
    }
}

/// The guest's instructions by block.
pub(crate) fn guest_code(isa: &dyn Isa, source: &dyn CodeSource, region: &Region) -> String {
    let mut out = String::new();
    let mut bytes = vec![0; isa.max_insn_len()];
    for block in &region.blocks {
        let _ = writeln!(out, "{:#x}:", block.pc);
        let insts = &region.insts[usize::from(block.start)..usize::from(block.end)];
        for i in insts.iter().filter(|i| i.op == Op::insn) {
            let pc = region.pcs[i.imm as usize];
            let have = source.fetch(pc, &mut bytes);
            let (text, len) = isa.disassemble(&bytes[..have], pc);
            let code = hex(bytes[..len.min(have)].iter().rev());
            let _ = writeln!(out, "{pc:#010x}:  {code:<8}  {text}");
        }
    }
    out
}

/// The host's instructions, with the guest's address where a block begins, and the constants.
pub(crate) fn host_code(
    (base, code): (u64, &[u8]),
    region: &Region,
    compiled: &Compiled,
) -> String {
    let mut out = String::new();
    let (code, data) = code.split_at(compiled.data);
    let mut decoder = Decoder::with_ip(64, code, base, DecoderOptions::NONE);
    let mut formatter = FastFormatter::new();
    formatter.options_mut().set_space_after_operand_separator(true);
    let mut insn = Instruction::default();
    while decoder.can_decode() {
        let at = decoder.position();
        let blocks = region.blocks.iter().zip(&compiled.entries);
        for (block, _) in blocks.filter(|(_, e)| **e as usize == at) {
            let _ = writeln!(out, "  -- guest addr {:#x}", block.pc);
        }
        decoder.decode_out(&mut insn);
        let mut text = String::new();
        formatter.format(&insn, &mut text);
        let bytes = hex(code[at..decoder.position()].iter());
        let _ = writeln!(out, "{:#010x}:  {bytes:<24}  {text}", base + at as u64);
    }
    if !data.is_empty() {
        out += "  -- constants\n";
    }
    for (n, bytes) in data.chunks(16).enumerate() {
        let at = base + (compiled.data + 16 * n) as u64;
        let _ = writeln!(out, "{at:#010x}:  {}", hex(bytes.iter()));
    }
    out
}

fn hex<'a>(bytes: impl Iterator<Item = &'a u8>) -> String {
    bytes.fold(String::new(), |s, b| s + &format!("{b:02x}"))
}
