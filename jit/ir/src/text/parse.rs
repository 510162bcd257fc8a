//! Text to regions.

use std::collections::HashMap;

use super::{Names, attrs, shows_type};
use crate::{AttrKind, Block, Effects, Inst, Op, Region, ResultRule, Type, Val};

/// What is wrong with a text, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParseError {
    /// Line, counted from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

impl core::fmt::Display for ParseError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}
impl core::error::Error for ParseError {}

/// Parses a region. A semicolon starts a comment. Value names are free; the
/// result is well-formed text, not yet a valid region: see [`crate::verify`].
///
/// # Errors
/// The first line that is not understood.
pub fn parse(text: &str, names: &Names<'_>) -> Result<Region, ParseError> {
    let mut p = Parser { r: Region::default(), values: HashMap::new(), open: false };
    for (n, line) in text.lines().enumerate() {
        let line = line.split(';').next().unwrap_or("").trim();
        if !line.is_empty() {
            p.line(line, names).map_err(|message| ParseError { line: n + 1, message })?;
        }
    }
    if p.open {
        let message = "the last block has no end".to_owned();
        return Err(ParseError { line: text.lines().count(), message });
    }
    Ok(p.r)
}

struct Parser {
    r: Region,
    values: HashMap<String, u16>,
    open: bool,
}

impl Parser {
    fn line(&mut self, line: &str, names: &Names<'_>) -> Result<(), String> {
        if let Some(head) = line.strip_prefix("block ") {
            return self.block(head);
        }
        if line == "softfloat" && self.r.blocks.is_empty() {
            self.r.soft_float = true;
            return Ok(());
        }
        if !self.open {
            return Err("an instruction outside a block".to_owned());
        }
        let (result, rest) = match line.split_once('=') {
            Some((name, rest)) => (Some(name.trim()), rest.trim()),
            None => (None, line),
        };
        let id = self.r.insts.len() as u16;
        if id == Val::NONE_ID {
            return Err("too many instructions".to_owned());
        }
        let i = self.inst(rest, names)?;
        let named = i.op.info().result != ResultRule::Is(Type::Void);
        match result {
            Some(name) if named => {
                if self.values.insert(name.to_owned(), id).is_some() {
                    return Err(format!("`{name}` is defined twice"));
                }
            }
            None if !named => {}
            Some(_) => return Err(format!("{} has no result", i.op.info().name)),
            None => return Err(format!("{} has a result", i.op.info().name)),
        }
        self.r.insts.push(i);
        if let Some(b) = self.r.blocks.last_mut() {
            b.end = id + 1;
        }
        self.open = !i.op.effects().has(Effects::ENDS_BLOCK);
        Ok(())
    }

    fn block(&mut self, head: &str) -> Result<(), String> {
        if self.open {
            return Err("the block before has no end".to_owned());
        }
        let head = head.strip_suffix(':').ok_or("a colon is missing")?;
        let (pc, poll) = match head.strip_suffix(" poll") {
            Some(pc) => (pc, true),
            None => (head, false),
        };
        let start = self.r.insts.len() as u16;
        let pc = attrs::number(pc.trim())? as u64;
        self.r.blocks.push(Block { pc, start, end: start, poll });
        self.open = true;
        Ok(())
    }

    fn inst(&mut self, text: &str, names: &Names<'_>) -> Result<Inst, String> {
        let (head, rest) = text.split_once(' ').unwrap_or((text, ""));
        let (name, ty) = match head.split_once('.') {
            Some((name, ty)) => {
                (name, Some(Type::from_name(ty).ok_or_else(|| format!("no type `{ty}`"))?))
            }
            None => (head, None),
        };
        let op = Op::from_name(name).ok_or_else(|| format!("no op `{name}`"))?;
        let row = op.info();
        if ty.is_none() && (shows_type(row.result) || op == Op::set) {
            return Err(format!("{name} needs a type"));
        }
        let mut i = Inst { op, ty: Type::Void, aux: 0, args: [Val::NONE_ID; 4], imm: 0 };
        let parts: Vec<&str> = rest.split(',').map(str::trim).filter(|p| !p.is_empty()).collect();
        let attributes = row.attrs.iter().filter(|(_, k)| *k != AttrKind::Ty);
        let want = row.operands.len() + attributes.clone().count();
        if parts.len() != want {
            return Err(format!("{name} takes {want} operands and attributes"));
        }
        let (operands, rest) = parts.split_at(row.operands.len());
        for (to, text) in i.args.iter_mut().zip(operands) {
            *to = match *text {
                "_" => Val::NONE_ID,
                v => *self.values.get(v).ok_or_else(|| format!("no value `{v}`"))?,
            };
        }
        // As the builder has it: ops without result carry their last operand's type.
        let last = i.args[..row.operands.len()].last();
        let last = last.and_then(|&a| self.r.insts.get(usize::from(a))).map(|o| o.ty);
        i.ty = match row.result {
            ResultRule::Is(Type::Void) => ty.or(last).unwrap_or(Type::Void),
            ResultRule::Is(t) => t,
            ResultRule::SameX | ResultRule::SameY | ResultRule::Attr => ty.unwrap_or(Type::Void),
        };
        for ((_, kind), text) in attributes.zip(rest) {
            attrs::read(&mut self.r, names, &mut i, *kind, text)?;
        }
        Ok(i)
    }
}
