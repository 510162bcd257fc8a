//! A program of many tests: made, run under both emulators, its reports compared.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::Cli;
use crate::guest::{Chosen, Guest};
use crate::random::Random;

/// States that tests start from, in each program.
pub(crate) const STATES: usize = 64;
/// Tests in one program: its jumps must reach.
pub(crate) const TESTS: usize = 1500;

/// One test of a program.
pub(crate) struct Test {
    pub(crate) chosen: Chosen,
    pub(crate) state: usize,
    /// Its line for the assembler.
    pub(crate) line: String,
}

/// Rows that differ: name and what differs.
pub(crate) type Complaints = Vec<(&'static str, String)>;

/// Runs one program's worth under both and says what differs.
pub(crate) fn compare(
    guest: &Guest,
    cli: &Cli,
    mut tests: Vec<Test>,
    batch: usize,
) -> Result<Complaints> {
    // Each batch has states of its own, whichever thread takes it.
    let mut random = Random(cli.seed ^ (batch as u64 + 1) << 32);
    let states: Vec<Vec<u8>> = (0..STATES).map(|_| (guest.state)(&mut random)).collect();
    let mut bad = Vec::new();
    while !tests.is_empty() {
        let program = cli.work.join(format!("{}-{batch}", guest.name));
        assemble(guest, &tests, &states, &program)?;
        let reference = output(limited(&cli.reference).args(["-cpu", guest.model]).arg(&program))?;
        let judged = output(limited(&cli.runner).arg(&program))?;
        let size = guest.state_size;
        for (index, test) in tests.iter().enumerate() {
            let piece = |all: &[u8]| all.get(index * size..(index + 1) * size).map(<[u8]>::to_vec);
            let (Some(right), Some(seen)) = (piece(&reference), piece(&judged)) else { break };
            if right != seen {
                let what = difference(guest, test, &states[test.state], &right, &seen);
                bad.push((test.chosen.row, what));
            }
        }
        // A test that ended one of the programs takes the later ones with it: judge it, leave it out, go on.
        let (right, seen) = (reference.len() / size, judged.len() / size);
        let done = right.min(seen);
        if done >= tests.len() {
            break;
        }
        let who = match right.cmp(&seen) {
            std::cmp::Ordering::Greater => "remu ends",
            std::cmp::Ordering::Less => "the reference ends",
            std::cmp::Ordering::Equal => "both end",
        };
        let Chosen { row, text, word, .. } = &tests[done].chosen;
        bad.push((row, format!("{text} ({word:#010x}): {who} the program")));
        tests.drain(..=done);
    }
    Ok(bad)
}

/// Assembles and links a program of these tests.
fn assemble(guest: &Guest, tests: &[Test], states: &[Vec<u8>], program: &Path) -> Result<()> {
    let mut text = guest.frame.to_string();
    for test in tests {
        text.push_str(&test.line);
        text.push('\n');
    }
    if guest.name == "aarch64" {
        text.push_str("b finish\n");
    } else {
        text.push_str("lla x31, finish\njr x31\n");
    }
    text.push_str(".data\n.balign 16\nstates:\n");
    for word in states.concat().chunks(8) {
        let word = word.iter().rev().fold(0u64, |w, &b| w << 8 | u64::from(b));
        let _ = writeln!(text, ".quad {word:#x}");
    }
    let source = program.with_extension("S");
    fs::write(&source, text)?;
    let mut gcc = Command::new(format!("{}-gcc", guest.triplet));
    gcc.args(["-nostdlib", "-static", "-no-pie", "-o"]).arg(program).arg(&source);
    let out =
        gcc.output().context("cannot start the cross compiler; `cargo xtask setup` installs it")?;
    if !out.status.success() {
        bail!("assembling {} failed:\n{}", source.display(), String::from_utf8_lossy(&out.stderr));
    }
    Ok(())
}

/// A command that is killed when it hangs; what it wrote until then still counts.
fn limited(program: &Path) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--signal=KILL", "60"]).arg(program);
    command
}

/// Standard output of a program, however it ends.
fn output(command: &mut Command) -> Result<Vec<u8>> {
    let name = command.get_program().to_string_lossy().into_owned();
    let out =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {name}"))?;
    Ok(out.stdout)
}

/// A test and the first parts of the state in which the results differ.
fn difference(guest: &Guest, test: &Test, start: &[u8], right: &[u8], seen: &[u8]) -> String {
    let mut text = format!("{} ({:#010x})", test.chosen.text, test.chosen.word);
    let differing = (0..right.len()).step_by(8).filter(|&at| right[at..at + 8] != seen[at..at + 8]);
    let show = |bytes: &[u8], at: usize| {
        bytes[at..at + 8].iter().rev().map(|b| format!("{b:02x}")).collect::<String>()
    };
    for at in differing.take(3) {
        let part = (guest.part)(at);
        let _ = write!(
            text,
            "; {part}: expected {}, got {}, was {}",
            show(right, at),
            show(seen, at),
            show(start, at)
        );
    }
    text
}
