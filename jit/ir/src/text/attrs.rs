//! Text of each kind of attribute, both ways.

use crate::{
    Addr, Attr, AttrKind, Cond, CrcAttr, DivZero, ExitKind, FCond, FlagCond, Fp, FpInt, Inst, Lane,
    MemOp, NanRule, Order, Region, Rm, RmwOp,
};

use super::Names;

/// Text of an attribute; `None` where the type behind the op says it.
pub(super) fn show(r: &Region, names: &Names<'_>, i: &Inst, kind: AttrKind) -> Option<String> {
    let pc = |n: usize| r.pcs.get(n).map_or_else(|| format!("?{n}"), |pc| format!("{pc:#x}"));
    Some(match kind {
        AttrKind::Ty => return None,
        AttrKind::Const => format!("{:#x}", i.const_bits()),
        AttrKind::VConst => {
            let n = i.imm as usize;
            r.vconsts.get(n).map_or_else(|| format!("?{n}"), |c| format!("{c:#x}"))
        }
        AttrKind::Slot => match names.slot(i.imm as u16, i.ty) {
            Some(name) => name.to_owned(),
            None => format!("[{}]", i.imm),
        },
        AttrKind::Cond => Cond::from_u8(i.aux).name().to_owned(),
        AttrKind::FlagCond => FlagCond::from_u8(i.aux).name().to_owned(),
        AttrKind::FCond => FCond::from_u8(i.aux).name().to_owned(),
        AttrKind::Lane => Lane::from_u8(i.aux).name().to_owned(),
        AttrKind::Fp => show_fp(Fp::from_u8(i.aux)),
        AttrKind::FpInt => {
            let p = FpInt::of(i);
            let sign = if p.signed { "signed" } else { "unsigned" };
            format!("{}.{sign}{}", show_fp(p.fp), if p.nan_max { ".nanmax" } else { "" })
        }
        AttrKind::DivZero => DivZero::from_u8(i.aux).name().to_owned(),
        AttrKind::Imm => i.imm.to_string(),
        AttrKind::Bits => format!("{}:{}", i.imm & 0xff, i.imm >> 8 & 0xff),
        AttrKind::Mem => {
            let a = Addr::of(i);
            let mut s = show_mem(a.mem);
            if a.order != Order::Relaxed {
                s += &format!(".{}", a.order.name());
            }
            if a.scale != 0 {
                s += &format!("<<{}", a.scale);
            }
            if a.disp != 0 {
                s += &format!("{:+}", a.disp);
            }
            s
        }
        AttrKind::Rmw => {
            format!("{}.{}", RmwOp::from_u8(i.imm as u8).name(), show_mem(MemOp::from_u8(i.aux)))
        }
        AttrKind::Crc => {
            let c = CrcAttr::of(i);
            let name = if c.castagnoli { "castagnoli" } else { "ieee" };
            format!("{name}.u{}", 8 << c.size)
        }
        AttrKind::Pc => pc(i.imm as usize),
        AttrKind::RetPc => pc(usize::from(i.args[3])),
        AttrKind::Exit => ExitKind::from_u8(i.aux).name().to_owned(),
        AttrKind::Helper => {
            let n = i.imm as usize;
            r.helpers.get(n).map_or_else(|| format!("?{n}"), |h| h.name.to_owned())
        }
        AttrKind::Imm2 => i.args[3].to_string(),
    })
}

fn show_fp(p: Fp) -> String {
    match p.lane {
        Lane::B => format!("{}.{}", p.rm.name(), p.nan.name()),
        l => format!("{}.{}.{}", p.rm.name(), p.nan.name(), l.name()),
    }
}
fn show_mem(m: MemOp) -> String {
    let sign = if m.signed { 's' } else { 'u' };
    let big = if m.big { ".big" } else { "" };
    let aligned = if m.aligned { ".aligned" } else { "" };
    let user = if m.user { ".user" } else { "" };
    format!("{sign}{}{big}{aligned}{user}", 8 * m.bytes())
}

/// Stores the attribute that `text` says.
pub(super) fn read(
    r: &mut Region,
    names: &Names<'_>,
    i: &mut Inst,
    kind: AttrKind,
    text: &str,
) -> Result<(), String> {
    let unknown = || format!("`{text}` is no {kind:?}");
    match kind {
        AttrKind::Ty => {}
        AttrKind::Const => i.set_const_bits(number(text)? as u64),
        AttrKind::VConst => {
            let v = number(text)?;
            let at = r.vconsts.iter().position(|&c| c == v);
            i.imm = at.unwrap_or_else(|| {
                r.vconsts.push(v);
                r.vconsts.len() - 1
            }) as i32;
        }
        AttrKind::Slot => read_slot(names, i, text)?,
        AttrKind::Cond => Cond::from_name(text).ok_or_else(unknown)?.put(i),
        AttrKind::FlagCond => FlagCond::from_name(text).ok_or_else(unknown)?.put(i),
        AttrKind::FCond => FCond::from_name(text).ok_or_else(unknown)?.put(i),
        AttrKind::Lane => Lane::from_name(text).ok_or_else(unknown)?.put(i),
        AttrKind::Fp => read_fp(text).ok_or_else(unknown)?.put(i),
        AttrKind::FpInt => read_fp_int(text).ok_or_else(unknown)?.put(i),
        AttrKind::DivZero => DivZero::from_name(text).ok_or_else(unknown)?.put(i),
        AttrKind::Imm => i.imm = number(text)? as i32,
        AttrKind::Bits => {
            let (pos, len) = text.split_once(':').ok_or_else(unknown)?;
            (number(pos)? as u8, number(len)? as u8).put(i);
        }
        AttrKind::Mem => read_addr(text).ok_or_else(unknown)?.put(i),
        AttrKind::Rmw => {
            let (op, m) = text.split_once('.').ok_or_else(unknown)?;
            i.imm = RmwOp::from_name(op).ok_or_else(unknown)? as i32;
            i.aux = read_addr(m).ok_or_else(unknown)?.mem.to_u8();
        }
        AttrKind::Crc => {
            let (name, size) = text.split_once('.').ok_or_else(unknown)?;
            let castagnoli = match name {
                "ieee" => false,
                "castagnoli" => true,
                _ => return Err(unknown()),
            };
            CrcAttr { castagnoli, size: read_addr(size).ok_or_else(unknown)?.mem.size }.put(i);
        }
        AttrKind::Pc => i.imm = pc(r, number(text)? as u64) as i32,
        AttrKind::RetPc => i.args[3] = pc(r, number(text)? as u64) as u16,
        AttrKind::Exit => {
            let kind = ExitKind::ALL.into_iter().find(|k| k.name() == text);
            kind.ok_or_else(unknown)?.put(i);
        }
        AttrKind::Helper => {
            let at = r.helpers.iter().position(|h| h.name == text);
            i.imm = match at {
                Some(n) => n,
                None => {
                    let known = names.helpers.iter().find(|h| h.name == text);
                    r.helpers.push(*known.ok_or_else(unknown)?);
                    r.helpers.len() - 1
                }
            } as i32;
        }
        AttrKind::Imm2 => i.args[3] = number(text)? as u16,
    }
    Ok(())
}

/// Index of a guest pc, as the builder would give it.
fn pc(r: &mut Region, pc: u64) -> usize {
    if let Some(n) = r.pcs.iter().rev().take(4).position(|&p| p == pc) {
        return r.pcs.len() - 1 - n;
    }
    r.pcs.push(pc);
    r.pcs.len() - 1
}

/// Decimal or `0x` number, negative ones as two's complement.
pub(super) fn number(text: &str) -> Result<u128, String> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let digits = digits.replace('_', "");
    let v = match digits.strip_prefix("0x") {
        Some(hex) => u128::from_str_radix(hex, 16),
        None => digits.parse(),
    };
    let v = v.map_err(|e| format!("`{text}`: {e}"))?;
    Ok(if negative { v.wrapping_neg() } else { v })
}

fn read_slot(names: &Names<'_>, i: &mut Inst, text: &str) -> Result<(), String> {
    if let Some(inner) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
        i.imm = number(inner)? as i32;
        return Ok(());
    }
    let named = names.slots.iter().find(|(n, s)| *n == text && s.ty == i.ty);
    let (_, slot) = named.ok_or_else(|| format!("no slot `{text}` of type {}", i.ty))?;
    i.imm = i32::from(slot.offset);
    Ok(())
}

fn read_fp(text: &str) -> Option<Fp> {
    let mut parts = text.split('.');
    let rm = Rm::from_name(parts.next()?)?;
    let nan = NanRule::from_name(parts.next()?)?;
    let lane = match parts.next() {
        Some(l) => Lane::from_name(l)?,
        None => Lane::B,
    };
    parts.next().is_none().then_some(Fp { rm, nan, lane })
}
fn read_fp_int(text: &str) -> Option<FpInt> {
    let (text, nan_max) = match text.strip_suffix(".nanmax") {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    let (fp, sign) = text.rsplit_once('.')?;
    let signed = match sign {
        "signed" => true,
        "unsigned" => false,
        _ => return None,
    };
    Some(FpInt { fp: read_fp(fp)?, signed, nan_max })
}
/// `u32.big.aligned.acquire<<3+16`
fn read_addr(text: &str) -> Option<Addr> {
    let (text, disp) = match text.find(['+', '-']) {
        Some(at) => (&text[..at], number(&text[at..]).ok()? as i32),
        None => (text, 0),
    };
    let (text, scale) = match text.split_once("<<") {
        Some((rest, n)) => (rest, n.parse().ok().filter(|n| *n < 4)?),
        None => (text, 0),
    };
    let mut parts = text.split('.');
    let access = parts.next()?;
    let signed = access.starts_with('s');
    let bits = access.strip_prefix(['s', 'u'])?;
    let size = ["8", "16", "32", "64", "128"].iter().position(|b| *b == bits)? as u8;
    let mut a = Addr { disp, scale, ..Addr::at(MemOp { signed, ..MemOp::unsigned(size) }) };
    for part in parts {
        match part {
            "big" => a.mem.big = true,
            "aligned" => a.mem.aligned = true,
            "user" => a.mem.user = true,
            order => a.order = Order::from_name(order)?,
        }
    }
    Some(a)
}
