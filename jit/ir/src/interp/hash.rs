//! SHA-1 and SHA-256 (FIPS 180-4), four words in a vector, the earliest lowest.

type W4 = [u32; 4];

fn words(v: u128) -> W4 {
    [v as u32, (v >> 32) as u32, (v >> 64) as u32, (v >> 96) as u32]
}
fn vector(w: W4) -> u128 {
    w.iter().rev().fold(0, |v, &x| v << 32 | u128::from(x))
}
fn choose(x: u32, y: u32, z: u32) -> u32 {
    ((y ^ z) & x) ^ z
}
fn majority(x: u32, y: u32, z: u32) -> u32 {
    (x & y) | ((x | y) & z)
}
fn parity(x: u32, y: u32, z: u32) -> u32 {
    x ^ y ^ z
}

fn sha1(v: [u128; 3], f: fn(u32, u32, u32) -> u32) -> u128 {
    let (mut x, mut y, w) = (words(v[0]), v[1] as u32, words(v[2]));
    for word in w {
        let t = y
            .wrapping_add(x[0].rotate_left(5))
            .wrapping_add(f(x[1], x[2], x[3]))
            .wrapping_add(word);
        (y, x) = (x[3], [t, x[0], x[1].rotate_left(30), x[2]]);
    }
    vector(x)
}
pub(super) fn sha1c(v: [u128; 3]) -> u128 {
    sha1(v, choose)
}
pub(super) fn sha1p(v: [u128; 3]) -> u128 {
    sha1(v, parity)
}
pub(super) fn sha1m(v: [u128; 3]) -> u128 {
    sha1(v, majority)
}
pub(super) fn sha1su1(v: [u128; 3]) -> u128 {
    let t = words(v[0] ^ v[1] >> 32);
    let mut r = t.map(|x| x.rotate_left(1));
    r[3] ^= t[0].rotate_left(2);
    vector(r)
}

fn sha256(x: u128, y: u128, w: u128) -> (u128, u128) {
    let (mut x, mut y) = (words(x), words(y));
    for word in words(w) {
        let sigma1 = y[0].rotate_right(6) ^ y[0].rotate_right(11) ^ y[0].rotate_right(25);
        let sigma0 = x[0].rotate_right(2) ^ x[0].rotate_right(13) ^ x[0].rotate_right(22);
        let t = y[3].wrapping_add(sigma1).wrapping_add(choose(y[0], y[1], y[2])).wrapping_add(word);
        let new = t.wrapping_add(sigma0).wrapping_add(majority(x[0], x[1], x[2]));
        let carried = t.wrapping_add(x[3]);
        (x, y) = ([new, x[0], x[1], x[2]], [carried, y[0], y[1], y[2]]);
    }
    (vector(x), vector(y))
}
pub(super) fn sha256h(v: [u128; 3]) -> u128 {
    sha256(v[0], v[1], v[2]).0
}
pub(super) fn sha256h2(v: [u128; 3]) -> u128 {
    sha256(v[1], v[0], v[2]).1
}
pub(super) fn sha256r2(v: [u128; 3]) -> u128 {
    let ([h, g, d, c], [f, e, b, a], [w0, w1, ..]) = (words(v[0]), words(v[1]), words(v[2]));
    // Two of four rounds: what the later two words make of the state is not looked at.
    let (x, y) = sha256(vector([a, b, c, d]), vector([e, f, g, h]), vector([w0, w1, 0, 0]));
    let ([_, _, a, b], [_, _, e, f]) = (words(x), words(y));
    vector([f, e, b, a])
}
pub(super) fn sha256su0(v: [u128; 3]) -> u128 {
    let (d, t) = (words(v[0]), words(v[0] >> 32 | v[1] << 96));
    let mut r = d;
    for (r, t) in r.iter_mut().zip(t) {
        let s = t.rotate_right(7) ^ t.rotate_right(18) ^ t >> 3;
        *r = r.wrapping_add(s);
    }
    vector(r)
}
pub(super) fn sha256su1(v: [u128; 3]) -> u128 {
    let (d, t, m) = (words(v[0]), words(v[1] >> 32 | v[2] << 96), words(v[2]));
    let mut r = [0; 4];
    for i in 0..4 {
        let x = if i < 2 { m[i + 2] } else { r[i - 2] };
        let s: u32 = x.rotate_right(17) ^ x.rotate_right(19) ^ x >> 10;
        r[i] = s.wrapping_add(d[i]).wrapping_add(t[i]);
    }
    vector(r)
}
