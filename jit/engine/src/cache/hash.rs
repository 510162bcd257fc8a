//! A fast 64-bit hash, to notice bytes that changed. Not for bytes that somebody chose to collide.

const K: [u64; 4] =
    [0x9e37_79b9_7f4a_7c15, 0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb, 0xd6e8_feb8_6659_fd93];

/// Both halves of a product, folded.
fn mix(a: u64, b: u64) -> u64 {
    let p = u128::from(a) * u128::from(b);
    p as u64 ^ (p >> 64) as u64
}

fn word(b: &[u8], n: usize) -> u64 {
    b.get(n..n + 8).and_then(|w| w.try_into().ok()).map_or(0, u64::from_le_bytes)
}

/// Hash of `bytes`.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    let (mut a, mut b) = (K[0], K[1] ^ bytes.len() as u64);
    let (whole, rest) = bytes.as_chunks::<32>();
    let mut step = |c: &[u8]| {
        a = mix(word(c, 0) ^ K[2], word(c, 8) ^ a);
        b = mix(word(c, 16) ^ K[3], word(c, 24) ^ b);
    };
    for c in whole {
        step(c);
    }
    let mut last = [0; 32];
    last[..rest.len()].copy_from_slice(rest);
    step(&last);
    mix(a ^ K[1], b ^ K[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_counts() {
        let bytes: Vec<u8> = (0..100).collect();
        let mut seen = std::collections::HashSet::from([hash(&bytes)]);
        for bit in 0..800 {
            let mut b = bytes.clone();
            b[bit / 8] ^= 1 << (bit % 8);
            assert!(seen.insert(hash(&b)));
        }
        assert!((0..100).all(|n| seen.insert(hash(&bytes[..n]))));
        assert_ne!(hash(&[0; 3]), hash(&[0; 4]));
    }
}
