//! The decision tree over instruction bits, as two flat tables.
//!
//! A node is a header (position and length of a run of bits) and one entry per value of the run.
//! An entry is 0 (nothing decodes), a node's offset, or a leaf; a leaf is a list of patterns to be
//! tried in order.

use crate::model::{Pattern, ones};
use std::collections::BTreeMap;

/// Marks an entry as a leaf.
pub(crate) const LEAF: u16 = 0x8000;
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
    let mut b = Build { patterns, nodes: vec![0], leaves: Vec::new(), known: BTreeMap::new() };
    let root = b.entry(&all, 0, width);
    assert!(
        b.nodes.len() < usize::from(LEAF) && b.leaves.len() < 0x7ff0,
        "decision tree too large"
    );
    Some(Tree { root, nodes: b.nodes, leaves: b.leaves })
}

struct Build<'a> {
    patterns: &'a [Pattern],
    nodes: Vec<u16>,
    leaves: Vec<u16>,
    known: BTreeMap<Vec<u16>, u16>,
}

impl Build<'_> {
    fn entry(&mut self, candidates: &[u16], tested: u32, width: u32) -> u16 {
        if candidates.is_empty() {
            return 0;
        }
        if candidates.len() > 1
            && let Some((pos, len)) = self.best(candidates, tested, width)
        {
            let offset = self.nodes.len();
            self.nodes.push((pos << 8 | len) as u16);
            self.nodes.resize(offset + 1 + (1 << len), 0);
            for value in 0..1u32 << len {
                let matching: Vec<u16> = candidates
                    .iter()
                    .copied()
                    .filter(|c| {
                        let p = &self.patterns[usize::from(*c)];
                        let mask = p.mask >> pos & ones(len);
                        (p.value >> pos ^ value) & mask == 0
                    })
                    .collect();
                let entry = self.entry(&matching, tested | ones(len) << pos, width);
                self.nodes[offset + 1 + value as usize] = entry;
            }
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
        LEAF | at
    }

    /// The run of bits that leaves the shortest lists for its table size.
    fn best(&self, candidates: &[u16], tested: u32, width: u32) -> Option<(u32, u32)> {
        let mut best: Option<(f64, u32, u32)> = None;
        let total = candidates.len() as f64;
        for pos in 0..width {
            for len in 1..=9.min(width - pos) {
                let run = ones(len) << pos;
                if run & tested != 0 {
                    break;
                }
                let mut buckets = vec![0u32; 1 << len];
                let mut useful = false;
                for c in candidates {
                    let p = &self.patterns[usize::from(*c)];
                    let mask = p.mask >> pos & ones(len);
                    let value = p.value >> pos & mask;
                    useful |= mask != 0;
                    let free = !mask & ones(len);
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
                if !useful || longest as usize == candidates.len() {
                    continue;
                }
                // What a candidate meets on average, and a fee for the table.
                let met: f64 = buckets.iter().map(|b| f64::from(*b).powi(2)).sum::<f64>()
                    / buckets.iter().map(|b| f64::from(*b)).sum::<f64>();
                let copies: f64 = buckets.iter().map(|b| f64::from(*b)).sum::<f64>();
                let cost = met + 0.25 * f64::from(1u32 << len) / total + 0.5 * copies / total;
                if best.is_none_or(|(c, _, _)| cost < c) {
                    best = Some((cost, pos, len));
                }
            }
        }
        best.map(|(_, pos, len)| (pos, len))
    }
}
