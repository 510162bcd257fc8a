//! Text there and back, and what is refused.

use super::{Names, parse, print};
use crate::{
    Addr, Builder, Cond, CrcAttr, DivZero, ExitKind, FlagCond, Fp, FpInt, Helper, Lane, MemOp,
    NanRule, Order, Region, Rm, RmwOp, Slot, Type, verify,
};

extern "C" fn nothing(_: *mut u8, _: u64, _: u64, _: u64) -> u64 {
    0
}
const HELPER: Helper = Helper { name: "nothing", func: nothing, writes_state: true };
const X1: Slot = Slot { offset: 264, ty: Type::I64 };
const NAMES: Names<'static> = Names { slots: &[("x1", X1)], helpers: &[HELPER] };

/// A region with every kind of attribute.
fn sample() -> Region {
    let b = Builder::new();
    b.block(0x1000, true);
    b.insn(0x1000);
    let x = b.get(X1);
    let w = b.trunc(x);
    let d = b.divs(x, b.c64(3), DivZero::Ones);
    b.set(X1, b.deposit(d, x, (4, 8)));
    let a = Addr {
        disp: -16,
        scale: 3,
        order: Order::Acquire,
        mem: MemOp { user: true, ..MemOp::S16.align() },
    };
    let l = b.load_indexed(x, d, Type::I32, a);
    b.store(x, l, Addr::at(MemOp { big: true, ..MemOp::U32 }));
    b.rmw(RmwOp::Umax, x, w, MemOp::S8);
    b.cas(x, x, d, MemOp::U64);
    b.fence(Order::SeqCst);
    let crc = b.crc32(l, x, CrcAttr { castagnoli: true, size: 1 });
    let flags = b.fl_sub(crc, w);
    b.set(Slot { offset: 512, ty: Type::Flags }, flags);
    b.brcond(b.fl_cond(flags, FlagCond::Hi), 0x1010);
    let v = b.vconst(1 << 100);
    let v = b.vfadd(v, v, Fp::dynamic(NanRule::ArmDefault).lanes(Lane::S));
    let v = b.vhelper(HELPER, v, v, v, 7);
    b.insn(0x1004);
    let f = b.vtof(v, Type::F64);
    let p =
        FpInt { fp: Fp::dynamic(NanRule::Default).rounding(Rm::Tz), signed: true, nan_max: true };
    let n = b.fcvt_int(f, Type::I64, p);
    b.set(Slot { offset: 272, ty: Type::I64 }, n);
    b.helper(HELPER, &[n]);
    b.exit_if(b.icmp(x, b.pcconst(0x1000), Cond::TstNe), ExitKind::KeyChanged, 0x1008);
    b.call(0x4000, 0x100c);
    b.block(0x1010, false);
    b.helper_end(HELPER, &[]);
    b.take(Region::default())
}

#[test]
fn there_and_back() {
    let r = sample();
    verify(&r, 1024).unwrap();
    let text = print(&r, &NAMES);
    let again = parse(&text, &NAMES).unwrap();
    assert_eq!(print(&again, &NAMES), text);
    assert_eq!(again.blocks, r.blocks);
    assert_eq!((again.vconsts, again.helpers), (r.vconsts, r.helpers));
    let differ = (0..r.insts.len()).find(|&n| r.insts[n] != again.insts[n]);
    assert_eq!(differ, None, "{text}");
    for line in [
        "v1 = get.i64 x1",
        "v7 = load.i32 v1, v4, s16.aligned.user.acquire<<3-16",
        "store.i32 v1, _, v7, u32.big",
        "v9 = rmw.i32 v1, v2, umax.s8",
        "fence u8.seqcst",
        "brcond v15, 0x1010",
        "set.flags v13, [512]",
        "dyn.armdn.s",
        "tz.default.signed.nanmax",
        "call 0x4000, 0x100c",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
}

#[test]
fn names_are_free_and_comments_ignored() {
    let r = parse(
        "block 16: ; entry\n sum = iconst.i64 -1\n\n twice = add.i64 sum, sum ; both\n goto 0x20",
        &NAMES,
    )
    .unwrap();
    assert_eq!((r.insts.len(), r.insts[0].const_bits()), (3, u64::MAX));
    assert_eq!(verify(&r, 1024), Ok(()));
}

#[test]
fn bad_text_is_refused() {
    let error = |body: &str| {
        let text = format!("block 0x10:\n v1 = iconst.i64 5\n {body}\n goto 0x20\n");
        parse(&text, &NAMES).map(|_| ()).unwrap_err().to_string()
    };
    assert_eq!(error("v2 = frob.i64 v1"), "line 3: no op `frob`");
    assert_eq!(error("v2 = add v1, v1"), "line 3: add needs a type");
    assert_eq!(error("v2 = add.i65 v1, v1"), "line 3: no type `i65`");
    assert_eq!(error("v2 = add.i64 v1, v3"), "line 3: no value `v3`");
    assert_eq!(error("v2 = add.i64 v1"), "line 3: add takes 2 operands and attributes");
    assert_eq!(error("v1 = neg.i64 v1"), "line 3: `v1` is defined twice");
    assert_eq!(error("add.i64 v1, v1"), "line 3: add has a result");
    assert_eq!(error("v2 = set.i64 v1, x1"), "line 3: set has no result");
    assert_eq!(error("set.i64 v1, x2"), "line 3: no slot `x2` of type i64");
    assert_eq!(error("v2 = icmp v1, v1, up"), "line 3: `up` is no Cond");
    assert_eq!(error("v2 = load.i64 v1, _, u24"), "line 3: `u24` is no Mem");
    assert_eq!(error("goto 0x20"), "line 4: an instruction outside a block");
    let open = parse("block 0x10:\n v1 = iconst.i64 5", &NAMES).unwrap_err();
    assert_eq!(open.to_string(), "line 2: the last block has no end");
}

#[test]
fn invalid_regions_are_refused() {
    let error = |body: &str| {
        let text = format!(
            "block 0x10:\n v1 = iconst.i64 5\n v2 = iconst.i32 5\n v3 = vconst 0\n {body}\n goto 0x20\n\
             block 0x20:\n goto 0x10\n"
        );
        verify(&parse(&text, &NAMES).unwrap(), 1024).map_err(|e| e.to_string())
    };
    assert_eq!(error(""), Ok(()));
    assert!(error("x = add.i64 v1, v2").unwrap_err().starts_with("v3: y: i32 is not SameX"));
    assert!(error("x = add.i32 v1, v1").unwrap_err().starts_with("v3: the result is i64"));
    assert!(error("x = fneg.f64 v1").unwrap_err().contains("is not Float"));
    assert!(error("x = extract.i64 v1, 60:5").unwrap_err().contains("Bits out of range"));
    assert!(error("x = get.i64 [1020]").unwrap_err().contains("Slot out of range"));
    assert!(error("x = get.i64 [260]").unwrap_err().contains("Slot out of range"));
    assert!(error("x = load.i32 v1, _, u64").is_err());
    assert!(error("x = vextract.i32 v3, v2, d").is_err());
    assert!(error("x = vextract.i32 v3, v2, s").is_err(), "lane 5 of 4");
    assert!(error("x = vextract.i32 v3, v2, h").is_ok());
    assert!(error("x = vshr v3, b, 0").is_err());
    assert!(error("x = vfadd v3, v3, ne.arm").is_err(), "a lane is missing");
    assert!(error("x = boolint.i64 v1").is_err());
    let crossing =
        "block 0x10:\n a = iconst.i64 5\n goto 0x20\nblock 0x20:\n set.i64 a, x1\n goto 0x10";
    let crossing = verify(&parse(crossing, &NAMES).unwrap(), 1024).unwrap_err();
    assert_eq!(crossing.to_string(), "v2: v: v0 is not defined before");
    let unsorted = "block 0x20:\n goto 0x20\nblock 0x10:\n goto 0x20";
    assert!(verify(&parse(unsorted, &NAMES).unwrap(), 1024).is_err());
}
