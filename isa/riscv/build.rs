//! Generates the decoder from the tables.

fn main() {
    let tables = [
        "rv_i", "rv_m", "rv_a", "rv_f", "rv_d", "rv_zfh", "rv_zfa", "rv_zb", "rv_zk", "rv_zicbo",
        "rv_priv", "rv_v", "rv_zvk", "rv_c",
    ];
    let mut builder = remu_decodegen::Builder::new();
    for table in tables {
        builder = builder.file(format!("{table}.decode"));
    }
    builder
        .flow_type("remu_isa::Flow")
        .wide("word & 3 == 3")
        .out("decode.rs")
        .lift_out("dispatch.rs")
        .run();
}
