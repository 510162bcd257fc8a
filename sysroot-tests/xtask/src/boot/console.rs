//! An emulator's console: waits for text, types text.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// A running emulator.
pub(super) struct Console {
    child: Child,
    output: Receiver<Vec<u8>>,
    /// All that was printed.
    seen: Vec<u8>,
    /// Up to where steps have looked.
    at: usize,
    log: File,
    start: Instant,
    end: Instant,
}

impl Console {
    /// Starts an emulator; its output is kept in `log`.
    pub(super) fn start(command: &mut Command, log: &Path, limit: Duration) -> Result<Console> {
        let log = File::create(log)?;
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log.try_clone()?)
            .spawn()
            .with_context(|| format!("cannot start `{}`", crate::cmd::shown(command)))?;
        let mut stdout = child.stdout.take().context("no standard output")?;
        let (sender, output) = channel();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(n @ 1..) = stdout.read(&mut bytes) {
                if sender.send(bytes[..n].to_vec()).is_err() {
                    return;
                }
            }
        });
        let start = Instant::now();
        Ok(Console { child, output, seen: Vec::new(), at: 0, log, start, end: start + limit })
    }

    /// Seconds since the start.
    pub(super) fn seconds(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    /// Waits until `text` appears.
    pub(super) fn expect(&mut self, text: &str) -> Result<()> {
        loop {
            let found = self.seen[self.at..].windows(text.len()).position(|w| w == text.as_bytes());
            if let Some(found) = found {
                self.at += found + text.len();
                return Ok(());
            }
            let left = self.end.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.take(&bytes)?,
                Err(RecvTimeoutError::Timeout) => bail!("timed out waiting for {text:?}"),
                Err(RecvTimeoutError::Disconnected) => {
                    let status = self.child.wait()?;
                    bail!("ended ({status}) where {text:?} was expected");
                }
            }
        }
    }

    /// The number that comes next, once something else has come after it.
    pub(super) fn number(&mut self) -> Result<f64> {
        loop {
            let rest = &self.seen[self.at..];
            let digit = |b: &u8| b.is_ascii_digit() || *b == b'.';
            let start = rest.iter().position(digit).unwrap_or(rest.len());
            if let Some(len) = rest[start..].iter().position(|b| !digit(b)) {
                let text = String::from_utf8_lossy(&rest[start..start + len]).into_owned();
                self.at += start + len;
                return text.parse().with_context(|| format!("{text:?} is not a number"));
            }
            let left = self.end.saturating_duration_since(Instant::now());
            let bytes = self.output.recv_timeout(left).context("no number came")?;
            self.take(&bytes)?;
        }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<()> {
        self.log.write_all(bytes)?;
        self.seen.extend(bytes);
        Ok(())
    }

    /// Types `text`.
    pub(super) fn send(&mut self, text: &str) -> Result<()> {
        let stdin = self.child.stdin.as_mut().context("no standard input")?;
        stdin.write_all(text.as_bytes())?;
        Ok(stdin.flush()?)
    }

    /// Waits for the end; its status.
    pub(super) fn finish(&mut self) -> Result<i32> {
        loop {
            let left = self.end.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.take(&bytes)?,
                Err(RecvTimeoutError::Timeout) => bail!("timed out waiting for the end"),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.child.wait()?.code().context("killed by a signal")
    }

    /// The last lines that were printed.
    pub(super) fn tail(&self) -> String {
        let text = String::from_utf8_lossy(&self.seen);
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        // Ended by itself in the ordinary case.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
