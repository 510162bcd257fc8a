//! The tables in memory: as parsed, and as resolved into patterns.

use crate::cond::{Cond, Feature};
use crate::template::Alternative;
use std::collections::BTreeMap;

/// Where something stands: index of the file, line from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    pub(crate) file: usize,
    pub(crate) line: u32,
}

/// One run of bits of a field, most significant first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Segment {
    pub(crate) pos: u32,
    pub(crate) len: u32,
}

/// A step after the bits of a field are put together; every step can be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    Shl(u32),
    Add(i64),
    Negate,
}

/// How the value of a field comes from the instruction word.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Value {
    Const(i64),
    Bits { segments: Vec<Segment>, signed: bool, steps: Vec<Step> },
}

impl Value {
    /// Bits of the instruction word that the value reads.
    pub(crate) fn bits(&self) -> u32 {
        match self {
            Self::Const(_) => 0,
            Self::Bits { segments, .. } => {
                segments.iter().fold(0, |m, s| m | (ones(s.len) << s.pos))
            }
        }
    }

    /// Smallest and largest value.
    pub(crate) fn range(&self) -> (i64, i64) {
        match self {
            Self::Const(c) => (*c, *c),
            Self::Bits { segments, signed, steps } => {
                let len: u32 = segments.iter().map(|s| s.len).sum();
                let (mut lo, mut hi) = if *signed {
                    (-(1i64 << (len - 1)), (1i64 << (len - 1)) - 1)
                } else {
                    (0, (1i64 << len) - 1)
                };
                for step in steps {
                    (lo, hi) = match step {
                        Step::Shl(n) => (lo << n, hi << n),
                        Step::Add(n) => (lo + n, hi + n),
                        Step::Negate => (-hi, -lo),
                    };
                }
                (lo, hi)
            }
        }
    }
}

/// The lowest `len` bits set; `len` up to 32.
pub(crate) fn ones(len: u32) -> u32 {
    if len >= 32 { u32::MAX } else { (1 << len) - 1 }
}

/// A named field (`%name`).
#[derive(Debug)]
pub(crate) struct FieldDef {
    pub(crate) span: Span,
    pub(crate) value: Value,
    pub(crate) used: bool,
}

/// An argument set (`&name`): members with an optional forced Rust type.
#[derive(Clone, Debug)]
pub(crate) struct ArgSet {
    pub(crate) span: Span,
    pub(crate) name: String,
    pub(crate) members: Vec<(String, Option<String>)>,
    pub(crate) used: bool,
}

/// A control-flow class with its condition and the member that holds the branch offset.
#[derive(Clone, Debug)]
pub(crate) struct FlowAlternative {
    pub(crate) class: String,
    pub(crate) offset: Option<String>,
    pub(crate) cond: Option<Cond>,
}

/// What stands on the line of a format or of a row.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    pub(crate) span: Span,
    pub(crate) name: String,
    pub(crate) width: u32,
    pub(crate) mask: u32,
    pub(crate) value: u32,
    /// Bits marked `-`.
    pub(crate) ignored: u32,
    pub(crate) fields: Vec<(String, Value)>,
    pub(crate) args: Option<String>,
    pub(crate) format: Option<String>,
    pub(crate) templates: Vec<Alternative>,
    pub(crate) flow: Vec<FlowAlternative>,
    pub(crate) feature: Option<Feature>,
    pub(crate) guard: Option<Cond>,
    pub(crate) expands: Option<String>,
}

/// A row as parsed, with the groups it stands in.
#[derive(Debug)]
pub(crate) struct ParsedRow {
    pub(crate) body: Body,
    pub(crate) module: String,
    /// From the outermost: identity of the group, and whether its first match wins.
    pub(crate) groups: Vec<(usize, bool)>,
}

/// Everything parsed.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    pub(crate) files: Vec<String>,
    pub(crate) fields: BTreeMap<String, FieldDef>,
    pub(crate) argsets: Vec<ArgSet>,
    pub(crate) formats: BTreeMap<String, (Body, bool)>,
    pub(crate) rows: Vec<ParsedRow>,
}

/// One encoding: a row line after merging its format.
#[derive(Debug)]
pub(crate) struct Pattern {
    pub(crate) span: Span,
    pub(crate) insn: usize,
    pub(crate) module: String,
    pub(crate) width: u32,
    pub(crate) mask: u32,
    pub(crate) value: u32,
    pub(crate) feature: Option<Feature>,
    pub(crate) guard: Option<Cond>,
    /// Index of the way of taking the arguments out of the word.
    pub(crate) extract: usize,
    pub(crate) groups: Vec<(usize, bool)>,
}

/// All encodings of one row name.
#[derive(Debug)]
pub(crate) struct Insn {
    pub(crate) span: Span,
    pub(crate) name: String,
    pub(crate) variant: String,
    pub(crate) module: String,
    /// Index of the argument set; none where the row has no field.
    pub(crate) args: Option<usize>,
    pub(crate) templates: Vec<Alternative>,
    pub(crate) flow: Vec<FlowAlternative>,
    pub(crate) expands: Option<usize>,
    pub(crate) patterns: Vec<usize>,
}

/// One way of taking an argument set out of a word.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Extract {
    pub(crate) args: Option<usize>,
    pub(crate) values: Vec<Value>,
}

/// An argument set with its Rust types.
#[derive(Debug)]
pub(crate) struct Args {
    pub(crate) name: String,
    pub(crate) span: Span,
    pub(crate) members: Vec<(String, String)>,
}

/// The resolved tables.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) files: Vec<String>,
    pub(crate) args: Vec<Args>,
    pub(crate) extracts: Vec<Extract>,
    pub(crate) patterns: Vec<Pattern>,
    pub(crate) insns: Vec<Insn>,
}
