//! Golden output for `tests/ok`, expected complaints for `tests/err`.
//! `BLESS=1` writes the golden output anew.

use remu_decodegen::Builder;
use std::fs;
use std::path::{Path, PathBuf};

fn tables(folder: &str) -> Vec<PathBuf> {
    let mut list: Vec<PathBuf> = fs::read_dir(Path::new("tests").join(folder))
        .expect("the folder exists")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|e| e == "decode"))
        .collect();
    list.sort();
    assert!(!list.is_empty());
    list
}

fn compare(path: &Path, text: &str) {
    if std::env::var_os("BLESS").is_some() {
        fs::write(path, text).expect("writable");
    }
    let blessed = fs::read_to_string(path).unwrap_or_default();
    let line = blessed.lines().zip(text.lines()).position(|(a, b)| a != b);
    assert!(blessed == text, "{} differs, first in line {line:?}; BLESS=1", path.display());
}

#[test]
fn good_tables_give_the_blessed_code() {
    for path in tables("ok") {
        let source = fs::read_to_string(&path).expect("readable");
        let name = path.file_name().and_then(|n| n.to_str()).expect("a name");
        let output = Builder::new()
            .source(name, source)
            .wide("word > 0xffff")
            .generate()
            .unwrap_or_else(|errors| panic!("{name}: {errors:?}"));
        compare(&path.with_extension("rs"), &output.decode);
        let stem = path.with_extension("").to_string_lossy().into_owned();
        compare(Path::new(&format!("{stem}_lift.rs")), &output.lift);
    }
}

/// A bad table ends in `#! LINE: message` lines, exactly the complaints it must draw.
#[test]
fn bad_tables_draw_the_stated_errors() {
    for path in tables("err") {
        let source = fs::read_to_string(&path).expect("readable");
        let expected: Vec<&str> = source.lines().filter_map(|l| l.strip_prefix("#! ")).collect();
        assert!(!expected.is_empty(), "{} expects nothing", path.display());
        let got: Vec<String> = match Builder::new().source("t", source.clone()).generate() {
            Ok(_) => Vec::new(),
            Err(errors) => {
                errors.iter().map(|e| e.to_string().trim_start_matches("t:").to_owned()).collect()
            }
        };
        assert_eq!(got, expected, "{}", path.display());
    }
}
