//! Writes the decoder, the encoder, the pattern table and the lift dispatcher.

use crate::Builder;
use crate::model::{Args, Extract, Insn, Model, Segment, Step, Value, ones};
use crate::{emit_print, tree};
use std::fmt::Write as _;

/// Rust keywords that can be row or field names.
const KEYWORDS: [&str; 44] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn",
    "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let",
    "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return",
    "static", "struct", "trait", "true", "try", "type", "typeof", "use", "where", "yield",
];

/// A name as a Rust identifier.
pub(crate) fn ident(name: &str) -> String {
    if KEYWORDS.contains(&name) { format!("r#{name}") } else { name.to_owned() }
}

/// Name of the argument struct, as seen from the generated module.
fn args_type(model: &Model, args: Option<usize>) -> String {
    args.map_or_else(|| "args::Empty".to_owned(), |a| format!("args::{}", model.args[a].name))
}

/// Appends one formatted line.
macro_rules! line {
    ($out:expr, $($arg:tt)*) => { let _ = writeln!($out, $($arg)*); };
}
pub(crate) use line;

/// The decoder's file.
pub(crate) fn decoder(model: &Model, options: &Builder) -> String {
    let mut out = String::new();
    line!(out, "// Generated from {}; do not edit.", model.files.join(", "));
    let flow = options.flow_type.as_deref().unwrap_or("FlowClass");
    types(&mut out, model);
    if options.flow_type.is_none() {
        out.push_str(FLOW);
    }
    match &options.pattern_type {
        Some(path) => {
            line!(out, "use {path}::{{Field, Pattern}};");
        }
        None => out.push_str(PATTERN),
    }
    patterns(&mut out, model);
    for (index, extract) in model.extracts.iter().enumerate() {
        if extract.args.is_some() {
            extraction(&mut out, model, index, extract);
        }
    }
    decode(&mut out, model, options);
    encode(&mut out, model);
    emit_print::accessors(&mut out, model, flow);
    emit_print::printers(&mut out, model);
    out
}

/// The dispatcher's file.
pub(crate) fn lifter(model: &Model, options: &Builder) -> String {
    let context = options.lift_context.as_deref().unwrap_or("&crate::lift::Lift<'_>");
    let mut out = String::new();
    line!(out, "// Generated from {}; do not edit.", model.files.join(", "));
    line!(out, "/// Calls the lifter of an instruction.");
    line!(out, "pub fn lift(b: {context}, insn: &Insn) {{");
    line!(out, "    match *insn {{");
    for insn in &model.insns {
        let base = insn.expands.map_or(insn, |b| &model.insns[b]);
        line!(
            out,
            "        Insn::{}(a) => crate::lift::{}::{}(b, a),",
            insn.variant,
            base.module,
            ident(&base.name)
        );
    }
    line!(out, "    }}\n}}");
    out
}

fn types(out: &mut String, model: &Model) {
    line!(out, "\n/// Arguments of instructions.\npub mod args {{");
    let derive = "    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]";
    if model.insns.iter().any(|i| i.args.is_none()) {
        line!(out, "    /// No arguments.\n{derive}\n    pub struct Empty;");
    }
    for (index, Args { name, span, members }) in model.args.iter().enumerate() {
        if !model.extracts.iter().any(|e| e.args == Some(index)) {
            continue;
        }
        line!(out, "    /// {}:{}", model.files[span.file], span.line);
        line!(out, "{derive}\n    pub struct {name} {{");
        for (member, rust) in members {
            line!(out, "        /// Field `{member}`.");
            line!(out, "        pub {}: {rust},", ident(member));
        }
        line!(out, "    }}");
    }
    line!(out, "}}\n");
    line!(out, "/// An instruction.\n#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]");
    line!(out, "pub enum Insn {{");
    for Insn { span, name, variant, args, .. } in &model.insns {
        line!(out, "    /// `{name}`, {}:{}", model.files[span.file], span.line);
        line!(out, "    {variant}({}),", args_type(model, *args));
    }
    line!(out, "}}\n");
}

const FLOW: &str = "
/// Where control goes after an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FlowClass {
    /// To the next instruction.
    Next,
    /// To a fixed place.
    Jump,
    /// To a fixed place or to the next instruction.
    Cond,
    /// To a fixed place, which returns to the next instruction.
    Call,
    /// To a place in a register, which returns to the next instruction.
    CallIndirect,
    /// To a place in a register.
    Indirect,
    /// Back to a caller.
    Ret,
    /// Out of translated code, usually coming back to the next instruction.
    Exit,
    /// Nothing sensible follows.
    Stop,
}
";

const PATTERN: &str = "
/// One encoding, for fuzzing and coverage.
#[derive(Clone, Copy, Debug)]
pub struct Pattern {
    /// Name of the row.
    pub name: &'static str,
    /// Bits that are fixed.
    pub mask: u32,
    /// Values of the fixed bits.
    pub value: u32,
    /// Length of the instruction in bits: 16 or 32.
    pub width: u8,
    /// Arguments and where they stand.
    pub fields: &'static [Field],
    /// Feature predicate as in the table; empty if there is none.
    pub feature: &'static str,
    /// Lift module.
    pub module: &'static str,
    /// Table.
    pub file: &'static str,
    /// Line in the table.
    pub line: u32,
}

/// An argument of an encoding.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Name of the argument.
    pub name: &'static str,
    /// Bits of the instruction it is made of; 0 if it is constant.
    pub bits: u32,
}
";

fn patterns(out: &mut String, model: &Model) {
    for (index, extract) in model.extracts.iter().enumerate() {
        let Some(args) = extract.args else { continue };
        let members = model.args[args].members.iter().zip(&extract.values);
        let fields: Vec<String> = members
            .map(|((name, _), v)| format!("Field {{ name: {name:?}, bits: {:#x} }}", v.bits()))
            .collect();
        line!(out, "static FIELDS_{index}: [Field; {}] = [{}];", fields.len(), fields.join(", "));
    }
    line!(out, "\n/// Every encoding, in order of the tables.");
    line!(out, "pub static PATTERNS: [Pattern; {}] = [", model.patterns.len());
    for p in &model.patterns {
        let fields = match model.extracts[p.extract].args {
            Some(_) => format!("&FIELDS_{}", p.extract),
            None => "&[]".to_owned(),
        };
        line!(
            out,
            "    Pattern {{ name: {:?}, mask: {:#x}, value: {:#x}, width: {}, fields: {fields}, \
             feature: {:?}, module: {:?}, file: {:?}, line: {} }},",
            model.insns[p.insn].name,
            p.mask,
            p.value,
            p.width,
            p.feature.as_ref().map(crate::cond::Feature::text).unwrap_or_default(),
            p.module,
            model.files[p.span.file],
            p.span.line
        );
    }
    line!(out, "];\n");
}

/// A field's value out of `w: u32`, as an expression of `rust` type.
fn taken(value: &Value, rust: &str) -> String {
    let (segments, signed, steps) = match value {
        Value::Const(c) => return c.to_string(),
        Value::Bits { segments, signed, steps } => (segments, *signed, steps),
    };
    let total: u32 = segments.iter().map(|s| s.len).sum();
    let mut rest = total;
    let mut parts = Vec::new();
    for Segment { pos, len } in segments {
        rest -= len;
        let mut part = if *pos == 0 { "w".to_owned() } else { format!("w >> {pos}") };
        if pos + len < 32 {
            part = if *pos == 0 { part } else { format!("({part})") };
            part = format!("{part} & {:#x}", ones(*len));
        }
        if rest > 0 {
            part = format!("({part}) << {rest}");
        }
        parts.push(part);
    }
    let mut bits = if parts.len() == 1 {
        parts.remove(0)
    } else {
        let parts: Vec<String> = parts.iter().map(|p| format!("({p})")).collect();
        parts.join(" | ")
    };
    let wide = if rust == "i64" || value.range().1 > i64::from(i32::MAX) { "i64" } else { "i32" };
    if signed {
        let pad = 32 - total;
        bits = if pad == 0 {
            format!("({bits}) as i32")
        } else {
            format!("(({bits}) << {pad}) as i32 >> {pad}")
        };
        if wide == "i64" {
            bits = format!("i64::from({bits})");
        }
    } else if !steps.is_empty() || rust.starts_with('i') {
        bits = format!("({bits}) as {wide}");
    }
    for step in steps {
        bits = match step {
            Step::Shl(n) => format!("({bits}) << {n}"),
            Step::Add(n) if *n < 0 => format!("({bits}) - {}", -n),
            Step::Add(n) => format!("({bits}) + {n}"),
            Step::Negate => format!("-({bits})"),
        };
    }
    let have = if signed || !steps.is_empty() || rust.starts_with('i') { wide } else { "u32" };
    if have == rust { bits } else { format!("({bits}) as {rust}") }
}

/// The bits of a field's value `a.name`, as an expression of type u32.
fn put(value: &Value, name: &str) -> Option<String> {
    let Value::Bits { segments, steps, .. } = value else { return None };
    let mut v = format!("i64::from(a.{})", ident(name));
    for step in steps.iter().rev() {
        v = match step {
            Step::Shl(n) => format!("({v} >> {n})"),
            Step::Add(n) if *n < 0 => format!("({v} + {})", -n),
            Step::Add(n) => format!("({v} - {n})"),
            Step::Negate => format!("(-{v})"),
        };
    }
    let mut rest: u32 = segments.iter().map(|s| s.len).sum();
    let mut parts = Vec::new();
    for Segment { pos, len } in segments {
        rest -= len;
        let down = if rest == 0 { v.clone() } else { format!("({v} >> {rest})") };
        let part = format!("{down} as u32 & {:#x}", ones(*len));
        parts.push(if *pos == 0 { part } else { format!("({part}) << {pos}") });
    }
    Some(parts.join(" | "))
}

/// `get_N` takes the arguments out of a word, `put_N` puts them in.
fn extraction(out: &mut String, model: &Model, index: usize, extract: &Extract) {
    let args = args_type(model, extract.args);
    let members = extract.args.map_or(&[][..], |a| &model.args[a].members);
    line!(out, "#[inline]\nfn get_{index}(w: u32) -> {args} {{\n    {args} {{");
    let mut puts = Vec::new();
    let mut read = 0;
    for ((name, rust), value) in members.iter().zip(&extract.values) {
        line!(out, "        {}: {},", ident(name), taken(value, rust));
        puts.extend(put(value, name));
        read |= value.bits();
    }
    line!(out, "    }}\n}}");
    if read == 0 {
        // All constant: nothing to take from the word, nothing to put into it.
        let last = out.rfind("(w: u32)").unwrap_or(0);
        out.replace_range(last..last + 2, "(_");
    }
    let a = if puts.is_empty() { "_" } else { "a" };
    line!(out, "fn put_{index}({a}: &{args}) -> u32 {{");
    if puts.is_empty() {
        line!(out, "    0");
    } else {
        line!(out, "    {}", puts.join("\n        | "));
    }
    line!(out, "}}");
}

fn table(out: &mut String, name: &str, values: &[u16]) {
    line!(out, "static {name}: [u16; {}] = [", values.len());
    for row in values.chunks(16) {
        let row: Vec<String> = row.iter().map(u16::to_string).collect();
        line!(out, "    {},", row.join(", "));
    }
    line!(out, "];");
}

fn decode(out: &mut String, model: &Model, options: &Builder) {
    let mut widths = Vec::new();
    for width in [16, 32] {
        let Some(tree) = tree::build(&model.patterns, width) else { continue };
        widths.push(width);
        table(out, &format!("NODES_{width}"), &tree.nodes);
        table(out, &format!("LEAVES_{width}"), &tree.leaves);
        line!(out, "\n/// Decodes a {width}-bit instruction.");
        line!(out, "#[must_use]");
        line!(
            out,
            "pub fn decode{width}(word: u32, features: &crate::features::Features) -> \
             Option<Insn> {{"
        );
        line!(out, "    search({}, &NODES_{width}, &LEAVES_{width}, word, features)", tree.root);
        line!(out, "}}");
    }
    line!(out, "\n/// Fixed bits of each pattern: which, and their values.");
    line!(out, "static FIXED: [(u32, u32); {}] = [", model.patterns.len());
    for p in &model.patterns {
        line!(out, "    ({:#x}, {:#x}),", p.mask, p.value);
    }
    line!(out, "];");
    out.push_str(SEARCH);
    let features = model.patterns.iter().any(|p| p.feature.is_some());
    line!(
        out,
        "fn make(pattern: u16, w: u32, {}: &crate::features::Features) -> Option<Insn> {{",
        if features { "f" } else { "_" }
    );
    line!(out, "    Some(match pattern {{");
    for (index, p) in model.patterns.iter().enumerate() {
        let variant = &model.insns[p.insn].variant;
        let get = match model.extracts[p.extract].args {
            Some(_) => format!("get_{}(w)", p.extract),
            None => "args::Empty".to_owned(),
        };
        let _ = write!(out, "        {index} => ");
        if p.feature.is_none() && p.guard.is_none() {
            line!(out, "Insn::{variant}({get}),");
            continue;
        }
        line!(out, "{{");
        if let Some(feature) = &p.feature {
            line!(out, "            let known = {};", feature.rust());
            line!(out, "            if !known {{ return None; }}");
        }
        line!(out, "            let a = {get};");
        if let Some(guard) = &p.guard {
            line!(out, "            let exists = {};", guard.rust_if());
            line!(out, "            if !exists {{ return None; }}");
        }
        line!(out, "            Insn::{variant}(a)\n        }}");
    }
    line!(out, "        _ => return None,\n    }})\n}}\n");
    let body = match (widths.as_slice(), &options.wide) {
        ([width], _) => format!("decode{width}(word, features)"),
        (_, Some(wide)) => format!(
            "if {wide} {{ decode32(word, features) }} else {{ decode16(word & 0xffff, features) }}"
        ),
        _ => return,
    };
    line!(out, "/// Decodes the instruction in `word`.");
    line!(out, "#[must_use]");
    line!(
        out,
        "pub fn decode(word: u32, features: &crate::features::Features) -> Option<Insn> {{\n    \
         {body}\n}}\n"
    );
}

const SEARCH: &str = "
/// Walks the decision tree: see the tables' generator for their layout.
#[inline]
fn search(
    root: u16,
    nodes: &[u16],
    leaves: &[u16],
    word: u32,
    features: &crate::features::Features,
) -> Option<Insn> {
    let mut entry = root;
    while entry < 0x8000 {
        if entry == 0 {
            return None;
        }
        let at = usize::from(entry);
        let (low, high) = (u32::from(nodes[at]), u32::from(nodes[at + 1]));
        let first = (word >> (low >> 8)) & ((1 << (low & 0xff)) - 1);
        let second = (word >> (high >> 8)) & ((1 << (high & 0xff)) - 1);
        entry = nodes[at + 2 + (first | second << (low & 0xff)) as usize];
    }
    if entry >= 0xc000 {
        let pattern = entry & 0x3fff;
        let (mask, value) = FIXED[usize::from(pattern)];
        return if word & mask == value { make(pattern, word, features) } else { None };
    }
    for &pattern in &leaves[usize::from(entry & 0x3fff)..] {
        if pattern == 0xffff {
            break;
        }
        let (mask, value) = FIXED[usize::from(pattern)];
        if word & mask == value
            && let Some(insn) = make(pattern, word, features)
        {
            return Some(insn);
        }
    }
    None
}
";

fn encode(out: &mut String, model: &Model) {
    line!(out, "impl Insn {{");
    line!(out, "    /// The word that decodes to this instruction with the right features; none");
    line!(out, "    /// if an argument does not fit. Ignored bits are 0.");
    line!(out, "    #[must_use]");
    line!(out, "    pub fn encode(&self) -> Option<u32> {{");
    line!(out, "        match *self {{");
    for insn in &model.insns {
        if insn.args.is_none() {
            let value = model.patterns[insn.patterns[0]].value;
            line!(out, "            Insn::{}(_) => Some({value:#x}),", insn.variant);
            continue;
        }
        line!(out, "            Insn::{}(a) => {{", insn.variant);
        for &index in &insn.patterns {
            let p = &model.patterns[index];
            let free = ones(p.width) & !p.mask;
            let guard =
                p.guard.as_ref().map(|g| format!(" && ({})", g.rust_if())).unwrap_or_default();
            line!(
                out,
                "                let w = put_{}(&a) & {free:#x} | {:#x};",
                p.extract,
                p.value
            );
            line!(out, "                if get_{}(w) == a{guard} {{ return Some(w); }}", p.extract);
        }
        line!(out, "                None\n            }}");
    }
    line!(out, "        }}\n    }}\n}}\n");
}
