//! Merges formats into rows, settles argument types and checks the tables as a whole.

use crate::Error;
use crate::cond::Cond;
use crate::model::{
    ArgSet, Args, Body, Extract, Insn, Model, ParsedRow, Pattern, Span, Tables, Value, ones,
};
use crate::template::{Alternative, Part, Print, Shown};
use std::collections::BTreeMap;

/// Resolves parsed tables; all complaints are collected.
pub(crate) fn resolve(tables: Tables) -> Result<Model, Vec<Error>> {
    let mut r = Resolver {
        files: tables.files,
        errors: Vec::new(),
        argsets: tables.argsets,
        formats: tables.formats,
        extracts: Vec::new(),
        extract_index: BTreeMap::new(),
        patterns: Vec::new(),
        insns: Vec::new(),
        insn_index: BTreeMap::new(),
        expansions: Vec::new(),
    };
    for row in tables.rows {
        let span = row.body.span;
        if let Err(message) = r.row(row) {
            r.error(span, message);
        }
    }
    for (name, field) in &tables.fields {
        if !field.used {
            r.error(field.span, format!("field %{name} is never used"));
        }
    }
    r.finish()
}

struct Resolver {
    files: Vec<String>,
    errors: Vec<Error>,
    argsets: Vec<ArgSet>,
    formats: BTreeMap<String, (Body, bool)>,
    extracts: Vec<Extract>,
    extract_index: BTreeMap<(Option<usize>, Vec<Value>), usize>,
    patterns: Vec<Pattern>,
    insns: Vec<Insn>,
    insn_index: BTreeMap<String, usize>,
    /// (instruction, name of what it expands to)
    expansions: Vec<(usize, String)>,
}

impl Resolver {
    fn error(&mut self, span: Span, message: impl Into<String>) {
        let file = self.files[span.file].clone();
        self.errors.push(Error { file, line: span.line, message: message.into() });
    }

    fn row(&mut self, row: ParsedRow) -> Result<(), String> {
        let ParsedRow { mut body, module, groups } = row;
        let format_name = body.format.clone();
        if let Some(name) = &format_name {
            let (format, used) =
                self.formats.get_mut(name).ok_or_else(|| format!("no format @{name} is known"))?;
            *used = true;
            merge(&mut body, format)?;
        }
        let covered = body.fields.iter().fold(0, |m, (_, v)| m | v.bits());
        if covered & !ones(body.width) != 0 {
            return Err(format!("a field reads above the row's {} bits", body.width));
        }
        let loose = ones(body.width) & !(body.mask | body.ignored | covered);
        if loose != 0 {
            return Err(format!("bits {loose:#x} are `.` but no field takes them"));
        }
        let args = self.args_of(&body, format_name.as_deref())?;
        let values = match args {
            None => Vec::new(),
            Some(set) => self.argsets[set]
                .members
                .iter()
                .filter_map(|(m, _)| body.fields.iter().find(|(n, _)| n == m))
                .map(|(_, v)| v.clone())
                .collect(),
        };
        let names: Vec<&str> = match args {
            None => Vec::new(),
            Some(set) => self.argsets[set].members.iter().map(|(m, _)| m.as_str()).collect(),
        };
        check_names(&body, &names)?;
        let key = (args, values);
        let extract = *self.extract_index.entry(key.clone()).or_insert_with(|| {
            self.extracts.push(Extract { args: key.0, values: key.1 });
            self.extracts.len() - 1
        });
        let insn = self.insn_of(&body, &module, args)?;
        let index = self.patterns.len();
        self.insns[insn].patterns.push(index);
        self.patterns.push(Pattern {
            span: body.span,
            insn,
            module,
            width: body.width,
            mask: body.mask,
            value: body.value,
            feature: body.feature,
            guard: body.guard,
            extract,
            groups,
        });
        Ok(())
    }

    /// The argument set of a row: named, or the first declared with the same members, or a new one.
    fn args_of(&mut self, body: &Body, format: Option<&str>) -> Result<Option<usize>, String> {
        if let Some(name) = &body.args {
            let set = self
                .argsets
                .iter()
                .position(|a| a.name == *name)
                .ok_or_else(|| format!("no argument set &{name} is known"))?;
            self.argsets[set].used = true;
            for (member, _) in &self.argsets[set].members {
                if !body.fields.iter().any(|(n, _)| n == member) {
                    return Err(format!("&{name} wants `{member}`, which the row does not give"));
                }
            }
            for (field, _) in &body.fields {
                if !self.argsets[set].members.iter().any(|(m, _)| m == field) {
                    return Err(format!("field `{field}` is not in &{name}"));
                }
            }
            return Ok(Some(set).filter(|s| !self.argsets[*s].members.is_empty()));
        }
        if body.fields.is_empty() {
            return Ok(None);
        }
        let same = |a: &ArgSet| {
            a.members.len() == body.fields.len()
                && body.fields.iter().all(|(n, _)| a.members.iter().any(|(m, _)| m == n))
        };
        if let Some(set) = self.argsets.iter().position(same) {
            self.argsets[set].used = true;
            return Ok(Some(set));
        }
        let name = match format {
            Some(name) if !self.argsets.iter().any(|a| a.name == name) => name.to_owned(),
            _ => body.name.clone(),
        };
        if self.argsets.iter().any(|a| a.name == name) {
            return Err(format!("the fields fit no argument set, and &{name} exists already"));
        }
        let members = body.fields.iter().map(|(n, _)| (n.clone(), None)).collect();
        self.argsets.push(ArgSet { span: body.span, name, members, used: true });
        Ok(Some(self.argsets.len() - 1))
    }

    fn insn_of(&mut self, body: &Body, module: &str, args: Option<usize>) -> Result<usize, String> {
        if let Some(&index) = self.insn_index.get(&body.name) {
            let insn = &mut self.insns[index];
            let first = insn.span.line;
            if insn.module != module {
                return Err(format!("`{}` stands in module {} already", body.name, insn.module));
            }
            if insn.args != args {
                return Err(format!("`{}` has other arguments in line {first}", body.name));
            }
            if insn.templates.is_empty() {
                insn.templates.clone_from(&body.templates);
            } else if !body.templates.is_empty() && insn.templates != body.templates {
                return Err(format!("`{}` has another template in line {first}", body.name));
            }
            if insn.flow.is_empty() {
                insn.flow.clone_from(&body.flow);
            }
            return Ok(index);
        }
        let index = self.insns.len();
        let variant = camel(&body.name);
        if let Some(other) = self.insns.iter().find(|i| i.variant == variant) {
            return Err(format!("`{}` and `{}` are both `{variant}`", body.name, other.name));
        }
        if let Some(base) = &body.expands {
            self.expansions.push((index, base.clone()));
        }
        self.insn_index.insert(body.name.clone(), index);
        self.insns.push(Insn {
            span: body.span,
            name: body.name.clone(),
            variant,
            module: module.to_owned(),
            args,
            templates: body.templates.clone(),
            flow: body.flow.clone(),
            expands: None,
            patterns: Vec::new(),
        });
        Ok(index)
    }

    fn finish(mut self) -> Result<Model, Vec<Error>> {
        let mut late = Vec::new();
        let expansions = std::mem::take(&mut self.expansions);
        for (insn, base) in &expansions {
            let (insn, base) = (*insn, base);
            let span = self.insns[insn].span;
            match self.insn_index.get(base) {
                None => late.push((span, format!("no row `{base}` is known"))),
                Some(&b) if self.insns[b].args != self.insns[insn].args => late.push((
                    span,
                    format!("`{base}` has other arguments than `{}`", self.insns[insn].name),
                )),
                Some(&b) => self.insns[insn].expands = Some(b),
            }
        }
        for (index, insn) in self.insns.iter().enumerate() {
            if let Some(base) = insn.expands {
                if self.insns[base].expands.is_some() {
                    late.push((insn.span, format!("`{}` expands again", self.insns[base].name)));
                }
            } else if insn.templates.is_empty() && !expansions.iter().any(|e| e.0 == index) {
                late.push((insn.span, format!("`{}` has no template", insn.name)));
            }
            if insn.templates.last().is_some_and(|t| t.cond.is_some()) {
                late.push((
                    insn.span,
                    format!("the last template of `{}` has a `when`", insn.name),
                ));
            }
            let middle = insn.templates.split_last().map_or(&[][..], |(_, rest)| rest);
            if middle.iter().any(|t| t.cond.is_none()) {
                let name = &insn.name;
                late.push((insn.span, format!("a template of `{name}` can never be reached")));
            }
        }
        for (name, (format, used)) in &self.formats {
            if !used {
                late.push((format.span, format!("format @{name} is never used")));
            }
        }
        for set in &self.argsets {
            if !set.used {
                late.push((set.span, format!("argument set &{} is never used", set.name)));
            }
        }
        if self.errors.is_empty() {
            overlaps(&self.patterns, &self.insns, &mut late);
        }
        for (span, message) in late {
            self.error(span, message);
        }
        if !self.errors.is_empty() {
            self.errors.sort_by(|a, b| {
                let place = |e: &Error| self.files.iter().position(|f| *f == e.file);
                (place(a), a.line).cmp(&(place(b), b.line))
            });
            return Err(self.errors);
        }
        let args = types(&self.argsets, &self.extracts);
        Ok(Model {
            files: self.files,
            args,
            extracts: self.extracts,
            patterns: self.patterns,
            insns: self.insns,
        })
    }
}

/// Adds what the format says to the row.
fn merge(body: &mut Body, format: &Body) -> Result<(), String> {
    let name = &format.name;
    if body.width != format.width {
        return Err(format!(
            "the row has {} bits, but format @{name} has {}",
            body.width, format.width
        ));
    }
    let both = body.mask & format.mask;
    if (body.value ^ format.value) & both != 0 {
        return Err(format!("the row contradicts the fixed bits of format @{name}"));
    }
    body.mask |= format.mask;
    body.value |= format.value;
    body.ignored |= format.ignored;
    for (field, value) in &format.fields {
        if body.fields.iter().any(|(n, _)| n == field) {
            return Err(format!("field `{field}` is given twice, here and in format @{name}"));
        }
        body.fields.push((field.clone(), value.clone()));
    }
    if body.args.is_some() && format.args.is_some() {
        return Err(format!("two argument sets, here and in format @{name}"));
    }
    body.args = body.args.take().or_else(|| format.args.clone());
    if body.templates.last().is_none_or(|t| t.cond.is_some()) {
        body.templates.extend(format.templates.iter().cloned());
    }
    if body.flow.is_empty() {
        body.flow.clone_from(&format.flow);
    }
    body.feature = match (&body.feature, &format.feature) {
        (Some(a), Some(b)) if a != b => Some(a.and(b)),
        (a, b) => a.clone().or_else(|| b.clone()),
    };
    Ok(())
}

/// Every name used in templates, conditions and flow classes must be an argument.
fn check_names(body: &Body, names: &[&str]) -> Result<(), String> {
    let mut unknown: Option<String> = None;
    let mut see = |what: &str, name: &str| {
        if !names.contains(&name) && unknown.is_none() {
            unknown = Some(format!("{what} names `{name}`, which is no field of the row"));
        }
    };
    let cond = |c: &Option<Cond>, see: &mut dyn FnMut(&str, &str)| {
        if let Some(c) = c {
            c.fields(&mut |n| see("condition", n));
        }
    };
    cond(&body.guard, &mut see);
    for Alternative { print, cond: guard } in &body.templates {
        cond(guard, &mut see);
        let Print::Template(parts) = print else { continue };
        for part in parts {
            let Part::Show(list, _) = part else { continue };
            for shown in list {
                if let Shown::Field(n) | Shown::PcPlus(n) = shown {
                    see("template", n);
                }
            }
        }
    }
    for flow in &body.flow {
        cond(&flow.cond, &mut see);
        if let Some(offset) = &flow.offset {
            see("flow", offset);
        }
    }
    unknown.map_or(Ok(()), Err)
}

fn overlaps(patterns: &[Pattern], insns: &[Insn], late: &mut Vec<(Span, String)>) {
    let place = |p: &Pattern| format!("`{}` of line {}", insns[p.insn].name, p.span.line);
    for (index, later) in patterns.iter().enumerate() {
        for first in &patterns[..index] {
            let common = first.mask & later.mask;
            if first.width != later.width || (first.value ^ later.value) & common != 0 {
                continue;
            }
            if let (Some(a), Some(b)) = (&first.feature, &later.feature)
                && a.excludes(b)
            {
                continue;
            }
            let shared = first.groups.iter().zip(&later.groups).take_while(|(a, b)| a == b);
            let ordered = shared.last().is_some_and(|((_, first_match), _)| *first_match);
            if !ordered {
                late.push((later.span, format!("overlaps {}", place(first))));
            } else if first.mask & !later.mask == 0
                && first.guard.is_none()
                && (first.feature.is_none() || first.feature == later.feature)
            {
                late.push((later.span, format!("is never reached behind {}", place(first))));
            }
        }
    }
}

/// The smallest Rust type that holds every value a member takes anywhere.
fn types(sets: &[ArgSet], extracts: &[Extract]) -> Vec<Args> {
    let mut args = Vec::new();
    for (index, set) in sets.iter().enumerate() {
        let mut members = Vec::new();
        for (position, (name, forced)) in set.members.iter().enumerate() {
            let (mut lo, mut hi) = (0, 0);
            for extract in extracts.iter().filter(|e| e.args == Some(index)) {
                let range = extract.values[position].range();
                (lo, hi) = (lo.min(range.0), hi.max(range.1));
            }
            let fit = match (lo, hi) {
                (0.., ..=0xff) => "u8",
                (0.., ..=0xffff) => "u16",
                (0.., ..=0xffff_ffff) => "u32",
                (-0x8000_0000.., ..=0x7fff_ffff) => "i32",
                _ => "i64",
            };
            members.push((name.clone(), forced.clone().unwrap_or_else(|| fit.to_owned())));
        }
        args.push(Args { name: camel(&set.name), span: set.span, members });
    }
    args
}

/// `ld_post_2` is `LdPost2`; a `_` between digits stays.
pub(crate) fn camel(name: &str) -> String {
    let mut out = String::new();
    for part in name.split('_') {
        let mut chars = part.chars();
        if let Some(first) = chars.next() {
            if first.is_ascii_digit() && out.ends_with(|c: char| c.is_ascii_digit()) {
                out.push('_');
            }
            out.extend(first.to_uppercase());
            out.push_str(chars.as_str());
        }
    }
    out
}
