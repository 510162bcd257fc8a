//! The decision tree over instruction bits, as two flat tables.
//!
//! A node is two headers (each the position and length of a run of bits; the second may be empty)
//! and one entry per value of the runs put together, the first run lowest. An entry is 0 (nothing
//! decodes), a node's offset, one pattern, or a list of patterns to be tried in order.

use crate::model::{Pattern, ones};
use std::collections::BTreeMap;

/// Marks an entry as a list of patterns.
pub(crate) const LIST: u16 = 0x8000;
/// Marks an entry as one pattern.
pub(crate) const ONE: u16 = 0xc000;
/// Most bits that one node looks at.
const MOST: u32 = 9;
/// Ends the list of a leaf.
pub(crate) const END: u16 = 0xffff;

/// The tables of one instruction width.
pub(crate) struct Tree {
    /// Root entry.
    pub(crate) root: u16,
    pub(crate) nodes: Vec<u16>,
    pub(crate) leaves: Vec<u16>,
}

/// Builds the tree of all patterns of `width`; none if there is no such pattern.
pub(crate) fn build(patterns: &[Pattern], width: u32) -> Option<Tree> {
    let all: Vec<u16> =
        (0..patterns.len()).filter(|i| patterns[*i].width == width).map(|i| i as u16).collect();
    if all.is_empty() {
        return None;
    }
    // Offset 0 means "nothing", so no node may start there.
    let mut b = Build {
        patterns,
        nodes: vec![0],
        leaves: Vec::new(),
        known: BTreeMap::new(),
        inner: BTreeMap::new(),
    };
    let root = b.entry(&all, 0, width);
    assert!(
        b.nodes.len() < usize::from(LIST) && b.leaves.len() < 0x3ff0 && all.len() < 0x3fff,
        "decision tree too large: {} nodes, {} leaves",
        b.nodes.len(),
        b.leaves.len()
    );
    Some(Tree { root, nodes: b.nodes, leaves: b.leaves })
}

struct Build<'a> {
    patterns: &'a [Pattern],
    nodes: Vec<u16>,
    leaves: Vec<u16>,
    /// Lists by what is in them, and nodes by that and the bits tested before.
    known: BTreeMap<Vec<u16>, u16>,
    inner: BTreeMap<(Vec<u16>, u32), u16>,
}

impl Build<'_> {
    fn entry(&mut self, candidates: &[u16], tested: u32, width: u32) -> u16 {
        if candidates.is_empty() {
            return 0;
        }
        if let [one] = candidates {
            return ONE | one;
        }
        let name = (candidates.to_vec(), tested);
        if let Some(offset) = self.inner.get(&name) {
            return *offset;
        }
        if let Some(runs) = self.best(candidates, tested, width) {
            let offset = self.nodes.len();
            let bits: u32 = runs.iter().map(|r| r.len).sum();
            let read = runs.iter().fold(tested, |m, r| m | ones(r.len) << r.pos);
            self.nodes.extend(runs.iter().map(|r| (r.pos << 8 | r.len) as u16));
            self.nodes.resize(offset + 2 + (1 << bits), 0);
            for value in 0..1u32 << bits {
                let matching: Vec<u16> = candidates
                    .iter()
                    .copied()
                    .filter(|c| {
                        let (mask, fixed) = self.seen(*c, &runs);
                        (fixed ^ value) & mask == 0
                    })
                    .collect();
                let entry = self.entry(&matching, read, width);
                self.nodes[offset + 2 + value as usize] = entry;
            }
            self.inner.insert(name, offset as u16);
            return offset as u16;
        }
        let at = match self.known.get(candidates) {
            Some(at) => *at,
            None => {
                let at = self.leaves.len() as u16;
                self.leaves.extend_from_slice(candidates);
                self.leaves.push(END);
                self.known.insert(candidates.to_vec(), at);
                at
            }
        };
        LIST | at
    }

    /// What a node over `runs` sees of a pattern: which bits are fixed, and their values.
    fn seen(&self, candidate: u16, runs: &[Run; 2]) -> (u32, u32) {
        let p = &self.patterns[usize::from(candidate)];
        let take = |word: u32| {
            let low = word >> runs[0].pos & ones(runs[0].len);
            let high = word >> runs[1].pos & ones(runs[1].len);
            low | high << runs[0].len
        };
        (take(p.mask), take(p.value))
    }

    /// The runs of bits that leave the shortest lists for the size of their table: the best one,
    /// then the best beside it.
    fn best(&self, candidates: &[u16], tested: u32, width: u32) -> Option<[Run; 2]> {
        let empty = Run { pos: 0, len: 0 };
        let mut best: Option<(f64, [Run; 2])> = None;
        for second in [false, true] {
            let first = match (second, &best) {
                (true, Some((_, [first, _]))) => *first,
                (true, None) => return None,
                _ => empty,
            };
            let busy = tested | ones(first.len) << first.pos;
            for pos in 0..width {
                for len in 1..=(MOST - first.len).min(width - pos) {
                    let run = Run { pos, len };
                    if ones(len) << pos & busy != 0 {
                        break;
                    }
                    let runs = if second { [first, run] } else { [run, empty] };
                    if let Some(cost) = self.cost(candidates, &runs)
                        && best.as_ref().is_none_or(|(c, _)| cost < *c)
                    {
                        best = Some((cost, runs));
                    }
                }
            }
        }
        best.map(|(_, runs)| runs)
    }

    /// What a candidate meets on average, and fees for the table and for candidates in many
    /// entries; none if the runs separate nothing.
    fn cost(&self, candidates: &[u16], runs: &[Run; 2]) -> Option<f64> {
        let bits = runs[0].len + runs[1].len;
        let mut buckets = vec![0u32; 1 << bits];
        for c in candidates {
            let (mask, value) = self.seen(*c, runs);
            let free = !mask & ones(bits);
            // All subsets of the free bits.
            let mut subset = 0u32;
            loop {
                buckets[(value | subset) as usize] += 1;
                subset = subset.wrapping_sub(free) & free;
                if subset == 0 {
                    break;
                }
            }
        }
        let longest = buckets.iter().copied().max().unwrap_or(0);
        if longest as usize == candidates.len() {
            return None;
        }
        let copies: f64 = buckets.iter().map(|b| f64::from(*b)).sum();
        let met = buckets.iter().map(|b| f64::from(*b).powi(2)).sum::<f64>() / copies;
        let total = candidates.len() as f64;
        Some(met + 0.25 * f64::from(1u32 << bits) / total + 0.25 * copies / total)
    }
}

/// A run of bits of the instruction word.
#[derive(Clone, Copy)]
struct Run {
    pos: u32,
    len: u32,
}
