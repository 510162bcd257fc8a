//! Guest structures, as lists of fields at explicit offsets without hidden padding.
//!
//! All are layouts of `include/uapi/asm-generic` unless an ABI folder says otherwise. The test
//! `tests/layouts.rs` compares each with the C compiler of every guest.

mod defs;

pub use defs::*;

/// One field: name, offset and size in bytes.
pub type Field = (&'static str, usize, usize);

/// Declares a guest structure: `struct Name "c name" { field: type, .. }`. Padding is written out
/// as fields whose names start with `_`.
macro_rules! guest_struct {
    ($( $(#[$doc:meta])* pub struct $name:ident $cname:literal { $( $(#[$fdoc:meta])* pub $field:ident : $t:ty ),* $(,)? } )*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name { $( $(#[$fdoc])* pub $field: $t ),* }

        impl $crate::Plain for $name {
            const SIZE: usize = 0 $( + <$t as $crate::Plain>::SIZE )*;
            fn load(bytes: &[u8]) -> Self {
                let mut at = 0;
                $( let $field = <$t as $crate::Plain>::load(&bytes[at..]); at += <$t as $crate::Plain>::SIZE; )*
                let _ = at;
                $name { $( $field ),* }
            }
            fn store(&self, bytes: &mut [u8]) {
                let mut at = 0;
                $( self.$field.store(&mut bytes[at..]); at += <$t as $crate::Plain>::SIZE; )*
                let _ = at;
            }
        }

        impl $name {
            /// C spelling and fields, for the layout test.
            pub fn layout() -> $crate::structs::Layout {
                let mut at = 0;
                let fields = vec![ $( { let size = <$t as $crate::Plain>::SIZE; at += size; (stringify!($field), at - size, size) } ),* ];
                $crate::structs::Layout { c_name: $cname, size: <Self as $crate::Plain>::SIZE, fields }
            }
        }
    )*
        /// Layouts of all structures of this list.
        pub fn layouts() -> Vec<$crate::structs::Layout> { vec![ $( $name::layout() ),* ] }
    };
}
use guest_struct;

/// A structure as the layout test sees it.
#[derive(Clone, Debug)]
pub struct Layout {
    /// C spelling, with `struct` where needed.
    pub c_name: &'static str,
    /// Bytes.
    pub size: usize,
    /// Fields in order.
    pub fields: Vec<Field>,
}
