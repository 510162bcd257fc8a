//! "RV32I", "RV64I", "Zifencei", "Zihintpause", "Zicbop".

use remu_ir::{Addr, Cond, ExitKind, MemOp, Order, Slot, Type, Val};

use super::{Lift, Regs};
use crate::decode::args;

// ---- constants and control

pub fn lui(l: &Lift<'_>, a: args::U) {
    l.set_x(a.rd, l.c64(i64::from(a.imm) as u64));
}
pub fn auipc(l: &Lift<'_>, a: args::U) {
    l.set_x(a.rd, l.pcconst(relative(l, a.imm)));
}

fn relative(l: &Lift<'_>, offset: i32) -> u64 {
    l.pc().wrapping_add(i64::from(offset) as u64)
}

/// Whether the manual's return-address stack hints name the register a link.
fn is_link(n: u8) -> bool {
    n == 1 || n == 5
}

pub fn jal(l: &Lift<'_>, a: args::U) {
    l.set_x(a.rd, l.pcconst(l.next_pc()));
    if is_link(a.rd) {
        l.call(relative(l, a.imm), l.next_pc());
    } else {
        l.goto(relative(l, a.imm));
    }
}
pub fn jalr(l: &Lift<'_>, a: args::I) {
    let target = l.and(l.add_imm(l.x(a.rs1), a.imm.into()), l.c64(!1));
    l.set_x(a.rd, l.pcconst(l.next_pc()));
    if is_link(a.rd) {
        l.call_ptr(target, l.next_pc());
    } else if is_link(a.rs1) {
        l.ret_ptr(target);
    } else {
        l.goto_ptr(target);
    }
}

fn branch(l: &Lift<'_>, a: args::B, c: Cond) {
    l.brcond(l.icmp(l.x(a.rs1), l.x(a.rs2), c), relative(l, a.imm));
}
pub fn beq(l: &Lift<'_>, a: args::B) {
    branch(l, a, Cond::Eq);
}
pub fn bne(l: &Lift<'_>, a: args::B) {
    branch(l, a, Cond::Ne);
}
pub fn blt(l: &Lift<'_>, a: args::B) {
    branch(l, a, Cond::Lt);
}
pub fn bge(l: &Lift<'_>, a: args::B) {
    branch(l, a, Cond::Ge);
}
pub fn bltu(l: &Lift<'_>, a: args::B) {
    branch(l, a, Cond::Ltu);
}
pub fn bgeu(l: &Lift<'_>, a: args::B) {
    branch(l, a, Cond::Geu);
}

// ---- memory

fn load(l: &Lift<'_>, a: args::I, m: MemOp) {
    l.set_x(a.rd, l.load(l.x(a.rs1), Type::I64, Addr { disp: a.imm, ..Addr::at(m) }));
}
fn store(l: &Lift<'_>, a: args::S, m: MemOp) {
    l.store(l.x(a.rs1), l.x(a.rs2), Addr { disp: a.imm, ..Addr::at(m) });
}
pub fn lb(l: &Lift<'_>, a: args::I) {
    load(l, a, MemOp::S8);
}
pub fn lh(l: &Lift<'_>, a: args::I) {
    load(l, a, MemOp::S16);
}
pub fn lw(l: &Lift<'_>, a: args::I) {
    load(l, a, MemOp::S32);
}
pub fn ld(l: &Lift<'_>, a: args::I) {
    load(l, a, MemOp::U64);
}
/// A load that may be one byte or more of a number read piece by piece.
fn part(l: &Lift<'_>, a: args::I, m: MemOp) {
    l.set_x(a.rd, l.load_part(l.x(a.rs1), Addr { disp: a.imm, ..Addr::at(m) }));
}
pub fn lbu(l: &Lift<'_>, a: args::I) {
    part(l, a, MemOp::U8);
}
pub fn lhu(l: &Lift<'_>, a: args::I) {
    part(l, a, MemOp::U16);
}
pub fn lwu(l: &Lift<'_>, a: args::I) {
    part(l, a, MemOp::U32);
}
pub fn sb(l: &Lift<'_>, a: args::S) {
    store(l, a, MemOp::U8);
}
pub fn sh(l: &Lift<'_>, a: args::S) {
    store(l, a, MemOp::U16);
}
pub fn sw(l: &Lift<'_>, a: args::S) {
    store(l, a, MemOp::U32);
}
pub fn sd(l: &Lift<'_>, a: args::S) {
    store(l, a, MemOp::U64);
}

// ---- arithmetic with an immediate

fn imm(l: &Lift<'_>, a: args::I) -> Val {
    l.c64(i64::from(a.imm) as u64)
}
pub fn addi(l: &Lift<'_>, a: args::I) {
    l.set_x(a.rd, l.add_imm(l.x(a.rs1), a.imm.into()));
}
pub fn slti(l: &Lift<'_>, a: args::I) {
    set_if(l, a.rd, l.icmp(l.x(a.rs1), imm(l, a), Cond::Lt));
}
pub fn sltiu(l: &Lift<'_>, a: args::I) {
    set_if(l, a.rd, l.icmp(l.x(a.rs1), imm(l, a), Cond::Ltu));
}
pub fn xori(l: &Lift<'_>, a: args::I) {
    l.set_x(a.rd, l.xor(l.x(a.rs1), imm(l, a)));
}
pub fn ori(l: &Lift<'_>, a: args::I) {
    l.set_x(a.rd, l.or(l.x(a.rs1), imm(l, a)));
}
pub fn andi(l: &Lift<'_>, a: args::I) {
    // A mask of low bits is an extension.
    let v = match a.imm {
        0xff => l.extract(l.x(a.rs1), (0, 8)),
        _ => l.and(l.x(a.rs1), imm(l, a)),
    };
    l.set_x(a.rd, v);
}
pub fn slli(l: &Lift<'_>, a: args::Sh) {
    l.set_x(a.rd, l.shl_imm(l.x(a.rs1), a.shamt.into()));
}
pub fn srli(l: &Lift<'_>, a: args::Sh) {
    l.set_x(a.rd, l.shr_imm(l.x(a.rs1), a.shamt.into()));
}
pub fn srai(l: &Lift<'_>, a: args::Sh) {
    l.set_x(a.rd, l.sar_imm(l.x(a.rs1), a.shamt.into()));
}

// ---- arithmetic between registers

/// `rd` = 1 or 0.
fn set_if(l: &Lift<'_>, rd: u8, c: Val) {
    l.set_x(rd, l.boolint(c, Type::I64));
}
pub fn add(l: &Lift<'_>, a: args::R) {
    l.set_x(a.rd, l.add(l.x(a.rs1), l.x(a.rs2)));
}
pub fn sub(l: &Lift<'_>, a: args::R) {
    l.set_x(a.rd, l.sub(l.x(a.rs1), l.x(a.rs2)));
}
pub fn sll(l: &Lift<'_>, a: args::R) {
    l.set_x(a.rd, l.shl(l.x(a.rs1), l.x(a.rs2)));
}
pub fn slt(l: &Lift<'_>, a: args::R) {
    set_if(l, a.rd, l.icmp(l.x(a.rs1), l.x(a.rs2), Cond::Lt));
}
pub fn sltu(l: &Lift<'_>, a: args::R) {
    set_if(l, a.rd, l.icmp(l.x(a.rs1), l.x(a.rs2), Cond::Ltu));
}
pub fn xor(l: &Lift<'_>, a: args::R) {
    l.set_x(a.rd, l.xor(l.x(a.rs1), l.x(a.rs2)));
}
pub fn srl(l: &Lift<'_>, a: args::R) {
    l.set_x(a.rd, l.shr(l.x(a.rs1), l.x(a.rs2)));
}
pub fn sra(l: &Lift<'_>, a: args::R) {
    l.set_x(a.rd, l.sar(l.x(a.rs1), l.x(a.rs2)));
}
pub fn or(l: &Lift<'_>, a: args::R) {
    l.set_x(a.rd, l.or(l.x(a.rs1), l.x(a.rs2)));
}
pub fn and(l: &Lift<'_>, a: args::R) {
    l.set_x(a.rd, l.and(l.x(a.rs1), l.x(a.rs2)));
}

// ---- 32-bit arithmetic

pub fn addiw(l: &Lift<'_>, a: args::I) {
    l.set_w(a.rd, l.add_imm(l.w(a.rs1), a.imm.into()));
}
pub fn slliw(l: &Lift<'_>, a: args::Sh) {
    l.set_w(a.rd, l.shl_imm(l.w(a.rs1), a.shamt.into()));
}
pub fn srliw(l: &Lift<'_>, a: args::Sh) {
    l.set_w(a.rd, l.shr_imm(l.w(a.rs1), a.shamt.into()));
}
pub fn sraiw(l: &Lift<'_>, a: args::Sh) {
    l.set_w(a.rd, l.sar_imm(l.w(a.rs1), a.shamt.into()));
}
pub fn addw(l: &Lift<'_>, a: args::R) {
    l.set_w(a.rd, l.add(l.w(a.rs1), l.w(a.rs2)));
}
pub fn subw(l: &Lift<'_>, a: args::R) {
    l.set_w(a.rd, l.sub(l.w(a.rs1), l.w(a.rs2)));
}
pub fn sllw(l: &Lift<'_>, a: args::R) {
    l.set_w(a.rd, l.shl(l.w(a.rs1), l.w(a.rs2)));
}
pub fn srlw(l: &Lift<'_>, a: args::R) {
    l.set_w(a.rd, l.shr(l.w(a.rs1), l.w(a.rs2)));
}
pub fn sraw(l: &Lift<'_>, a: args::R) {
    l.set_w(a.rd, l.sar(l.w(a.rs1), l.w(a.rs2)));
}

// ---- fences, hints, environment

/// Only writes before reads can be seen out of order where loads and stores
/// otherwise keep their order, which is what `fence` promises for the rest.
pub fn fence(l: &Lift<'_>, a: args::Fence) {
    const READS: u8 = 0b1010;
    const WRITES: u8 = 0b0101;
    let full = a.pred & WRITES != 0 && a.succ & READS != 0;
    l.fence(if full { Order::SeqCst } else { Order::Acquire });
}
pub fn fence_tso(l: &Lift<'_>, _: args::Empty) {
    l.fence(Order::Acquire);
}
pub fn pause(_: &Lift<'_>, _: args::Empty) {}
pub fn prefetch_i(_: &Lift<'_>, _: args::Prefetch) {}
pub fn prefetch_r(l: &Lift<'_>, a: args::Prefetch) {
    let at = Addr { disp: a.imm, ..Addr::at(MemOp::U8) };
    l.prefetch(l.x(a.rs1), Val::NONE, at);
}
pub fn prefetch_w(l: &Lift<'_>, a: args::Prefetch) {
    prefetch_r(l, a);
}

/// No range is given: all code may have changed.
pub fn fence_i(l: &Lift<'_>, _: args::Empty) {
    const INFO: usize = core::mem::offset_of!(remu_isa::Header, exit_info);
    let info = |n: usize| Slot { offset: (INFO + 8 * n) as u16, ty: Type::I64 };
    l.set(info(0), l.c64(0));
    l.set(info(1), l.c64(u64::MAX));
    l.exit(ExitKind::InvalidateCode, l.next_pc());
}
pub fn ecall(l: &Lift<'_>, _: args::Empty) {
    l.exit(ExitKind::Syscall, l.next_pc());
}
pub fn ebreak(l: &Lift<'_>, _: args::Empty) {
    l.exit(ExitKind::Breakpoint, l.pc());
}
