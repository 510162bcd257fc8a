//! Writes the accessors of `Insn` and the disassembler.

use crate::emit::{ident, line};
use crate::model::{Insn, Model};
use crate::template::{Part, Print, Shown};
use std::fmt::Write as _;

/// `name`, `flow`, `target`, `expand`.
pub(crate) fn accessors(out: &mut String, model: &Model, flow: &str) {
    line!(out, "impl Insn {{");
    line!(out, "    /// Name of the row.\n    #[must_use]");
    line!(out, "    pub fn name(&self) -> &'static str {{\n        match self {{");
    for Insn { variant, name, .. } in &model.insns {
        line!(out, "            Insn::{variant}(_) => {name:?},");
    }
    line!(out, "        }}\n    }}\n");
    let expanding = model.insns.iter().any(|i| i.expands.is_some());
    line!(out, "    /// The instruction that this one is a short form of, or itself.");
    line!(out, "    #[must_use]\n    pub fn expand(self) -> Self {{");
    if expanding {
        line!(out, "        match self {{");
        for insn in &model.insns {
            if let Some(base) = insn.expands {
                let base = &model.insns[base].variant;
                line!(out, "            Insn::{}(a) => Insn::{base}(a),", insn.variant);
            }
        }
        line!(out, "            other => other,\n        }}\n    }}\n");
    } else {
        line!(out, "        self\n    }}\n");
    }
    line!(out, "    /// Where control goes afterwards.\n    #[must_use]");
    line!(out, "    pub fn flow(&self) -> {flow} {{\n        match *self {{");
    let mut targets = String::new();
    let mut quiet = false;
    for insn in &model.insns {
        let inherited = insn.expands.filter(|_| insn.flow.is_empty()).map(|b| &model.insns[b].flow);
        let list = inherited.unwrap_or(&insn.flow);
        if list.is_empty() {
            quiet = true;
            continue;
        }
        let mut body = String::new();
        let mut closed = false;
        for alternative in list {
            let class = capital(&alternative.class);
            match &alternative.cond {
                Some(cond) => {
                    let _ = write!(body, "if {} {{ {flow}::{class} }} else ", cond.rust_if());
                }
                None => {
                    let _ = write!(body, "{{ {flow}::{class} }}");
                    closed = true;
                    break;
                }
            }
        }
        if !closed {
            let _ = write!(body, "{{ {flow}::Next }}");
        }
        let conditional = list.iter().any(|f| f.cond.is_some());
        let body = if conditional { body } else { body.trim_matches(['{', '}', ' ']).to_owned() };
        let arg = if conditional { "a" } else { "_" };
        line!(out, "            Insn::{}({arg}) => {body},", insn.variant);
        if let Some(offset) = list.iter().find_map(|f| f.offset.as_ref()) {
            line!(
                targets,
                "            Insn::{}(a) => i64::from(a.{}),",
                insn.variant,
                ident(offset)
            );
        }
    }
    if quiet {
        line!(out, "            _ => {flow}::Next,");
    }
    line!(out, "        }}\n    }}\n");
    line!(out, "    /// Where a direct jump, branch or call at `pc` goes.\n    #[must_use]");
    if targets.is_empty() {
        line!(out, "    pub fn target(&self, _pc: u64) -> Option<u64> {{\n        None\n    }}");
    } else {
        line!(out, "    pub fn target(&self, pc: u64) -> Option<u64> {{");
        line!(out, "        let offset = match *self {{");
        out.push_str(&targets);
        line!(out, "            _ => return None,\n        }};");
        line!(out, "        Some(pc.wrapping_add_signed(offset))\n    }}");
    }
    line!(out, "}}\n");
}

/// One function per row, and the implementations of `Display`.
pub(crate) fn printers(out: &mut String, model: &Model) {
    for (index, insn) in model.insns.iter().enumerate() {
        if !insn.templates.is_empty() {
            printer(out, model, index, insn);
        }
    }
    out.push_str(DISPLAY);
    line!(out, "impl Insn {{");
    line!(out, "    /// Writes the instruction as assembly.\n    ///\n    /// # Errors");
    line!(out, "    /// Those of the formatter.");
    line!(
        out,
        "    pub fn print(&self, f: &mut core::fmt::Formatter<'_>, c: &crate::fmt::Ctx) -> \
         core::fmt::Result {{"
    );
    line!(out, "        match self {{");
    for (index, insn) in model.insns.iter().enumerate() {
        let printer = match insn.expands {
            Some(base) if insn.templates.is_empty() => base,
            _ => index,
        };
        line!(out, "            Insn::{}(a) => print_{printer}(a, f, c),", insn.variant);
    }
    line!(out, "        }}\n    }}\n");
    line!(out, "    /// The instruction as assembly, for `format!`.\n    #[must_use]");
    line!(out, "    pub fn display<'a>(&'a self, ctx: &'a crate::fmt::Ctx) -> Assembly<'a> {{");
    line!(out, "        Assembly {{ insn: self, ctx }}\n    }}\n}}");
}

const DISPLAY: &str = "
/// An instruction with what its text depends on.
#[derive(Clone, Copy)]
pub struct Assembly<'a> {
    insn: &'a Insn,
    ctx: &'a crate::fmt::Ctx,
}

impl core::fmt::Display for Assembly<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.insn.print(f, self.ctx)
    }
}

impl core::fmt::Display for Insn {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.print(f, &crate::fmt::Ctx::default())
    }
}

";

fn printer(out: &mut String, model: &Model, index: usize, insn: &Insn) {
    let args = insn.args.map_or("Empty", |a| &model.args[a].name);
    let mut body = String::new();
    for alternative in &insn.templates {
        let calls = match &alternative.print {
            Print::Function(name) => vec![format!("crate::fmt::{name}(f, a, c)")],
            Print::Template(parts) => template(insn, parts),
        };
        // The last alternative is unconditional: it is the value of the function.
        let (last, first) =
            calls.split_last().map_or(("Ok(())", &[][..]), |(l, f)| (l.as_str(), f));
        let first: String = first.iter().map(|c| format!("{c}?; ")).collect();
        match &alternative.cond {
            Some(cond) => {
                let cond = cond.rust_if().replace("(&a)", "(a)");
                line!(body, "    if {cond} {{ {first}return {last}; }}");
            }
            None => {
                line!(body, "    {first}{last}");
            }
        }
    }
    let used = |name: &str| {
        body.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|w| w == name)
    };
    let (a, c) = (if used("a") { "a" } else { "_" }, if used("c") { "c" } else { "_" });
    line!(
        out,
        "fn print_{index}({a}: &args::{args}, f: &mut core::fmt::Formatter<'_>, \
         {c}: &crate::fmt::Ctx) -> core::fmt::Result {{\n{}\n}}",
        body.trim_end()
    );
}

/// The calls that write a template, each a `fmt::Result`.
fn template(insn: &Insn, parts: &[Part]) -> Vec<String> {
    let mut calls: Vec<String> = Vec::new();
    let mut literal = String::new();
    let flush = |literal: &mut String, calls: &mut Vec<String>| {
        if !literal.is_empty() {
            calls.push(format!("f.write_str({:?})", std::mem::take(literal)));
        }
    };
    for part in parts {
        match part {
            Part::Text(text) => literal.push_str(&text.replace("\\t", "\t")),
            Part::Name => literal.push_str(insn.name.split('_').next().unwrap_or_default()),
            Part::Dotted => literal.push_str(&insn.name.replace('_', ".")),
            Part::Show(list, formatter) => {
                flush(&mut literal, &mut calls);
                calls.push(match formatter {
                    Some(formatter) if list.is_empty() => {
                        format!("crate::fmt::{formatter}(f, a, c)")
                    }
                    Some(formatter) => {
                        let list: Vec<String> = list.iter().map(shown).collect();
                        format!("crate::fmt::{formatter}(f, {}, c)", list.join(", "))
                    }
                    None => format!("core::fmt::Display::fmt(&{}, f)", shown(&list[0])),
                });
            }
        }
    }
    flush(&mut literal, &mut calls);
    calls
}

/// An argument of a formatter, of type `i64`.
fn shown(item: &Shown) -> String {
    match item {
        Shown::Field(name) => format!("i64::from(a.{})", ident(name)),
        Shown::Const(value) => value.to_string(),
        Shown::Pc => "c.pc as i64".to_owned(),
        Shown::PcPlus(name) => format!("(c.pc as i64).wrapping_add(i64::from(a.{}))", ident(name)),
    }
}

/// `call_indirect` is `CallIndirect`.
fn capital(word: &str) -> String {
    crate::resolve::camel(word)
}
