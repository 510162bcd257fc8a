//! Emulates whole machines: buses, devices, boards, and what connects them with the host.

pub mod bus;
pub mod clock;
pub mod irq;
pub mod snapshot;
