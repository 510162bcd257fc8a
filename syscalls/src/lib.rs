//! The Linux system call layer.
