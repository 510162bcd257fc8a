//! What happened, in machine-independent figures.

/// Counters of an engine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stats {
    /// Regions translated.
    pub regions: u64,
    /// Guest instructions translated.
    pub insns: u64,
    /// IR instructions made.
    pub ops: u64,
    /// Bytes of host code.
    pub bytes: u64,
    /// Nanoseconds spent translating.
    pub nanos: u64,
    /// Ops lowered by calling the interpreter's meaning.
    pub fallbacks: u64,
    /// Links resolved.
    pub links: u64,
    /// Times code memory was emptied because it was full.
    pub flushes: u64,
    /// Regions retired because guest code changed.
    pub invalidated: u64,
}

impl core::fmt::Display for Stats {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let per = |a: u64, b: u64| if b == 0 { 0.0 } else { a as f64 / b as f64 };
        writeln!(f, "regions translated      {:>12}", self.regions)?;
        writeln!(f, "guest instructions      {:>12}", self.insns)?;
        writeln!(f, "ir ops per instruction  {:>12.2}", per(self.ops, self.insns))?;
        writeln!(f, "host bytes per insn     {:>12.2}", per(self.bytes, self.insns))?;
        writeln!(f, "ns per instruction      {:>12.0}", per(self.nanos, self.insns))?;
        writeln!(f, "fallback ops            {:>12}", self.fallbacks)?;
        writeln!(f, "links resolved          {:>12}", self.links)?;
        writeln!(f, "regions invalidated     {:>12}", self.invalidated)?;
        write!(f, "code memory flushes     {:>12}", self.flushes)
    }
}
