//! What a network card is plugged into.

pub mod user;

use std::sync::Weak;

/// The card's end.
pub trait LinkReceiver: Send + Sync {
    /// Takes an Ethernet frame; false if the card has no room, upon which the frame is offered again later.
    fn receive(&self, frame: &[u8]) -> bool;
}

/// The network's end. It never calls the card from within these functions.
pub trait Link: Send + Sync {
    /// Sends an Ethernet frame.
    fn send(&self, frame: Vec<u8>);
    /// Sets who receives. Once.
    fn connect(&self, receiver: Weak<dyn LinkReceiver>);
    /// Says that there may be room again.
    fn accept_frames(&self);
}
