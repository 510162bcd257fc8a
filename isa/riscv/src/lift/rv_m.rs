//! "M", Integer Multiplication and Division.

use remu_ir::DivZero::Ones;

use super::{Lift, Regs};
use crate::decode::args;

pub fn mul(l: &Lift<'_>, a: args::R) {
    l.set_x(a.rd, l.mul(l.x(a.rs1), l.x(a.rs2)));
}
pub fn mulh(l: &Lift<'_>, a: args::R) {
    l.set_x(a.rd, l.mulhs(l.x(a.rs1), l.x(a.rs2)));
}
pub fn mulhsu(l: &Lift<'_>, a: args::R) {
    l.set_x(a.rd, l.mulhsu(l.x(a.rs1), l.x(a.rs2)));
}
pub fn mulhu(l: &Lift<'_>, a: args::R) {
    l.set_x(a.rd, l.mulhu(l.x(a.rs1), l.x(a.rs2)));
}
pub fn div(l: &Lift<'_>, a: args::R) {
    l.set_x(a.rd, l.divs(l.x(a.rs1), l.x(a.rs2), Ones));
}
pub fn divu(l: &Lift<'_>, a: args::R) {
    l.set_x(a.rd, l.divu(l.x(a.rs1), l.x(a.rs2), Ones));
}
pub fn rem(l: &Lift<'_>, a: args::R) {
    l.set_x(a.rd, l.rems(l.x(a.rs1), l.x(a.rs2)));
}
pub fn remu(l: &Lift<'_>, a: args::R) {
    l.set_x(a.rd, l.remu(l.x(a.rs1), l.x(a.rs2)));
}
pub fn mulw(l: &Lift<'_>, a: args::R) {
    l.set_w(a.rd, l.mul(l.w(a.rs1), l.w(a.rs2)));
}
pub fn divw(l: &Lift<'_>, a: args::R) {
    l.set_w(a.rd, l.divs(l.w(a.rs1), l.w(a.rs2), Ones));
}
pub fn divuw(l: &Lift<'_>, a: args::R) {
    l.set_w(a.rd, l.divu(l.w(a.rs1), l.w(a.rs2), Ones));
}
pub fn remw(l: &Lift<'_>, a: args::R) {
    l.set_w(a.rd, l.rems(l.w(a.rs1), l.w(a.rs2)));
}
pub fn remuw(l: &Lift<'_>, a: args::R) {
    l.set_w(a.rd, l.remu(l.w(a.rs1), l.w(a.rs2)));
}
