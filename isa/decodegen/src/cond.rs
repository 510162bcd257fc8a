//! Conditions: over arguments (`where`, `when`) and over features (`if`, `require`).

use std::fmt::Write as _;

/// A side of a comparison or an argument of a predicate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Operand {
    Field(String),
    Const(i64),
}

/// A condition over the arguments of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cond {
    Or(Vec<Cond>),
    And(Vec<Cond>),
    Not(Box<Cond>),
    Compare(Operand, &'static str, Operand),
    /// A function of the crate's `pred` module: over the whole argument struct, or over a list.
    Predicate(String, Option<Vec<Operand>>),
}

impl Cond {
    /// Calls `see` with each argument name that occurs.
    pub(crate) fn fields(&self, see: &mut dyn FnMut(&str)) {
        let mut operand = |o: &Operand| {
            if let Operand::Field(name) = o {
                see(name);
            }
        };
        match self {
            Self::Or(list) | Self::And(list) => list.iter().for_each(|c| c.fields(see)),
            Self::Not(inner) => inner.fields(see),
            Self::Compare(l, _, r) => {
                operand(l);
                operand(r);
            }
            Self::Predicate(_, list) => list.iter().flatten().for_each(operand),
        }
    }

    /// The condition as Rust over `a`, an argument struct, for use in an `if`.
    pub(crate) fn rust_if(&self) -> String {
        match self {
            Self::Or(list) => bare(list, " || "),
            Self::And(list) => bare(list, " && "),
            other => other.rust(),
        }
    }

    /// The condition as Rust over `a`, fit to be part of a larger one.
    pub(crate) fn rust(&self) -> String {
        match self {
            Self::Or(list) => join(list, " || "),
            Self::And(list) => join(list, " && "),
            Self::Not(inner) => match **inner {
                Self::Compare(..) => format!("!({})", inner.rust()),
                _ => format!("!{}", inner.rust()),
            },
            Self::Compare(l, op, r) => match (l, r) {
                (Operand::Field(name), Operand::Const(0)) => {
                    format!("a.{} {op} 0", crate::emit::ident(name))
                }
                _ => format!("{} {op} {}", l.rust(), r.rust()),
            },
            Self::Predicate(name, None) => format!("crate::pred::{name}(&a)"),
            Self::Predicate(name, Some(list)) => {
                let list: Vec<String> = list.iter().map(Operand::rust).collect();
                format!("crate::pred::{name}({})", list.join(", "))
            }
        }
    }
}

impl Operand {
    /// As a Rust expression of type `i64`.
    pub(crate) fn rust(&self) -> String {
        match self {
            Self::Field(name) => format!("i64::from(a.{})", crate::emit::ident(name)),
            Self::Const(c) => c.to_string(),
        }
    }
}

fn join(list: &[Cond], op: &str) -> String {
    format!("({})", bare(list, op))
}

fn bare(list: &[Cond], op: &str) -> String {
    let list: Vec<String> = list.iter().map(Cond::rust).collect();
    list.join(op)
}

/// A predicate over the features of a processor: an or of ands of names, each maybe negated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Feature {
    pub(crate) terms: Vec<Vec<(bool, String)>>,
}

impl Feature {
    /// Both must hold.
    pub(crate) fn and(&self, other: &Self) -> Self {
        let mut terms = Vec::new();
        for x in &self.terms {
            for y in &other.terms {
                let mut term = x.clone();
                term.extend(y.iter().filter(|n| !x.contains(n)).cloned());
                terms.push(term);
            }
        }
        Self { terms }
    }

    /// No processor has both: each pair of terms names one feature with and without `!`.
    pub(crate) fn excludes(&self, other: &Self) -> bool {
        self.terms.iter().all(|x| {
            other.terms.iter().all(|y| x.iter().any(|(n, name)| y.contains(&(!n, name.clone()))))
        })
    }

    /// As a Rust condition over `f: &Features`.
    pub(crate) fn rust(&self) -> String {
        let terms: Vec<String> = self
            .terms
            .iter()
            .map(|term| {
                let names: Vec<String> = term
                    .iter()
                    .map(|(negated, name)| {
                        let not = if *negated { "!" } else { "" };
                        format!("{not}f.has(crate::features::{})", name.to_uppercase())
                    })
                    .collect();
                names.join(" && ")
            })
            .collect();
        if terms.len() == 1 {
            terms[0].clone()
        } else {
            let terms: Vec<String> = terms.iter().map(|t| format!("({t})")).collect();
            terms.join(" || ")
        }
    }

    /// As in the table.
    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        for (i, term) in self.terms.iter().enumerate() {
            if i > 0 {
                out.push_str(" | ");
            }
            for (j, (negated, name)) in term.iter().enumerate() {
                let and = if j > 0 { " & " } else { "" };
                let not = if *negated { "!" } else { "" };
                let _ = write!(out, "{and}{not}{name}");
            }
        }
        out
    }
}
