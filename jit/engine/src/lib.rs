//! Code memory, lookup, linking, invalidation and exits.
