//! Turns `.decode` tables into decoders, disassemblers and encoders.
//!
//! A guest's build script names its tables and the files to write; README.md of this crate is the
//! reference of the language.
//!
//! ```no_run
//! remu_decodegen::Builder::new()
//!     .file("rv_i.decode")
//!     .out("decode.rs")
//!     .lift_out("dispatch.rs")
//!     .run();
//! ```

mod cond;
mod emit;
mod emit_print;
mod model;
mod parse;
mod resolve;
mod template;
mod tree;

use std::path::{Path, PathBuf};

/// One complaint about a table, printed as `file:line: message`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The table's path as given to [`Builder::file`].
    pub file: String,
    /// Line in the table, from 1; 0 where the file as a whole is meant.
    pub line: u32,
    /// What is wrong.
    pub message: String,
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.message)
    }
}

impl std::error::Error for Error {}

/// What [`Builder::generate`] makes of a set of tables.
#[derive(Debug)]
pub struct Output {
    /// `Insn`, `args`, `decode`, `encode`, the disassembler and `PATTERNS`.
    pub decode: String,
    /// The dispatcher into the `lift` module.
    pub lift: String,
}

/// Collects tables and output names; see the crate documentation for an example.
#[derive(Debug, Default)]
pub struct Builder {
    files: Vec<String>,
    sources: Vec<(String, String)>,
    out: Option<String>,
    lift_out: Option<String>,
    lift_context: Option<String>,
    flow_type: Option<String>,
    pattern_type: Option<String>,
    wide: Option<String>,
}

impl Builder {
    /// A builder without tables.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a table by path, relative to the crate's manifest.
    #[must_use]
    pub fn file(mut self, path: impl Into<String>) -> Self {
        self.files.push(path.into());
        self
    }

    /// Adds a table by its text; `name` stands in messages and in `PATTERNS`.
    #[must_use]
    pub fn source(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.sources.push((name.into(), text.into()));
        self
    }

    /// Names the file for the decoder, below `OUT_DIR`.
    #[must_use]
    pub fn out(mut self, name: impl Into<String>) -> Self {
        self.out = Some(name.into());
        self
    }

    /// Names the file for the lift dispatcher, below `OUT_DIR`.
    #[must_use]
    pub fn lift_out(mut self, name: impl Into<String>) -> Self {
        self.lift_out = Some(name.into());
        self
    }

    /// Type of the first parameter of every lifter; `&crate::lift::Lift<'_>` if not called.
    #[must_use]
    pub fn lift_context(mut self, rust_type: impl Into<String>) -> Self {
        self.lift_context = Some(rust_type.into());
        self
    }

    /// Path of an existing control-flow enum to use instead of generating `FlowClass`.
    #[must_use]
    pub fn flow_type(mut self, path: impl Into<String>) -> Self {
        self.flow_type = Some(path.into());
        self
    }

    /// Path of a module that has `Pattern` and `Field` already, so that they are not generated.
    #[must_use]
    pub fn pattern_types(mut self, module: impl Into<String>) -> Self {
        self.pattern_type = Some(module.into());
        self
    }

    /// Rust condition over `word: u32` that is true for 32-bit instructions; wanted where tables
    /// mix 16-bit and 32-bit rows. Without it only `decode16` and `decode32` are generated.
    #[must_use]
    pub fn wide(mut self, condition: impl Into<String>) -> Self {
        self.wide = Some(condition.into());
        self
    }

    /// Generates the code without writing it.
    ///
    /// # Errors
    /// Every complaint that could be found, in order of files and lines.
    pub fn generate(&self) -> Result<Output, Vec<Error>> {
        let mut texts = Vec::new();
        let mut errors = Vec::new();
        for path in &self.files {
            match std::fs::read_to_string(path) {
                Ok(text) => texts.push((path.clone(), text)),
                Err(e) => {
                    errors.push(Error { file: path.clone(), line: 0, message: e.to_string() });
                }
            }
        }
        texts.extend(self.sources.iter().cloned());
        if !errors.is_empty() {
            return Err(errors);
        }
        let tables = parse::parse(&texts)?;
        let model = resolve::resolve(tables)?;
        Ok(Output { decode: emit::decoder(&model, self), lift: emit::lifter(&model, self) })
    }

    /// Runs inside a build script: generates, writes below `OUT_DIR`, and on errors prints them
    /// and ends the process with status 1.
    pub fn run(&self) {
        for file in &self.files {
            println!("cargo:rerun-if-changed={file}");
        }
        let dir = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default());
        let output = match self.generate() {
            Ok(output) => output,
            Err(errors) => {
                for error in &errors {
                    eprintln!("error: {error}");
                }
                eprintln!("{} errors in the decode tables", errors.len());
                std::process::exit(1);
            }
        };
        write(&dir, self.out.as_deref(), &output.decode);
        write(&dir, self.lift_out.as_deref(), &output.lift);
    }
}

fn write(dir: &Path, name: Option<&str>, text: &str) {
    let Some(name) = name else { return };
    let path = dir.join(name);
    if let Err(e) = std::fs::write(&path, text) {
        eprintln!("error: {}: {e}", path.display());
        std::process::exit(1);
    }
}
