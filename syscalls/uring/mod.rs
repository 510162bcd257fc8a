//! io_uring: opcode numbers, as the column of the call rows names them.

pub mod op;
