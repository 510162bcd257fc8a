//! What a guest or a person asks of the machine as a whole.

/// Takes requests from any thread and carries them out later: a device that asks holds its own lock.
pub trait Power: Send + Sync {
    /// Ends the emulator with this exit status.
    fn off(&self, status: i32);
    /// Starts the machine anew, or ends the emulator under `-no-reboot`.
    fn reset(&self);
}

/// What a person presses.
pub trait Button: Send + Sync {
    /// Presses it, and lets it go.
    fn press(&self);
}
