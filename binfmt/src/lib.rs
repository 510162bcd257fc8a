//! Registers the runners with the kernel.
