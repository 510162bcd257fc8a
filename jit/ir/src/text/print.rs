//! Regions as text.

use core::fmt::Write as _;

use super::{Names, attrs, shows_type};
use crate::{Inst, Region, ResultRule, Type, Val};

/// A region as text.
pub fn print(r: &Region, names: &Names<'_>) -> String {
    let mut out = String::new();
    if r.soft_float {
        out += "softfloat\n";
    }
    for b in &r.blocks {
        let poll = if b.poll { " poll" } else { "" };
        let _ = writeln!(out, "block {:#x}{poll}:", b.pc);
        for id in b.start..b.end {
            let _ = writeln!(out, "  {}", print_inst(r, names, id));
        }
    }
    out
}

/// One instruction as text.
pub fn print_inst(r: &Region, names: &Names<'_>, id: u16) -> String {
    let i: &Inst = &r.insts[usize::from(id)];
    let row = i.op.info();
    let mut out = String::new();
    if row.result != ResultRule::Is(Type::Void) {
        let _ = write!(out, "v{id} = ");
    }
    out += row.name;
    if shows_type(row.result) || row.name == "set" || row.name == "store" {
        let _ = write!(out, ".{}", i.ty);
    }
    let operands = i.args[..row.operands.len()].iter().map(|&a| match a {
        Val::NONE_ID => "_".to_owned(),
        a => format!("v{a}"),
    });
    let attributes = row.attrs.iter().filter_map(|&(_, kind)| attrs::show(r, names, i, kind));
    for (n, text) in operands.chain(attributes).enumerate() {
        out += if n == 0 { " " } else { ", " };
        out += &text;
    }
    out
}
