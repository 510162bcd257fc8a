//! The interpreter against an independent emulator: the instructions that ops
//! were made for, run by Debian's qemu-user on random operands. One row is the
//! guest's instruction and the op that should do the same.

use std::io::Write;
use std::process::{Command, Stdio};
use std::{env, fs};

use remu_ir::interp::{Packed, eval};
use remu_ir::testing::Random;
use remu_ir::{Attr, AttrKind, Cond, CrcAttr, FCond, Fp, FpInt, Inst, Lane, NanRule, Op, Rm, Type};

/// An instruction with operands in registers 0 to 2 of the floating-point file
/// (low 64 bits), the first also in an integer register; result in register 3
/// or in an integer register.
struct Row {
    asm: String,
    inst: Inst,
    /// Type of operand 0, and of the numbers to use.
    ty: Type,
    /// The result is in the integer register.
    to_int: bool,
    /// Second operand where it is a constant.
    constant: Option<u64>,
}

struct Guest {
    gcc: &'static str,
    flags: &'static [&'static str],
    qemu: &'static [&'static str],
    /// Assembly around an instruction: `%[c]` control, `%[x]` to `%[z]`
    /// operands, `%[s]` status.
    before: &'static str,
    after: &'static str,
    from_float: &'static str,
    from_int: &'static str,
    clobbers: &'static str,
    rows: Vec<Row>,
    /// Control register values, each with the mode and NaN rule it means.
    controls: Vec<(u64, u32, NanRule)>,
    status: fn(u64) -> u32,
    /// Single and half operands and results have all upper bits one.
    boxed: bool,
}

fn inst(op: Op, ty: Type) -> Inst {
    Inst { op, ty, aux: 0, args: [0; 4], imm: 0 }
}
fn with(op: Op, ty: Type, attr: impl Attr) -> Inst {
    let mut i = inst(op, ty);
    attr.put(&mut i);
    i
}
fn row(asm: impl Into<String>, ty: Type, inst: Inst) -> Row {
    Row { asm: asm.into(), inst, ty, to_int: false, constant: None }
}
const DYN: Fp = Fp::dynamic(NanRule::Arm);

fn arm() -> Guest {
    let mut rows = Vec::new();
    for (p, t) in [("d", Type::F64), ("s", Type::F32), ("h", Type::F16)] {
        for (name, op) in [
            ("fadd", Op::fadd),
            ("fsub", Op::fsub),
            ("fmul", Op::fmul),
            ("fdiv", Op::fdiv),
            ("fmin", Op::fmin),
            ("fmax", Op::fmax),
            ("fminnm", Op::fminnm),
            ("fmaxnm", Op::fmaxnm),
        ] {
            rows.push(row(format!("{name} {p}3, {p}0, {p}1"), t, with(op, t, DYN)));
        }
        rows.push(row(format!("fmadd {p}3, {p}0, {p}1, {p}2"), t, with(Op::fma, t, DYN)));
        rows.push(row(format!("fsqrt {p}3, {p}0"), t, with(Op::fsqrt, t, DYN)));
        for (suffix, rm) in [
            ("n", Rm::Ne),
            ("a", Rm::Na),
            ("p", Rm::Up),
            ("m", Rm::Dn),
            ("z", Rm::Tz),
            ("i", Rm::Dyn),
        ] {
            let round = with(Op::fround, t, DYN.rounding(rm));
            rows.push(row(format!("frint{suffix} {p}3, {p}0"), t, round));
            if suffix == "i" {
                continue;
            }
            for (sign, signed) in [("s", true), ("u", false)] {
                for (r, to) in [("x", Type::I64), ("w", Type::I32)] {
                    let p_int = FpInt { fp: DYN.rounding(rm), signed, nan_max: false };
                    let i = with(Op::fcvt_int, to, p_int);
                    let asm = format!("fcvt{suffix}{sign} {r}10, {p}0");
                    rows.push(Row { to_int: true, ..row(asm, t, i) });
                }
            }
        }
        rows.push(row(format!("frintx {p}3, {p}0"), t, with(Op::froundx, t, DYN)));
        for (r, from) in [("x", Type::I64), ("w", Type::I32)] {
            for (name, op, fixed) in
                [("scvtf", Op::fcvt_s, Op::fscalb_s), ("ucvtf", Op::fcvt_u, Op::fscalb_u)]
            {
                let asm = format!("{name} {p}3, {r}9");
                rows.push(Row { ..row(asm, from, with(op, t, DYN)) });
                let asm = format!("{name} {p}3, {r}9, #13");
                let i = with(fixed, t, DYN);
                rows.push(Row { constant: Some(13), ..row(asm, from, i) });
            }
            for (name, signed) in [("fcvtzs", true), ("fcvtzu", false)] {
                let fp = DYN.rounding(Rm::Tz);
                let i = with(Op::fcvt_fix, from, FpInt { fp, signed, nan_max: false });
                let asm = format!("{name} {r}10, {p}0, #13");
                rows.push(Row { to_int: true, constant: Some(13), ..row(asm, t, i) });
            }
        }
        for (q, to) in [("d", Type::F64), ("s", Type::F32), ("h", Type::F16)] {
            if to != t {
                rows.push(row(format!("fcvt {q}3, {p}0"), t, with(Op::fcvt, to, DYN)));
            }
        }
        for (name, c) in [("fcmp", FCond::Eq), ("fcmpe", FCond::EqS)] {
            let asm = format!("{name} {p}0, {p}1\\n mrs x10, nzcv");
            rows.push(Row { to_int: true, ..row(asm, t, with(Op::fl_fcmp, Type::Flags, c)) });
        }
    }
    rows.push(row("fcvtxn s3, d0", Type::F64, with(Op::fcvt, Type::F32, DYN.rounding(Rm::Odd))));
    vector_rows(&mut rows);
    let mut controls = Vec::new();
    for (bits, rm) in [(0, Rm::Ne), (1, Rm::Up), (2, Rm::Dn), (3, Rm::Tz)] {
        for (dn, nan) in [(0, NanRule::Arm), (1 << 25, NanRule::ArmDefault)] {
            for (flush, mode) in [(0, 0), (1 << 24, 8 | 16), (1 << 19, 32)] {
                controls.push((bits << 22 | dn | flush, rm as u32 | mode, nan));
            }
        }
    }
    Guest {
        gcc: "aarch64-linux-gnu-gcc",
        flags: &["-march=armv8.2-a+fp16+crc+crypto"],
        qemu: &["qemu-aarch64-static", "-cpu", "max"],
        before: "msr fpcr, %[c]\\n msr fpsr, xzr\\n fmov d0, %[x]\\n fmov d1, %[y]\\n fmov d2, %[z]\\n mov x9, %[x]",
        after: "mrs %[s], fpsr\\n msr fpcr, xzr",
        from_float: "fmov %[r], d3",
        from_int: "mov %[r], x10",
        clobbers: "\"v0\", \"v1\", \"v2\", \"v3\", \"x9\", \"x10\", \"cc\"",
        rows,
        controls,
        // IOC, DZC, OFC, UFC, IXC, IDC.
        status: |s| gather(s, &[(0, 0), (1, 2), (2, 3), (3, 4), (4, 5), (7, 1)]),
        boxed: false,
    }
}

/// Lane ops on the low 64 bits, and scalar ones beside them.
fn vector_rows(rows: &mut Vec<Row>) {
    let v = Type::V128;
    for (shape, l) in [("8b", Lane::B), ("4h", Lane::H), ("2s", Lane::S)] {
        for (name, op) in [
            ("add", Op::vadd),
            ("sub", Op::vsub),
            ("mul", Op::vmul),
            ("smin", Op::vsmin),
            ("smax", Op::vsmax),
            ("umin", Op::vumin),
            ("umax", Op::vumax),
            ("ushl", Op::vushl),
            ("sshl", Op::vsshl),
            ("urshl", Op::vurshl),
            ("srshl", Op::vsrshl),
            ("uhadd", Op::vuhadd),
            ("shadd", Op::vshadd),
            ("urhadd", Op::vurhadd),
            ("srhadd", Op::vsrhadd),
            ("uhsub", Op::vuhsub),
            ("shsub", Op::vshsub),
            ("uabd", Op::vuabd),
            ("sabd", Op::vsabd),
            ("trn1", Op::vtrn1),
            ("trn2", Op::vtrn2),
            ("zip1", Op::vzip1),
        ] {
            let asm = format!("{name} v3.{shape}, v0.{shape}, v1.{shape}");
            rows.push(row(asm, v, with(op, v, l)));
        }
        for (name, op) in
            [("neg", Op::vneg), ("abs", Op::vabs), ("clz", Op::vclz), ("cls", Op::vcls)]
        {
            rows.push(row(format!("{name} v3.{shape}, v0.{shape}"), v, with(op, v, l)));
        }
        for (name, op) in [("uaddlp", Op::vuaddlp), ("saddlp", Op::vsaddlp)] {
            let wide = ["4h", "2s", "1d"][l as usize];
            rows.push(row(format!("{name} v3.{wide}, v0.{shape}"), v, with(op, v, l)));
        }
        for (name, c) in [("cmgt", Cond::Gt), ("cmhi", Cond::Gtu), ("cmtst", Cond::TstNe)] {
            let i = Inst { imm: c as i32, ..with(Op::vcmp, v, l) };
            rows.push(row(format!("{name} v3.{shape}, v0.{shape}, v1.{shape}"), v, i));
        }
        for (name, op, n) in [
            ("shl", Op::vshl, 3),
            ("ushr", Op::vshr, l.bits() as i32),
            ("sshr", Op::vsar, 5),
            ("urshr", Op::vrshr, l.bits() as i32),
            ("srshr", Op::vrsar, 3),
        ] {
            let i = Inst { imm: n, ..with(op, v, l) };
            rows.push(row(format!("{name} v3.{shape}, v0.{shape}, #{n}"), v, i));
        }
        for (name, op) in [("umull", Op::vumull), ("smull", Op::vsmull)] {
            let wide = ["8h", "4s", "2d"][l as usize];
            let asm = format!("{name} v3.{wide}, v0.{shape}, v1.{shape}");
            rows.push(row(asm, v, with(op, v, l)));
        }
    }
    rows.push(row("pmul v3.8b, v0.8b, v1.8b", v, inst(Op::vpmul, v)));
    rows.push(row("pmull v3.8h, v0.8b, v1.8b", v, with(Op::vpmull, v, Lane::B)));
    rows.push(row("pmull v3.1q, v0.1d, v1.1d", v, with(Op::vpmull, v, Lane::D)));
    rows.push(row("cnt v3.8b, v0.8b", v, with(Op::vctpop, v, Lane::B)));
    rows.push(row("rbit v3.8b, v0.8b", v, inst(Op::vbitrev, v)));
    rows.push(row("tbl v3.8b, {v0.16b}, v1.8b", v, inst(Op::vtbl, v)));
    rows.push(row("rev64 v3.8b, v0.8b", v, Inst { imm: 3, ..with(Op::vrev, v, Lane::B) }));
    for (name, c) in [("fcmeq", FCond::Eq), ("fcmgt", FCond::Lt), ("fcmge", FCond::Le)] {
        // Greater is less, exchanged.
        let ops = if c == FCond::Eq { ["v0", "v1"] } else { ["v1", "v0"] };
        let asm = format!("{name} v3.2s, {}.2s, {}.2s", ops[0], ops[1]);
        rows.push(row(asm, v, Inst { imm: c as i32, ..with(Op::vfcmp, v, Lane::S) }));
    }
    for (op, name) in [(Op::aesenclast, "aese"), (Op::aesdeclast, "aesd")] {
        // The key goes in first there, and comes last here: with none it is the same.
        let asm = format!("movi v1.16b, #0\\n mov v3.16b, v0.16b\\n {name} v3.16b, v1.16b");
        rows.push(Row { constant: Some(0), ..row(asm, v, inst(op, v)) });
    }
    for (op, name) in [(Op::aesmc, "aesmc"), (Op::aesimc, "aesimc")] {
        rows.push(row(format!("{name} v3.16b, v0.16b"), v, inst(op, v)));
    }
    for (name, castagnoli) in [("crc32x", false), ("crc32cx", true)] {
        let i = with(Op::crc32, Type::I32, CrcAttr { castagnoli, size: 3 });
        let asm = format!("fmov x10, d1\\n {name} w10, w9, x10");
        rows.push(Row { to_int: true, ..row(asm, Type::I32, i) });
    }
}

fn riscv() -> Guest {
    const ANY: Fp = Fp::dynamic(NanRule::Default);
    let mut rows = Vec::new();
    for (p, t) in [("d", Type::F64), ("s", Type::F32)] {
        for (name, op) in [
            ("fadd", Op::fadd),
            ("fsub", Op::fsub),
            ("fmul", Op::fmul),
            ("fdiv", Op::fdiv),
            ("fmin", Op::fminnm),
            ("fmax", Op::fmaxnm),
        ] {
            rows.push(row(format!("{name}.{p} ft3, ft0, ft1"), t, with(op, t, ANY)));
        }
        rows.push(row(format!("fmadd.{p} ft3, ft0, ft1, ft2"), t, with(Op::fma, t, ANY)));
        rows.push(row(format!("fsqrt.{p} ft3, ft0"), t, with(Op::fsqrt, t, ANY)));
        for (name, c) in [("feq", FCond::Eq), ("flt", FCond::Lt), ("fle", FCond::Le)] {
            let asm = format!("{name}.{p} t1, ft0, ft1");
            rows.push(Row { to_int: true, ..row(asm, t, with(Op::fcmp, Type::Bool, c)) });
        }
        for (suffix, int, signed) in [
            ("w", Type::I32, true),
            ("wu", Type::I32, false),
            ("l", Type::I64, true),
            ("lu", Type::I64, false),
        ] {
            for (mode, rm) in [("rtz", Rm::Tz), ("rmm", Rm::Na), ("dyn", Rm::Dyn)] {
                let fp = FpInt { fp: ANY.rounding(rm), signed, nan_max: true };
                let asm = format!("fcvt.{suffix}.{p} t1, ft0, {mode}");
                rows.push(Row { to_int: true, ..row(asm, t, with(Op::fcvt_int, int, fp)) });
            }
            let op = if signed { Op::fcvt_s } else { Op::fcvt_u };
            let asm = format!("fcvt.{p}.{suffix} ft3, t0");
            rows.push(Row { ..row(asm, int, with(op, t, ANY)) });
        }
    }
    rows.push(row("fcvt.s.d ft3, ft0", Type::F64, with(Op::fcvt, Type::F32, ANY)));
    rows.push(row("fcvt.d.s ft3, ft0", Type::F32, with(Op::fcvt, Type::F64, ANY)));
    let modes = [(0, Rm::Ne), (1, Rm::Tz), (2, Rm::Dn), (3, Rm::Up), (4, Rm::Na)];
    Guest {
        gcc: "riscv64-linux-gnu-gcc",
        flags: &["-march=rv64gc"],
        qemu: &["qemu-riscv64-static"],
        before: "fscsr %[c]\\n fmv.d.x ft0, %[x]\\n fmv.d.x ft1, %[y]\\n fmv.d.x ft2, %[z]\\n mv t0, %[x]",
        after: "frflags %[s]\\n fscsr zero",
        from_float: "fmv.x.d %[r], ft3",
        from_int: "mv %[r], t1",
        clobbers: "\"ft0\", \"ft1\", \"ft2\", \"ft3\", \"t0\", \"t1\"",
        rows,
        controls: modes.map(|(frm, rm)| (frm << 5, rm as u32, NanRule::Default)).to_vec(),
        // NX, UF, OF, DZ, NV.
        status: |s| gather(s, &[(0, 5), (1, 4), (2, 3), (3, 2), (4, 0)]),
        boxed: true,
    }
}

/// Bits of `s` moved from one place to another.
fn gather(s: u64, moves: &[(u32, u32)]) -> u32 {
    moves.iter().fold(0, |f, (from, to)| f | ((s >> from & 1) as u32) << to)
}

/// The C program that runs every row on what it reads.
fn program(g: &Guest) -> String {
    let mut cases = String::new();
    for (n, r) in g.rows.iter().enumerate() {
        let result = if r.to_int { g.from_int } else { g.from_float };
        cases += &format!(
            "case {n}: asm volatile(\"{}\\n {}\\n {result}\\n {}\" \
             : [r] \"=&r\"(o.r), [s] \"=&r\"(o.s) \
             : [c] \"r\"(i.c), [x] \"r\"(i.x), [y] \"r\"(i.y), [z] \"r\"(i.z) : {}); break;\n",
            g.before, r.asm, g.after, g.clobbers
        );
    }
    format!(
        "#include <stdint.h>\n#include <stdio.h>\n\
         int main(void) {{\n\
         struct {{ uint64_t n, c, x, y, z; }} i; struct {{ uint64_t r, s; }} o = {{0, 0}};\n\
         while (fread(&i, sizeof i, 1, stdin) == 1) {{ switch (i.n) {{\n{cases}}}\n\
         fwrite(&o, sizeof o, 1, stdout); }} return 0; }}\n"
    )
}

/// A number of a type near where things happen.
fn number(rng: &mut Random, t: Type) -> u64 {
    let (exp_bits, frac_bits) = match t {
        Type::F16 => (5, 10),
        Type::F32 => (8, 23),
        Type::F64 => (11, 52),
        Type::I32 => return rng.number() & 0xffff_ffff,
        _ => return rng.number(),
    };
    let (max, mask) = ((1u64 << exp_bits) - 1, (1u64 << frac_bits) - 1);
    let r = rng.bits();
    let exponent = match rng.below(8) {
        0 => 0,
        1 => 1 + (r >> 60 & 3),
        2 => max,
        3 => max - 1 - (r >> 61 & 1),
        4 => max / 4 + (r >> 60 & 7),
        5 => (max / 2 + (r >> 58 & 63)).saturating_sub(32).min(max),
        _ => max / 2 + (r >> 61 & 3) - 1,
    };
    let frac = match rng.below(4) {
        0 => r & 3,
        1 => mask - (r & 3),
        2 => (r & 3) << (frac_bits - 2),
        _ => r & mask,
    };
    (rng.bits() & 1) << (exp_bits + frac_bits) | exponent << frac_bits | frac
}

/// Whether a tool is there; without it there is nothing to compare with.
fn present(tool: &str) -> bool {
    let found = Command::new(tool).arg("--version").stdout(Stdio::null()).status().is_ok();
    if !found {
        assert!(env::var_os("CI").is_none(), "{tool} is missing");
        eprintln!("{tool} is missing: nothing compared");
    }
    found
}

fn compare(g: &Guest) {
    if !present(g.gcc) || !present(g.qemu[0]) {
        return;
    }
    let folder = env::temp_dir().join(format!("remu-ir-{}-{}", g.gcc, std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let (source, binary) = (folder.join("rows.c"), folder.join("rows"));
    fs::write(&source, program(g)).unwrap();
    let mut gcc = Command::new(g.gcc);
    gcc.args(g.flags).args(["-O1", "-static", "-o"]).arg(&binary).arg(&source);
    assert!(gcc.status().unwrap().success(), "{}", source.display());

    let mut rng = Random::new(1);
    let mut inputs = Vec::new();
    for (n, r) in g.rows.iter().enumerate() {
        for k in 0..40 * g.controls.len() {
            let x = number(&mut rng, r.ty);
            let y = number(&mut rng, if r.inst.op == Op::crc32 { Type::I64 } else { r.ty });
            let y = r.constant.unwrap_or(y);
            inputs.push((n, k % g.controls.len(), [x, y, number(&mut rng, r.ty)]));
        }
    }
    let mut bytes = Vec::new();
    for (n, k, ops) in &inputs {
        let r = &g.rows[*n];
        let one = g.boxed && r.ty == Type::F32;
        let ops = ops.map(|v| if one { v | !0 << 32 } else { v });
        for word in [*n as u64, g.controls[*k].0, ops[0], ops[1], ops[2]] {
            bytes.extend(word.to_le_bytes());
        }
    }
    let mut qemu = Command::new(g.qemu[0]);
    qemu.args(&g.qemu[1..]).arg(&binary).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = qemu.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let feeder = std::thread::spawn(move || stdin.write_all(&bytes));
    let out = child.wait_with_output().unwrap().stdout;
    feeder.join().unwrap().unwrap();
    assert_eq!(out.len(), 16 * inputs.len(), "the emulator stopped");
    fs::remove_dir_all(&folder).unwrap();

    let mut failures = vec![0; g.rows.len()];
    let mut text = String::new();
    for ((n, k, ops), answer) in inputs.iter().zip(out.chunks_exact(16)) {
        let word = |at: usize| u64::from_le_bytes(answer[at..at + 8].try_into().unwrap());
        let (want, status) = (word(0), (g.status)(word(8)));
        let (r, (control, mode, nan)) = (&g.rows[*n], g.controls[*k]);
        let (got, flags) = ours(r, *ops, mode, nan);
        let used = if r.inst.ty == Type::I32 { 0xffff_ffff } else { u64::MAX };
        let got = if g.boxed && r.inst.ty == Type::F32 { got | !0 << 32 } else { got };
        if (got & used, flags) != (want & used, status) {
            failures[*n] += 1;
            if failures[*n] <= 3 {
                text += &format!(
                    "{} {ops:x?} control {control:x}: {got:x} flags {flags:x}, {want:x} flags {status:x} there\n",
                    r.asm
                );
            }
        }
    }
    assert!(text.is_empty(), "{text}");
}

/// What the interpreter makes of a row.
fn ours(r: &Row, ops: [u64; 3], mode: u32, nan: NanRule) -> (u64, u32) {
    let mut i = r.inst;
    if i.op.info().attrs.iter().any(|(_, k)| matches!(k, AttrKind::Fp | AttrKind::FpInt)) {
        i.aux = Fp { nan, ..Fp::from_u8(i.aux) }.to_u8();
    }
    let mut flags = 0;
    let v = eval(&Packed::with_type(i, r.ty), ops.map(u128::from), &mut flags, mode);
    (v as u64, flags)
}

#[test]
fn arm_instructions() {
    compare(&arm());
}

#[test]
fn riscv_instructions() {
    compare(&riscv());
}
