//! gdb's remote protocol ("gdb Remote Serial Protocol" in gdb's manual), as far as the debugger's servers of
//! programs and of machines share it.

pub mod describe;
pub mod listen;
pub mod packet;
pub mod resume;
