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
    /// Times the guest said that code had changed.
    pub fences: u64,
    /// Regions copied from cache files.
    pub served: u64,
    /// Guest instructions in them.
    pub served_insns: u64,
    /// Bytes of host code in them.
    pub served_bytes: u64,
    /// Nanoseconds spent copying them.
    pub load_nanos: u64,
    /// Regions added to cache files.
    pub saved: u64,
    /// Bytes of cache files mapped.
    pub mapped: u64,
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
        writeln!(f, "regions from the cache  {:>12}", self.served)?;
        let all = self.served + self.regions;
        writeln!(f, "  share of all regions  {:>11.1}%", 100.0 * per(self.served, all))?;
        writeln!(f, "  guest instructions    {:>12}", self.served_insns)?;
        writeln!(f, "  host code bytes       {:>12}", self.served_bytes)?;
        writeln!(f, "  ns per region         {:>12.0}", per(self.load_nanos, self.served))?;
        writeln!(f, "regions added to it     {:>12}", self.saved)?;
        writeln!(f, "cache file bytes mapped {:>12}", self.mapped)?;
        writeln!(f, "regions invalidated     {:>12}", self.invalidated)?;
        writeln!(f, "code changes announced  {:>12}", self.fences)?;
        write!(f, "code memory flushes     {:>12}", self.flushes)
    }
}
