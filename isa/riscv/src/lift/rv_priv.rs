//! "Machine-Level ISA", "Supervisor-Level ISA", "Svinval": instructions that change privileged
//! state. In a machine they are left to [`crate::system`] before they come here; to a program
//! they are illegal.

use super::Lift;
use crate::decode::args;

pub fn sret(l: &Lift<'_>, _: args::Empty) {
    l.illegal();
}
pub fn mret(l: &Lift<'_>, _: args::Empty) {
    l.illegal();
}
pub fn wfi(l: &Lift<'_>, _: args::Empty) {
    l.illegal();
}
pub fn sfence_vma(l: &Lift<'_>, _: args::Vma) {
    l.illegal();
}
pub fn sinval_vma(l: &Lift<'_>, _: args::Vma) {
    l.illegal();
}
pub fn sfence_w_inval(l: &Lift<'_>, _: args::Empty) {
    l.illegal();
}
pub fn sfence_inval_ir(l: &Lift<'_>, _: args::Empty) {
    l.illegal();
}
