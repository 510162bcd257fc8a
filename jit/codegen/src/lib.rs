//! Lowers IR to host machine code.
