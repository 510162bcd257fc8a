//! What the tests of devices share.

use std::sync::Arc;

use crate::irq::{CpuLines, Line};

/// The far end of a device's interrupt line.
pub(crate) struct Wire(Arc<CpuLines>);

impl Wire {
    /// The level the device has set.
    pub(crate) fn level(&self) -> bool {
        self.0.levels() != 0
    }
}

/// A line and its far end.
pub(crate) fn wire() -> (Line, Wire) {
    let lines = Arc::new(CpuLines::new());
    (Line::new(lines.clone(), 0), Wire(lines))
}
