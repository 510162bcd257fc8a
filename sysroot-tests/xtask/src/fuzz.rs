//! `cargo xtask bad-input`: broken programs must end in a clear message, never in a crash of the runner.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};

use crate::arch::Arch;
use crate::jail::{self, Ending, Spec};
use crate::{cache, programs, sysroot};

/// A small generator (SplitMix64), so that a seed names a run on every machine.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`, which must not be zero.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

/// What is wrong with a file, and whether the runner can know before the guest runs.
struct Broken {
    what: String,
    data: Vec<u8>,
    /// The loader must refuse it: exit status 126 or 127 and a message.
    refused: bool,
}

/// Runs `rounds` broken programs and the fixed cases under the runner.
pub(crate) fn bad_input(guest: Arch, rounds: usize, seed: u64, bin: Option<PathBuf>) -> Result<()> {
    let sysroot = sysroot::ensure(guest, &["base"], &[], None)?;
    let runner = programs::remu(guest, bin, false)?;
    let good = fs::read(sysroot.path.join("usr/bin/true"))?;
    let mut random = Random(seed);
    let mut cases = fixed_cases(&good, &sysroot.path)?;
    cases.extend((0..rounds).map(|_| corrupt(&good, &mut random)));
    let runs = cache::root()?.join("runs");
    fs::create_dir_all(&runs)?;
    let (mut passed, mut failed) = (0, 0);
    for (number, case) in cases.iter().enumerate() {
        let file = runs.join(format!("bad-{}-{number}", std::process::id()));
        fs::write(&file, &case.data)?;
        let spec = Spec {
            sysroot: sysroot.path.clone(),
            argv: vec!["/work/program".to_string()],
            copies: [("program".to_string(), file.clone())].into(),
            runner: Some(runner.clone()),
            report: runs.join(format!("bad-{}.report", std::process::id())),
            ..Spec::default()
        };
        let outcome = jail::run(&spec, b"", Duration::from_secs(20));
        fs::remove_file(&file)?;
        let outcome = outcome?;
        match verdict(case, &outcome.ending, &outcome.stderr) {
            None => passed += 1,
            Some(complaint) => {
                failed += 1;
                println!("FAILED  {guest}: {}: {complaint}", case.what);
            }
        }
    }
    println!("bad input, {guest}, seed {seed}");
    println!("{passed} passed, {failed} failed");
    if failed > 0 { bail!("{failed} broken programs were not handled") } else { Ok(()) }
}

/// What is wrong with the way the runner took it; none if nothing is.
fn verdict(case: &Broken, ending: &Ending, stderr: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(stderr);
    if text.contains("panicked at") || *ending == Ending::Signal(6) || *ending == Ending::Exit(101)
    {
        return Some(format!(
            "the runner broke: {ending:?} {}",
            text.lines().next().unwrap_or_default()
        ));
    }
    if *ending == Ending::Timeout {
        return Some("did not end".to_string());
    }
    let refused = matches!(ending, Ending::Exit(126 | 127));
    if case.refused && !refused {
        return Some(format!("ended with {ending:?}, expected 126 or 127"));
    }
    if refused && text.trim().is_empty() {
        return Some("no message".to_string());
    }
    None
}

/// Faults that every loader must see, each with the file that has it.
fn fixed_cases(good: &[u8], sysroot: &Path) -> Result<Vec<Broken>> {
    let broken = |what: &str, data: Vec<u8>| Broken { what: what.to_string(), data, refused: true };
    let with = |at: usize, bytes: &[u8]| {
        let mut data = good.to_vec();
        data[at..at + bytes.len()].copy_from_slice(bytes);
        data
    };
    let mut cases = vec![
        broken("empty file", Vec::new()),
        broken("text without an interpreter line", b"\x00plain\n".to_vec()),
        broken("another processor", with(18, &[0x16, 0])),
        broken("32-bit class", with(4, &[1])),
        broken("big-endian", with(5, &[2])),
        broken("object file", with(16, &[1, 0])),
        broken("no program headers", with(56, &[0, 0])),
        broken("program headers beyond the end", with(32, &[0xff; 4])),
        broken("program header size of 1", with(54, &[1, 0])),
    ];
    for length in [1, 4, 16, 40, 63, 64, 100, 300] {
        cases.push(broken(
            &format!("cut after {length} bytes"),
            good[..length.min(good.len())].to_vec(),
        ));
    }
    // The interpreter's name, found by its text; the kernel says ENOENT, a shell 127.
    let name = b"/lib/ld-linux";
    if let Some(at) = good.windows(name.len()).position(|w| w == name) {
        cases.push(broken("missing interpreter", with(at, b"/nil/")));
    } else if sysroot.join("lib").exists() {
        bail!("/usr/bin/true names no interpreter under /lib");
    }
    Ok(cases)
}

/// A copy with a few bytes of the headers changed, or cut somewhere.
fn corrupt(good: &[u8], random: &mut Random) -> Broken {
    let mut data = good.to_vec();
    let headers = 0x400.min(data.len());
    let mut what = String::from("bytes changed:");
    for _ in 0..1 + random.below(6) {
        let (at, to) = (random.below(headers), random.next() as u8);
        data[at] = to;
        what.push_str(&format!(" {at:#x}={to:#04x}"));
    }
    if random.below(4) == 0 {
        let length = random.below(data.len());
        data.truncate(length);
        what.push_str(&format!(" cut at {length}"));
    }
    Broken { what, data, refused: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts() {
        let case = |refused| Broken { what: String::new(), data: Vec::new(), refused };
        assert!(verdict(&case(true), &Ending::Exit(126), b"not an ELF file").is_none());
        assert!(verdict(&case(true), &Ending::Exit(126), b"").is_some());
        assert!(verdict(&case(true), &Ending::Exit(0), b"").is_some());
        assert!(verdict(&case(false), &Ending::Signal(11), b"").is_none());
        assert!(verdict(&case(false), &Ending::Exit(101), b"thread panicked at x").is_some());
        assert!(verdict(&case(false), &Ending::Timeout, b"").is_some());
    }
}
