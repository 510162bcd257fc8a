// Generated from toy.decode; do not edit.
/// Calls the lifter of an instruction.
pub fn lift(b: &crate::lift::Lift<'_>, insn: &Insn) {
    match *insn {
        Insn::Nop(a) => crate::lift::base::nop(b, a),
        Insn::Addi(a) => crate::lift::base::addi(b, a),
        Insn::Add(a) => crate::lift::base::add(b, a),
        Insn::SubS(a) => crate::lift::base::sub_s(b, a),
        Insn::B(a) => crate::lift::base::b(b, a),
        Insn::Jr(a) => crate::lift::base::jr(b, a),
        Insn::Shl(a) => crate::lift::ext::shl(b, a),
        Insn::Big(a) => crate::lift::ext::big(b, a),
        Insn::Brk(a) => crate::lift::ext::brk(b, a),
        Insn::CAddi(a) => crate::lift::base::addi(b, a),
        Insn::Yield(a) => crate::lift::ext::r#yield(b, a),
    }
}
