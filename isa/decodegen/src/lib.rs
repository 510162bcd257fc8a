//! Turns .decode tables into decoders, disassemblers and encoders.
