//! Assembly templates: `"addi {rd}, {rs1}, {imm:dec}"`.

use crate::cond::Cond;
use std::collections::BTreeMap;

/// An argument of a formatter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    Field(String),
    Const(i64),
    /// `pc+field`.
    PcPlus(String),
    /// `pc`.
    Pc,
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Text(String),
    /// `{name}`: the row's name up to its first `_`.
    Name,
    /// `{dotted}`: the row's name with `.` for `_`.
    Dotted,
    /// `{a,b:formatter}`; an empty list stands for the whole argument struct.
    Show(Vec<Shown>, Option<String>),
}

/// What is printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Print {
    Template(Vec<Part>),
    /// `print=name`.
    Function(String),
}

/// One of several ways to print a row; the first whose condition holds is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alternative {
    pub(crate) print: Print,
    pub(crate) cond: Option<Cond>,
}

/// Parses the text between the quotes. `shows` gives the formatter of fields that name none.
pub(crate) fn parse(text: &str, shows: &BTreeMap<String, String>) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '{' if chars.peek() == Some(&'{') => {
                chars.next();
                literal.push('{');
            }
            '}' if chars.peek() == Some(&'}') => {
                chars.next();
                literal.push('}');
            }
            '{' => {
                let mut inner = String::new();
                loop {
                    match chars.next() {
                        Some('}') => break,
                        Some(c) => inner.push(c),
                        None => return Err("`{` without `}` in template".to_owned()),
                    }
                }
                if !literal.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut literal)));
                }
                parts.push(piece(&inner, shows)?);
            }
            '}' => return Err("`}` without `{` in template".to_owned()),
            c => literal.push(c),
        }
    }
    if !literal.is_empty() {
        parts.push(Part::Text(literal));
    }
    Ok(parts)
}

fn piece(inner: &str, shows: &BTreeMap<String, String>) -> Result<Part, String> {
    match inner.trim() {
        "name" => return Ok(Part::Name),
        "dotted" => return Ok(Part::Dotted),
        _ => {}
    }
    let (list, formatter) = match inner.split_once(':') {
        Some((list, formatter)) => (list, Some(formatter.trim().to_owned())),
        None => (inner, None),
    };
    if formatter.as_ref().is_some_and(|f| !crate::parse::is_ident(f)) {
        return Err(format!("`{inner}`: the formatter is not a name"));
    }
    let mut shown = Vec::new();
    if !list.trim().is_empty() {
        for item in list.split(',') {
            let item = item.trim();
            shown.push(if item == "pc" {
                Shown::Pc
            } else if let Some(field) = item.strip_prefix("pc+") {
                Shown::PcPlus(field.trim().to_owned())
            } else if let Some(number) = crate::parse::number(item) {
                Shown::Const(number)
            } else if crate::parse::is_ident(item) {
                Shown::Field(item.to_owned())
            } else {
                return Err(format!("`{item}` in template is neither a field nor a number"));
            });
        }
    }
    let formatter = formatter.or_else(|| match shown.as_slice() {
        [Shown::Field(name)] => shows.get(name).cloned(),
        [Shown::PcPlus(_) | Shown::Pc] => Some("label".to_owned()),
        _ => None,
    });
    if formatter.is_none() && !matches!(shown.as_slice(), [Shown::Field(_)]) {
        return Err(format!("`{{{inner}}}` needs a formatter"));
    }
    Ok(Part::Show(shown, formatter))
}
