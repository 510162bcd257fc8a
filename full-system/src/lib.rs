//! Emulates whole machines: buses, devices, boards, and what connects them with the host.

pub mod block;
pub mod boards;
pub mod bus;
pub mod chardev;
pub mod cli;
pub mod clock;
pub mod devices;
pub mod event_loop;
pub mod gdb;
pub mod irq;
pub mod machine;
pub mod monitor;
pub mod net;
pub mod power;
pub mod snapshot;
pub mod softmmu;
pub mod vcpu;
