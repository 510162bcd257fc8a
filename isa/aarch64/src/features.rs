//! Architecture features, processor models, and what they tell user programs.

/// A feature: the index of its row.
pub type Feature = u8;

/// One feature.
struct Row {
    /// Name on the command line.
    name: &'static str,
    /// Bits of AT_HWCAP and AT_HWCAP2 that announce it.
    hwcap: u64,
    hwcap2: u64,
}

macro_rules! features {
    ($($(#[$m:meta])* $id:ident $name:literal $hwcap:expr, $hwcap2:expr;)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "row names")]
        #[repr(u8)]
        enum Number { $($id),* }
        $($(#[$m])* pub const $id: Feature = Number::$id as Feature;)*
        static ROWS: &[Row] = &[$(Row { name: $name, hwcap: $hwcap, hwcap2: $hwcap2 }),*];
    };
}

const fn bit(n: u32) -> u64 {
    1 << n
}

#[rustfmt::skip]
features! {
    /// FEAT_AES, FEAT_PMULL
    AES "aes" bit(3) | bit(4), 0;
    /// FEAT_SHA1
    SHA1 "sha1" bit(5), 0;
    /// FEAT_SHA256
    SHA256 "sha256" bit(6), 0;
    /// FEAT_CRC32
    CRC32 "crc32" bit(7), 0;
    /// FEAT_LSE
    LSE "lse" bit(8), 0;
    /// FEAT_FP16
    FP16 "fp16" bit(9) | bit(10), 0;
    /// FEAT_RDM
    RDM "rdm" bit(12), 0;
    /// FEAT_JSCVT
    JSCVT "jscvt" bit(13), 0;
    /// FEAT_FCMA
    FCMA "fcma" bit(14), 0;
    /// FEAT_LRCPC
    RCPC "rcpc" bit(15), 0;
    /// FEAT_DPB
    DPB "dpb" bit(16), 0;
    /// FEAT_SHA3
    SHA3 "sha3" bit(17), 0;
    /// FEAT_SM3
    SM3 "sm3" bit(18), 0;
    /// FEAT_SM4
    SM4 "sm4" bit(19), 0;
    /// FEAT_DotProd
    DOTPROD "dotprod" bit(20), 0;
    /// FEAT_SHA512
    SHA512 "sha512" bit(21), 0;
    /// FEAT_FHM
    FHM "fhm" bit(23), 0;
    /// FEAT_DIT
    DIT "dit" bit(24), 0;
    /// FEAT_LSE2
    LSE2 "lse2" bit(25), 0;
    /// FEAT_LRCPC2
    RCPC2 "rcpc2" bit(26), 0;
    /// FEAT_FlagM
    FLAGM "flagm" bit(27), 0;
    /// FEAT_SSBS
    SSBS "ssbs" bit(28), 0;
    /// FEAT_SB
    SB "sb" bit(29), 0;
    /// FEAT_PAuth2
    PAUTH "pauth" 0, 0;
    /// The operating system of a program has enabled the keys of FEAT_PAuth2 and says so. Without, as under a Linux that was
    /// configured without CONFIG_ARM64_PTR_AUTH, its instructions leave pointers as they are.
    PAC_KEYS "pac-keys" bit(30) | bit(31), 0;
    /// FEAT_DPB2
    DPB2 "dpb2" 0, bit(0);
    /// FEAT_FlagM2
    FLAGM2 "flagm2" 0, bit(7);
    /// FEAT_FRINTTS
    FRINTTS "frintts" 0, bit(8);
    /// FEAT_I8MM
    I8MM "i8mm" 0, bit(13);
    /// FEAT_BF16
    BF16 "bf16" 0, bit(14);
    /// FEAT_BTI; pages are never guarded, so that branches to any instruction succeed.
    BTI "bti" 0, bit(17);
    /// FEAT_CSSC
    CSSC "cssc" 0, bit(34);
    /// FEAT_RPRFM
    RPRFM "rprfm" 0, bit(35);
    /// FEAT_MOPS
    MOPS "mops" 0, bit(43);
    /// FEAT_HBC
    HBC "hbc" 0, bit(44);
    /// FEAT_LRCPC3
    RCPC3 "rcpc3" 0, bit(46);
    /// FEAT_LSE128
    LSE128 "lse128" 0, bit(47);
    /// FEAT_LOR
    LOR "lor" 0, 0;
    /// FEAT_PAN2
    PAN "pan" 0, 0;
    /// FEAT_HPDS
    HPDS "hpds" 0, 0;
    /// FEAT_HAFDBS
    HAFDBS "hafdbs" 0, 0;
    /// FEAT_TTCNP
    CNP "cnp" 0, 0;
    /// FEAT_TLBIRANGE
    TLBIRANGE "tlbirange" 0, 0;
    /// FEAT_E0PD
    E0PD "e0pd" 0, 0;
}

/// The features a processor has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Features {
    set: u64,
    /// MIDR_EL1.
    pub midr: u64,
}

/// A processor: name, description, MIDR_EL1, features.
struct Cpu(&'static str, &'static str, u64, &'static [Feature]);

const V8_CRYPTO: &[Feature] = &[AES, SHA1, SHA256, CRC32];
const N1: &[Feature] =
    &[AES, SHA1, SHA256, CRC32, LSE, FP16, RDM, RCPC, DPB, DOTPROD, SSBS, LOR, PAN, HPDS, HAFDBS];
const N2: &[Feature] = &[
    AES, SHA1, SHA256, CRC32, LSE, FP16, RDM, JSCVT, FCMA, RCPC, DPB, SHA3, SM3, SM4, DOTPROD,
    SHA512, FHM, DIT, LSE2, RCPC2, FLAGM, SSBS, SB, PAUTH, PAC_KEYS, DPB2, FLAGM2, FRINTTS, I8MM,
    BF16, BTI, LOR, PAN, HPDS, HAFDBS, CNP, TLBIRANGE, E0PD,
];

#[rustfmt::skip]
static CPUS: &[Cpu] = &[
    Cpu("max", "every feature that is implemented", 0x000f_0510, &[]),
    Cpu("cortex-a53", "Armv8.0-A", 0x410f_d034, V8_CRYPTO),
    Cpu("cortex-a72", "Armv8.0-A", 0x410f_d083, V8_CRYPTO),
    Cpu("cortex-a76", "Armv8.2-A", 0x414f_d0b1, N1),
    Cpu("neoverse-n1", "Armv8.2-A", 0x414f_d0c1, N1),
    Cpu("neoverse-n2", "Armv9.0-A without SVE", 0x410f_d493, N2),
];

/// Models of `-cpu`.
pub static MODELS: [remu_isa::Model; 6] = {
    let mut models = [remu_isa::Model { name: "", about: "" }; 6];
    let mut i = 0;
    while i < models.len() {
        models[i] = remu_isa::Model { name: CPUS[i].0, about: CPUS[i].1 };
        i += 1;
    }
    models
};

impl Features {
    /// Every feature.
    pub const MAX: Features = Features { set: (1 << ROWS.len()) - 1, midr: 0x000f_0510 };

    /// Features of `MODEL[,feature=on|off]*`.
    ///
    /// # Errors
    /// A text that names the model or feature that does not exist.
    pub fn parse(model: &str) -> Result<Features, String> {
        let mut parts = model.split(',');
        let name = parts.next().unwrap_or("max");
        let cpu = CPUS.iter().find(|c| c.0 == name);
        let cpu = cpu.ok_or_else(|| format!("unknown processor model '{name}'"))?;
        let mut f = Features { midr: cpu.2, ..Features::MAX };
        f.set = match cpu.0 {
            // Signing costs every function of programs built for it seven instructions at its start and at its end.
            "max" => f.set & !(1 << PAC_KEYS),
            _ => cpu.3.iter().fold(0, |s, &n| s | 1 << n),
        };
        for part in parts {
            let (feature, value) = part.split_once('=').unwrap_or((part, "on"));
            let n = ROWS.iter().position(|r| r.name == feature);
            let n = n.ok_or_else(|| format!("unknown processor feature '{feature}'"))?;
            // Who asks for it wants it to sign.
            let bits = 1 << n | if n == usize::from(PAUTH) { 1 << PAC_KEYS } else { 0 };
            match value {
                "on" => f.set |= bits,
                "off" => f.set &= !bits,
                _ => return Err(format!("'{part}': a feature is on or off")),
            }
        }
        Ok(f)
    }

    /// The same for a machine, whose operating system decides about keys.
    pub(crate) fn of_machine(self) -> Features {
        Features { set: self.set | 1 << PAC_KEYS, ..self }
    }

    /// Whether the processor has a feature.
    #[inline]
    pub fn has(&self, feature: Feature) -> bool {
        self.set >> feature & 1 != 0
    }

    /// Names of the features the processor has.
    pub fn names(&self) -> Vec<&'static str> {
        let has = |n: usize| self.set >> n & 1 != 0;
        ROWS.iter().enumerate().filter(|(n, _)| has(*n)).map(|(_, r)| r.name).collect()
    }

    /// AT_HWCAP and AT_HWCAP2, arch/arm64/include/uapi/asm/hwcap.h: fp, asimd
    /// and cpuid always, the rest by feature.
    pub fn hwcap(&self) -> [u64; 2] {
        let mut words = [bit(0) | bit(1) | bit(11), 0];
        for (n, row) in ROWS.iter().enumerate() {
            if self.set >> n & 1 != 0 {
                words[0] |= row.hwcap;
                words[1] |= row.hwcap2;
            }
        }
        words
    }
}
