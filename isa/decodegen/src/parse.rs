//! Reads the text of tables.

use crate::Error;
use crate::cond::{Cond, Feature, Operand};
use crate::model::{
    ArgSet, Body, FieldDef, FlowAlternative, ParsedRow, Segment, Span, Step, Tables, Value, ones,
};
use crate::template::{self, Alternative, Print};
use std::collections::BTreeMap;

/// Argument types that `&set member:type` may force.
const TYPES: [&str; 7] = ["u8", "u16", "u32", "i8", "i16", "i32", "i64"];
/// Control-flow classes.
pub(crate) const FLOWS: [&str; 9] =
    ["next", "jump", "cond", "call", "call_indirect", "indirect", "ret", "exit", "stop"];

/// Letters, digits and `_`, not starting with a digit.
pub(crate) fn is_ident(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A decimal, `0x` or `0b` number, maybe negative.
pub(crate) fn number(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let value = if let Some(hex) = digits.strip_prefix("0x") {
        i64::from_str_radix(&hex.replace('_', ""), 16)
    } else if let Some(bin) = digits.strip_prefix("0b") {
        i64::from_str_radix(&bin.replace('_', ""), 2)
    } else {
        digits.replace('_', "").parse()
    }
    .ok()?;
    Some(if negative { -value } else { value })
}

/// Parses all files; definitions are shared between them, in order.
pub(crate) fn parse(texts: &[(String, String)]) -> Result<Tables, Vec<Error>> {
    let mut parser = Parser::default();
    for (index, (name, text)) in texts.iter().enumerate() {
        parser.tables.files.push(name.clone());
        parser.file(index, text);
    }
    if parser.errors.is_empty() { Ok(parser.tables) } else { Err(parser.errors) }
}

#[derive(Default)]
struct Parser {
    tables: Tables,
    errors: Vec<Error>,
    /// Innermost last: identity, first match wins, where it was opened.
    groups: Vec<(usize, bool, Span)>,
    next_group: usize,
    module: Option<String>,
    require: Option<Feature>,
    shows: BTreeMap<String, String>,
}

type Parse<T> = Result<T, String>;

impl Parser {
    fn error(&mut self, span: Span, message: impl Into<String>) {
        self.errors.push(Error {
            file: self.tables.files[span.file].clone(),
            line: span.line,
            message: message.into(),
        });
    }

    fn file(&mut self, file: usize, text: &str) {
        self.module = None;
        self.require = None;
        self.shows.clear();
        for (line, logical) in logical_lines(text) {
            let span = Span { file, line };
            if let Err(message) = self.line(span, &logical) {
                self.error(span, message);
            }
        }
        while let Some((_, _, span)) = self.groups.pop() {
            self.error(span, "group is never closed");
        }
    }

    fn line(&mut self, span: Span, text: &str) -> Parse<()> {
        let mut cursor = Cursor { rest: text };
        match cursor.peek() {
            '%' => self.field(span, &mut cursor),
            '&' => self.argset(span, &mut cursor),
            '@' => {
                cursor.word();
                let name = ident(text[1..].split_whitespace().next().unwrap_or(""))?;
                let body = self.body(span, name.clone(), &mut cursor)?;
                if body.format.is_some() || body.guard.is_some() || body.expands.is_some() {
                    return Err("a format takes no format, `where` or `->`".to_owned());
                }
                if self.tables.formats.insert(name.clone(), (body, false)).is_some() {
                    return Err(format!("format @{name} is defined twice"));
                }
                Ok(())
            }
            '{' | '[' => {
                let first_match = cursor.peek() == '{';
                self.groups.push((self.next_group, first_match, span));
                self.next_group += 1;
                cursor.bump(1);
                cursor.finish()
            }
            close @ ('}' | ']') => {
                cursor.bump(1);
                match self.groups.pop() {
                    Some((_, first_match, _)) if first_match == (close == '}') => cursor.finish(),
                    _ => Err(format!("`{close}` closes no group")),
                }
            }
            _ => self.directive_or_row(span, &mut cursor),
        }
    }

    fn directive_or_row(&mut self, span: Span, cursor: &mut Cursor<'_>) -> Parse<()> {
        let name = ident(cursor.word())?;
        match name.as_str() {
            "module" => {
                let module = ident(cursor.word())?;
                self.module = Some(module);
                cursor.finish()
            }
            "require" => {
                self.require = if cursor.rest == "none" {
                    cursor.word();
                    None
                } else {
                    Some(cursor.feature()?)
                };
                cursor.finish()
            }
            "show" => {
                while !cursor.rest.is_empty() {
                    let word = cursor.word();
                    let (field, formatter) = word
                        .split_once(':')
                        .ok_or_else(|| format!("`{word}` is not of the form field:formatter"))?;
                    self.shows.insert(ident(field)?, ident(formatter)?);
                }
                Ok(())
            }
            _ => {
                if name.chars().any(|c| c.is_ascii_uppercase()) {
                    return Err(format!("row name `{name}` has capital letters"));
                }
                let body = self.body(span, name, cursor)?;
                let module =
                    self.module.clone().ok_or("a row stands before the first `module` line")?;
                let groups = self.groups.iter().map(|(id, first, _)| (*id, *first)).collect();
                self.tables.rows.push(ParsedRow { body, module, groups });
                Ok(())
            }
        }
    }

    fn field(&mut self, span: Span, cursor: &mut Cursor<'_>) -> Parse<()> {
        let name = ident(&cursor.word()[1..])?;
        let mut segments = Vec::new();
        let mut signed = false;
        let mut steps = Vec::new();
        while !cursor.rest.is_empty() {
            let word = cursor.word();
            match word {
                "<<" => match number(cursor.word()) {
                    Some(n @ 0..=31) => steps.push(Step::Shl(n as u32)),
                    _ => return Err("`<<` wants a number below 32".to_owned()),
                },
                "+" | "-" => match number(cursor.word()) {
                    Some(n) if n.abs() < 1 << 32 => {
                        steps.push(Step::Add(if word == "+" { n } else { -n }));
                    }
                    _ => return Err(format!("`{word}` wants a number")),
                },
                "negate" => steps.push(Step::Negate),
                _ if !steps.is_empty() => {
                    return Err(format!("`{word}` stands after the operations of the field"));
                }
                _ => {
                    let bad = || format!("`{word}` is not of the form position:length");
                    let (pos, len) = word.split_once(':').ok_or_else(bad)?;
                    let len = match len.strip_prefix('s') {
                        Some(len) if segments.is_empty() => {
                            signed = true;
                            len
                        }
                        Some(_) => return Err("only the first part can be signed".to_owned()),
                        None => len,
                    };
                    let pos: u32 = pos.parse().map_err(|_| bad())?;
                    let len: u32 = len.parse().map_err(|_| bad())?;
                    if len == 0 || pos >= 32 || pos + len > 32 {
                        return Err(format!("`{word}` does not fit into 32 bits"));
                    }
                    segments.push(Segment { pos, len });
                }
            }
        }
        if segments.is_empty() {
            return Err(format!("field %{name} has no bits"));
        }
        if segments.iter().map(|s| s.len).sum::<u32>() > 32 {
            return Err(format!("field %{name} has more than 32 bits"));
        }
        let value = Value::Bits { segments, signed, steps };
        let def = FieldDef { span, value, used: false };
        if self.tables.fields.insert(name.clone(), def).is_some() {
            return Err(format!("field %{name} is defined twice"));
        }
        Ok(())
    }

    fn argset(&mut self, span: Span, cursor: &mut Cursor<'_>) -> Parse<()> {
        let name = ident(&cursor.word()[1..])?;
        let mut members: Vec<(String, Option<String>)> = Vec::new();
        while !cursor.rest.is_empty() {
            let word = cursor.word();
            let (member, forced) = match word.split_once(':') {
                Some((_, t)) if !TYPES.contains(&t) => {
                    return Err(format!("`{t}` is not one of {}", TYPES.join(" ")));
                }
                Some((member, t)) => (ident(member)?, Some(t.to_owned())),
                None => (ident(word)?, None),
            };
            if members.iter().any(|(m, _)| *m == member) {
                return Err(format!("&{name} has `{member}` twice"));
            }
            members.push((member, forced));
        }
        if self.tables.argsets.iter().any(|a| a.name == name) {
            return Err(format!("argument set &{name} is defined twice"));
        }
        self.tables.argsets.push(ArgSet { span, name, members, used: false });
        Ok(())
    }

    /// What follows the name of a format or a row.
    fn body(&mut self, span: Span, name: String, cursor: &mut Cursor<'_>) -> Parse<Body> {
        let mut body = Body {
            span,
            name,
            width: 0,
            mask: 0,
            value: 0,
            ignored: 0,
            fields: Vec::new(),
            args: None,
            format: None,
            templates: Vec::new(),
            flow: Vec::new(),
            feature: self.require.clone(),
            guard: None,
            expands: None,
        };
        // Elements in order of bits, most significant first, placed once the width is known.
        let mut inline: Vec<(String, u32, u32, bool)> = Vec::new();
        let (mut mask, mut value, mut ignored) = (0u64, 0u64, 0u64);
        while !cursor.rest.is_empty() {
            if cursor.peek() == '"' {
                let parts = template::parse(cursor.string()?, &self.shows)?;
                let cond = cursor.when()?;
                body.templates.push(Alternative { print: Print::Template(parts), cond });
                continue;
            }
            let word = cursor.word();
            if word == "->" {
                body.expands = Some(ident(cursor.word())?);
            } else if word == "if" {
                let feature = cursor.feature()?;
                body.feature = Some(match &body.feature {
                    Some(required) => required.and(&feature),
                    None => feature,
                });
            } else if word == "where" {
                if body.guard.is_some() {
                    return Err("a row takes one `where`".to_owned());
                }
                body.guard = Some(cursor.cond()?);
            } else if let Some(function) = word.strip_prefix("print=") {
                let print = Print::Function(ident(function)?);
                let cond = cursor.when()?;
                body.templates.push(Alternative { print, cond });
            } else if let Some(class) = word.strip_prefix("flow=") {
                let (class, offset) = match class.split_once(':') {
                    Some((class, offset)) => (class, Some(ident(offset)?)),
                    None => (class, None),
                };
                if !FLOWS.contains(&class) {
                    return Err(format!("`{class}` is not one of {}", FLOWS.join(" ")));
                }
                let cond = cursor.when()?;
                body.flow.push(FlowAlternative { class: class.to_owned(), offset, cond });
            } else if let Some(set) = word.strip_prefix('&') {
                if body.args.replace(ident(set)?).is_some() {
                    return Err("two argument sets".to_owned());
                }
            } else if let Some(format) = word.strip_prefix('@') {
                if body.format.replace(ident(format)?).is_some() {
                    return Err("two formats".to_owned());
                }
            } else if let Some(field) = word.strip_prefix('%') {
                let used = self.named_field(field)?;
                add_field(&mut body.fields, field, used)?;
            } else if let Some((field, given)) = word.split_once('=') {
                let field = ident(field)?;
                let used = match given.strip_prefix('%') {
                    Some(named) => self.named_field(named)?,
                    None => Value::Const(
                        number(given).ok_or_else(|| format!("`{given}` is not a number"))?,
                    ),
                };
                add_field(&mut body.fields, &field, used)?;
            } else if word.chars().all(|c| "01.-".contains(c)) {
                for c in word.chars() {
                    mask = mask << 1 | u64::from(c == '0' || c == '1');
                    value = value << 1 | u64::from(c == '1');
                    ignored = ignored << 1 | u64::from(c == '-');
                }
                body.width += word.len() as u32;
            } else if let Some((field, len)) = word.split_once(':') {
                let (signed, digits) = match len.strip_prefix('s') {
                    Some(digits) => (true, digits),
                    None => (false, len),
                };
                let len: u32 = digits
                    .parse()
                    .ok()
                    .filter(|n| (1..=32).contains(n))
                    .ok_or_else(|| format!("`{word}` is not of the form field:length"))?;
                inline.push((ident(field)?, body.width, len, signed));
                mask <<= len;
                value <<= len;
                ignored <<= len;
                body.width += len;
            } else {
                return Err(format!("`{word}` is not understood"));
            }
            if body.width > 32 {
                return Err("more than 32 bits".to_owned());
            }
        }
        if body.width != 16 && body.width != 32 {
            return Err(format!("{} bits; an instruction has 16 or 32", body.width));
        }
        let all = u64::from(ones(body.width));
        body.mask = (mask & all) as u32;
        body.value = (value & all) as u32;
        body.ignored = (ignored & all) as u32;
        for (field, offset, len, signed) in inline {
            let segments = vec![Segment { pos: body.width - offset - len, len }];
            add_field(&mut body.fields, &field, Value::Bits { segments, signed, steps: vec![] })?;
        }
        Ok(body)
    }

    fn named_field(&mut self, name: &str) -> Parse<Value> {
        let def =
            self.tables.fields.get_mut(name).ok_or_else(|| format!("no field %{name} is known"))?;
        def.used = true;
        Ok(def.value.clone())
    }
}

fn add_field(fields: &mut Vec<(String, Value)>, name: &str, value: Value) -> Parse<()> {
    if fields.iter().any(|(n, _)| n == name) {
        return Err(format!("field `{name}` is given twice"));
    }
    fields.push((name.to_owned(), value));
    Ok(())
}

fn ident(text: &str) -> Parse<String> {
    if is_ident(text) { Ok(text.to_owned()) } else { Err(format!("`{text}` is not a name")) }
}

/// Lines without comments and joined with what continues them, each with its first line's number.
fn logical_lines(text: &str) -> Vec<(u32, String)> {
    let mut lines: Vec<(u32, String)> = Vec::new();
    let mut joined = false;
    for (index, raw) in text.lines().enumerate() {
        let line = strip_comment(raw).trim();
        let (line, more) = match line.strip_suffix('\\') {
            Some(line) => (line.trim(), true),
            None => (line, false),
        };
        let clause = ["print=", "flow=", "where ", "if ", "-> "];
        let continues =
            joined || line.starts_with('"') || clause.iter().any(|c| line.starts_with(c));
        joined = more;
        if line.is_empty() {
            continue;
        }
        match lines.last_mut() {
            Some((_, last)) if continues => {
                last.push(' ');
                last.push_str(line);
            }
            _ => lines.push((index as u32 + 1, line.to_owned())),
        }
    }
    lines
}

/// Up to a `#` that stands outside quotes.
fn strip_comment(line: &str) -> &str {
    let mut quoted = false;
    for (index, c) in line.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '#' if !quoted => return &line[..index],
            _ => {}
        }
    }
    line
}

struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    fn peek(&self) -> char {
        self.rest.chars().next().unwrap_or('\0')
    }

    fn bump(&mut self, bytes: usize) {
        self.rest = self.rest[bytes..].trim_start();
    }

    /// Up to white space; empty at the end.
    fn word(&mut self) -> &'a str {
        let end = self.rest.find(char::is_whitespace).unwrap_or(self.rest.len());
        let word = &self.rest[..end];
        self.bump(end);
        word
    }

    fn string(&mut self) -> Parse<&'a str> {
        let end = self.rest[1..].find('"').ok_or("a quote is not closed")?;
        let text = &self.rest[1..=end];
        self.bump(end + 2);
        Ok(text)
    }

    fn finish(&self) -> Parse<()> {
        if self.rest.is_empty() { Ok(()) } else { Err(format!("`{}` is left over", self.rest)) }
    }

    fn eat(&mut self, token: &str) -> bool {
        let found = self.rest.starts_with(token);
        if found {
            self.bump(token.len());
        }
        found
    }

    fn name(&mut self) -> Parse<String> {
        let end = self
            .rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(self.rest.len());
        let name = ident(&self.rest[..end])?;
        self.bump(end);
        Ok(name)
    }

    fn feature(&mut self) -> Parse<Feature> {
        let mut terms = vec![Vec::new()];
        loop {
            let negated = self.eat("!");
            let name = self.name()?;
            if let Some(term) = terms.last_mut() {
                term.push((negated, name));
            }
            if self.eat("|") {
                terms.push(Vec::new());
            } else if !self.eat("&") {
                return Ok(Feature { terms });
            }
        }
    }

    fn when(&mut self) -> Parse<Option<Cond>> {
        if self.rest.split_whitespace().next() == Some("when") {
            self.word();
            return self.cond().map(Some);
        }
        Ok(None)
    }

    fn cond(&mut self) -> Parse<Cond> {
        let mut list = vec![self.cond_and()?];
        while self.eat("|") {
            list.push(self.cond_and()?);
        }
        Ok(if list.len() == 1 { list.remove(0) } else { Cond::Or(list) })
    }

    fn cond_and(&mut self) -> Parse<Cond> {
        let mut list = vec![self.cond_atom()?];
        while self.eat("&") {
            list.push(self.cond_atom()?);
        }
        Ok(if list.len() == 1 { list.remove(0) } else { Cond::And(list) })
    }

    fn cond_atom(&mut self) -> Parse<Cond> {
        if self.rest.starts_with('!') && !self.rest.starts_with("!=") {
            self.bump(1);
            return Ok(Cond::Not(Box::new(self.cond_atom()?)));
        }
        if self.eat("(") {
            let inner = self.cond()?;
            if !self.eat(")") {
                return Err("`(` is not closed in condition".to_owned());
            }
            // Only a conjunction or disjunction brings its own parentheses.
            return Ok(inner);
        }
        let left = self.operand()?;
        for op in ["==", "!=", "<=", ">=", "<", ">"] {
            if self.eat(op) {
                return Ok(Cond::Compare(left, op, self.operand()?));
            }
        }
        let Operand::Field(name) = left else {
            return Err("a number alone is no condition".to_owned());
        };
        if !self.eat("(") {
            return Ok(Cond::Predicate(name, None));
        }
        let mut list = vec![self.operand()?];
        while self.eat(",") {
            list.push(self.operand()?);
        }
        if !self.eat(")") {
            return Err("`(` is not closed in condition".to_owned());
        }
        Ok(Cond::Predicate(name, Some(list)))
    }

    fn operand(&mut self) -> Parse<Operand> {
        let end = self
            .rest
            .char_indices()
            .find(|(i, c)| !(c.is_ascii_alphanumeric() || *c == '_' || (*i == 0 && *c == '-')))
            .map_or(self.rest.len(), |(i, _)| i);
        let text = &self.rest[..end];
        let operand = match number(text) {
            Some(n) => Operand::Const(n),
            None => Operand::Field(ident(text).map_err(|e| format!("{e} in condition"))?),
        };
        self.bump(end);
        Ok(operand)
    }
}
