//! Runs the case files beside this one. `BLESS=1` writes what happens into
//! them; read the difference before committing it.

use std::path::{Path, PathBuf};
use std::{env, fs};

use remu_ir::interp::run;
use remu_ir::passes::{Liveness, analyse};
use remu_ir::testing::{Case, cases, describe, names};
use remu_ir::text::{Names, print_inst};

/// Files with an extension, in order of their names.
fn files(extension: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let entries = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let mut files: Vec<_> =
        entries.filter(|p| p.extension().is_some_and(|e| e == extension)).collect();
    files.sort();
    files
}

/// Compares each file with what `render` makes of it, or blesses it.
fn check(extension: &str, render: fn(&str, &[Case]) -> String) {
    let files = files(extension);
    assert!(!files.is_empty());
    let mut failures = Vec::new();
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let cases = cases(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let now = render(&text, &cases);
        if now == text {
            continue;
        }
        if env::var_os("BLESS").is_some() {
            fs::write(&path, now).unwrap();
            continue;
        }
        for (n, (old, new)) in
            text.lines().zip(now.lines()).enumerate().filter(|(_, (a, b))| a != b)
        {
            failures.push(format!("{}:{}\n  file: {old}\n  now:  {new}", path.display(), n + 1));
        }
        if text.lines().count() != now.lines().count() {
            failures.push(format!("{}: another number of lines", path.display()));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn runs() {
    check("run", |text, cases| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        for case in cases {
            assert!(!case.runs.is_empty(), "{} has no run", case.name);
            for r in &case.runs {
                let (mut state, mut memory) = (r.state.clone(), r.memory.clone());
                let outcome = run(&case.region, 0, &mut state, &mut memory, 100);
                let got = describe(r, &state, &memory.bytes, outcome);
                lines[r.line] = format!("; run {} => {got}", r.input).replace("  ", " ");
            }
        }
        lines.join("\n") + "\n"
    });
}

#[test]
fn liveness() {
    check("opt", |text, cases| {
        let all = names();
        let slots: Vec<_> = all.iter().map(|(n, s)| (n.as_str(), *s)).collect();
        let names = Names { slots: &slots, helpers: &[] };
        let mut live = Liveness::default();
        let mut out = Vec::new();
        let mut cases = cases.iter();
        let mut current: Option<&Case> = None;
        let mut finish = |case: Option<&Case>, out: &mut Vec<String>| {
            while out.last().is_some_and(String::is_empty) {
                out.pop();
            }
            let Some(case) = case else { return };
            analyse(&case.region, None, &mut live);
            for b in &case.region.blocks {
                out.push(format!("; {:#x}:", b.pc));
                for id in (b.start..b.end).filter(|&id| live.is_live(id)) {
                    let text = print_inst(&case.region, &names, id);
                    let rare = if live.is_rare(id) { ", rarely" } else { "" };
                    let uses = match live.uses_of(id) {
                        0 => String::new(),
                        n => format!(", used {n}"),
                    };
                    out.push(format!(";   {text}{uses}{rare}"));
                }
            }
        };
        for line in text.lines() {
            if line.starts_with("; case ") {
                finish(current, &mut out);
                if current.is_some() {
                    out.push(String::new());
                }
                current = cases.next();
            } else if line.starts_with("; 0x") || line.starts_with(";   ") {
                continue;
            }
            out.push(line.to_owned());
        }
        finish(current, &mut out);
        out.join("\n") + "\n"
    });
}
