//! Extensions of the instruction set, and the processor models that have them.

/// Number of an extension in a [`Features`] set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feature(u8);

/// A set of extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Features(u64);

impl Features {
    /// Whether the extension is in the set.
    #[inline]
    pub const fn has(&self, feature: Feature) -> bool {
        self.0 >> feature.0 & 1 != 0
    }
    /// The set with the extension.
    #[must_use]
    pub const fn with(self, feature: Feature) -> Features {
        Features(self.0 | 1 << feature.0)
    }
    /// The set without the extension.
    #[must_use]
    pub const fn without(self, feature: Feature) -> Features {
        Features(self.0 & !(1 << feature.0))
    }
    /// The set without vectors.
    #[must_use]
    pub fn without_vectors(self) -> Features {
        VECTOR.iter().fold(self.without(V), |all, f| all.without(*f))
    }
    /// Both sets.
    #[must_use]
    pub const fn union(self, other: Features) -> Features {
        Features(self.0 | other.0)
    }
}

macro_rules! features {
    ($($(#[$m:meta])* $name:ident = $text:literal;)*) => {
        #[derive(Clone, Copy)]
        #[expect(clippy::upper_case_acronyms, reason = "named as the manual names them")]
        #[repr(u8)]
        enum Number { $($name),* }
        $($(#[$m])* pub const $name: Feature = Feature(Number::$name as u8);)*
        /// Every extension, with its name in lower case.
        pub const ALL: &[(&str, Feature)] = &[$(($text, $name)),*];
    };
}

features! {
    /// Multiplication and division.
    M = "m";
    /// Atomics.
    A = "a";
    /// Single precision.
    F = "f";
    /// Double precision.
    D = "d";
    /// Compressed instructions.
    C = "c";
    /// Address generation.
    ZBA = "zba";
    /// Basic bit manipulation.
    ZBB = "zbb";
    /// Carry-less multiplication.
    ZBC = "zbc";
    /// Single bits.
    ZBS = "zbs";
    /// Conditional zero.
    ZICOND = "zicond";
    /// Additional floating point.
    ZFA = "zfa";
    /// Half precision.
    ZFH = "zfh";
    /// Half precision, storage and conversion only.
    ZFHMIN = "zfhmin";
    /// Further compressed instructions.
    ZCB = "zcb";
    /// Cache block management.
    ZICBOM = "zicbom";
    /// Cache block zeroing.
    ZICBOZ = "zicboz";
    /// Cache block prefetch.
    ZICBOP = "zicbop";
    /// Pause hint.
    ZIHINTPAUSE = "zihintpause";
    /// Non-temporal hints.
    ZIHINTNTL = "zihintntl";
    /// Wait on reservation set.
    ZAWRS = "zawrs";
    /// Compare and swap.
    ZACAS = "zacas";
    /// Byte and halfword atomics.
    ZABHA = "zabha";
    /// Bit manipulation for cryptography.
    ZBKB = "zbkb";
    /// Carry-less multiplication for cryptography.
    ZBKC = "zbkc";
    /// Crossbar permutations.
    ZBKX = "zbkx";
    /// AES decryption.
    ZKND = "zknd";
    /// AES encryption.
    ZKNE = "zkne";
    /// SHA-2.
    ZKNH = "zknh";
    /// SM4.
    ZKSED = "zksed";
    /// SM3.
    ZKSH = "zksh";
    /// Data-independent timing of scalar instructions: a name that profiles have, see the README.
    ZKT = "zkt";
    /// The same of vector instructions: likewise.
    ZVKT = "zvkt";
    /// Vectors of 128 bits with elements of up to 64.
    V = "v";
    /// Vector half precision, conversion only.
    ZVFHMIN = "zvfhmin";
    /// Vector half precision.
    ZVFH = "zvfh";
    /// Vector bit manipulation.
    ZVBB = "zvbb";
    /// Vector bit manipulation for cryptography.
    ZVKB = "zvkb";
    /// Vector carry-less multiplication.
    ZVBC = "zvbc";
    /// Vector GCM and GMAC.
    ZVKG = "zvkg";
    /// Vector AES.
    ZVKNED = "zvkned";
    /// Vector SHA-256.
    ZVKNHA = "zvknha";
    /// Vector SHA-256 and SHA-512.
    ZVKNHB = "zvknhb";
    /// Vector SM4.
    ZVKSED = "zvksed";
    /// Vector SM3.
    ZVKSH = "zvksh";
    /// Supervisor mode, and machine mode.
    S = "s";
    /// Timer of supervisor mode.
    SSTC = "sstc";
    /// Accessed and dirty bits are set by hardware.
    SVADU = "svadu";
    /// Invalidation of address translations in steps.
    SVINVAL = "svinval";
    /// Ranges of pages that are one translation.
    SVNAPOT = "svnapot";
    /// Memory types in page tables.
    SVPBMT = "svpbmt";
}

const fn set(list: &[Feature]) -> Features {
    let mut all = Features(0);
    let mut i = 0;
    while i < list.len() {
        all = all.with(list[i]);
        i += 1;
    }
    all
}

/// RV64GC with Zicsr and Zifencei.
pub const RV64GC: Features = set(&[M, A, F, D, C]);
/// The user-mode profile of 2022, mandatory part.
pub const RVA22U64: Features =
    RV64GC.union(set(&[ZBA, ZBB, ZBS, ZFHMIN, ZICBOM, ZICBOP, ZICBOZ, ZIHINTPAUSE, ZKT]));
/// The user-mode profile of 2023, mandatory part.
pub const RVA23U64: Features =
    RVA22U64.union(set(&[ZICOND, ZFA, ZCB, ZAWRS, ZIHINTNTL, V, ZVFHMIN, ZVBB, ZVKB, ZVKT]));
/// Cryptography by scalar and vector instructions.
const CRYPTO: Features = set(&[
    ZBKB, ZBKC, ZBKX, ZKND, ZKNE, ZKNH, ZKSED, ZKSH, ZVBC, ZVKG, ZVKNED, ZVKNHA, ZVKNHB, ZVKSED,
    ZVKSH,
]);
/// Everything that is implemented.
pub const MAX: Features = RVA23U64.union(set(&[ZBC, ZFH, ZACAS, ZABHA, ZVFH])).union(CRYPTO);

/// What every model has besides in a machine.
pub const MACHINE: Features = set(&[S, SSTC, SVADU, SVINVAL, SVNAPOT, SVPBMT]);

/// A processor model by the name that `-cpu` takes.
#[derive(Clone, Copy, Debug)]
pub struct Cpu {
    /// Name.
    pub name: &'static str,
    /// One line of description.
    pub about: &'static str,
    /// Its extensions.
    pub features: Features,
}

/// The models, the default first.
pub const CPUS: &[Cpu] = &[
    Cpu { name: "max", about: "every implemented extension", features: MAX },
    Cpu {
        name: "rv64",
        about: "RV64GC with the extensions QEMU's generic processor has",
        features: RVA22U64.union(set(&[ZBC, ZFA, ZAWRS])).without(ZKT),
    },
    Cpu { name: "rva22u64", about: "profile RVA22U64", features: RVA22U64 },
    Cpu { name: "rva23u64", about: "profile RVA23U64", features: RVA23U64 },
];

/// Names for several extensions.
const GROUPS: &[(&str, &[Feature])] = &[
    ("zkn", &[ZBKB, ZBKC, ZBKX, ZKND, ZKNE, ZKNH]),
    ("zks", &[ZBKB, ZBKC, ZBKX, ZKSED, ZKSH]),
    ("zk", &[ZBKB, ZBKC, ZBKX, ZKND, ZKNE, ZKNH, ZKT]),
    ("zvkn", &[ZVKNED, ZVKNHB, ZVKB, ZVKT]),
    ("zvknc", &[ZVKNED, ZVKNHB, ZVKB, ZVKT, ZVBC]),
    ("zvkng", &[ZVKNED, ZVKNHB, ZVKB, ZVKT, ZVKG]),
    ("zvks", &[ZVKSED, ZVKSH, ZVKB, ZVKT]),
    ("zvksc", &[ZVKSED, ZVKSH, ZVKB, ZVKT, ZVBC]),
    ("zvksg", &[ZVKSED, ZVKSH, ZVKB, ZVKT, ZVKG]),
];

/// Extensions that need V.
const VECTOR: &[Feature] =
    &[ZVFHMIN, ZVFH, ZVBB, ZVKB, ZVBC, ZVKG, ZVKNED, ZVKNHA, ZVKNHB, ZVKSED, ZVKSH, ZVKT];

/// Features of `NAME[,extension=on|off]*` (`true` and `false` too). Without `v`
/// there are no other vector extensions; `vlen` and `elen` take what there is.
///
/// # Errors
/// A sentence naming the model or extension that does not exist.
pub fn parse(model: &str) -> Result<Features, String> {
    parse_with(model, Features::default())
}

/// The same for a model that has `more` besides.
///
/// # Errors
/// As [`parse`].
pub fn parse_with(model: &str, more: Features) -> Result<Features, String> {
    let mut parts = model.split(',');
    let name = parts.next().unwrap_or_default();
    let mut features = CPUS
        .iter()
        .find(|c| c.name == name)
        .map(|c| c.features.union(more))
        .ok_or_else(|| format!("no processor model '{name}'"))?;
    for part in parts {
        let (extension, on) = part.split_once('=').unwrap_or((part, "on"));
        match (extension, on) {
            ("vlen", "128") | ("elen", "64") => continue,
            ("vlen", _) => return Err(format!("'{part}': vector registers have 128 bits")),
            ("elen", _) => return Err(format!("'{part}': vector elements have up to 64 bits")),
            _ => {}
        }
        let one = ALL.iter().find(|(n, _)| *n == extension).map(|(_, f)| core::slice::from_ref(f));
        let several = GROUPS.iter().find(|(n, _)| *n == extension).map(|(_, list)| *list);
        let list = one.or(several).ok_or_else(|| format!("no extension '{extension}'"))?;
        for &feature in list {
            features = match on {
                "on" | "true" => features.with(feature),
                "off" | "false" => features.without(feature),
                _ => return Err(format!("'{part}' is neither on nor off")),
            };
        }
    }
    Ok(if features.has(V) { features } else { features.without_vectors() })
}
