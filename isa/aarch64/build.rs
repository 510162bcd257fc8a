//! Turns the instruction tables into decoder, disassembler and dispatcher.

fn main() {
    let mut builder = remu_decodegen::Builder::new();
    for table in [
        "dp_imm",
        "dp_reg",
        "branch_sys",
        "ldst",
        "atomics",
        "mops",
        "fp_scalar",
        "ldst_simd",
        "simd_int",
        "simd_fp",
        "simd_long",
        "simd_shift",
        "simd_elem",
        "crypto",
    ] {
        builder = builder.file(format!("{table}.decode"));
    }
    builder.flow_type("remu_isa::Flow").out("decode.rs").lift_out("dispatch.rs").run();
}
