//! Runs guest code: translates regions on demand, keeps them, links them, and
//! hands every exit to the caller. Knows no system call and no device.

mod barrier;
mod cache;
mod calls;
mod changes;
mod code;
mod cpu;
mod debugger;
mod fault;
mod machine;
mod perf;
mod regions;
mod run;
mod serve;
mod show;
mod space;
mod stats;
mod table;
mod tlb;
mod translate;

pub use cache::{CacheOptions, Module};
pub use calls::{Calls, Registers};
pub use cpu::{Cpu, Remote};
pub use fault::Caught;
pub use machine::{Core, Mmu, Page, Refused, Served};
pub use remu_codegen::{Access, AccessKind, Host};
pub use stats::{Measured, Stats};
pub use translate::{CodeSource, Engine, Error, ForkGuard, Listing, Options};

pub use remu_ir::ExitKind;
