//! State of a device as bytes and back, versioned, derived from the one list of its fields.

use std::collections::VecDeque;

/// Why a state cannot be restored.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// The bytes end before the state does.
    #[error("the saved state is too short")]
    Short,
    /// Written by another version.
    #[error("{name}: version {found} of the saved state, where {known} is known")]
    Version {
        /// What the state belongs to.
        name: &'static str,
        /// The version found.
        found: u32,
        /// The version this program writes.
        known: u32,
    },
    /// A value that the type does not have.
    #[error("the saved state holds an impossible value")]
    Value,
}

/// Bytes of a saved state, read from the front.
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Reads `bytes`.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader(bytes)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], RestoreError> {
        let (head, rest) = self.0.split_at_checked(len).ok_or(RestoreError::Short)?;
        self.0 = rest;
        Ok(head)
    }
}

/// A value that can be saved and restored.
pub trait Saved: Sized {
    /// Appends the value.
    fn save(&self, to: &mut Vec<u8>);
    /// Reads what [`Saved::save`] wrote.
    fn restore(from: &mut Reader<'_>) -> Result<Self, RestoreError>;
}

macro_rules! saved_integers {
    ($($type:ty)*) => { $(
        impl Saved for $type {
            fn save(&self, to: &mut Vec<u8>) {
                to.extend(self.to_le_bytes());
            }
            fn restore(from: &mut Reader<'_>) -> Result<Self, RestoreError> {
                let bytes = from.take(size_of::<$type>())?;
                Ok(<$type>::from_le_bytes(bytes.try_into().map_err(|_| RestoreError::Short)?))
            }
        }
    )* };
}
saved_integers!(u8 u16 u32 u64 i64);

impl Saved for bool {
    fn save(&self, to: &mut Vec<u8>) {
        to.push(u8::from(*self));
    }
    fn restore(from: &mut Reader<'_>) -> Result<Self, RestoreError> {
        match u8::restore(from)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(RestoreError::Value),
        }
    }
}

impl<T: Saved> Saved for Vec<T> {
    fn save(&self, to: &mut Vec<u8>) {
        (self.len() as u64).save(to);
        self.iter().for_each(|v| v.save(to));
    }
    fn restore(from: &mut Reader<'_>) -> Result<Self, RestoreError> {
        let len = u64::restore(from)?;
        // No length is believed before the elements are there.
        (0..len).map(|_| T::restore(from)).collect()
    }
}

impl<T: Saved> Saved for VecDeque<T> {
    fn save(&self, to: &mut Vec<u8>) {
        (self.len() as u64).save(to);
        self.iter().for_each(|v| v.save(to));
    }
    fn restore(from: &mut Reader<'_>) -> Result<Self, RestoreError> {
        Ok(Vec::restore(from)?.into())
    }
}

impl<T: Saved> Saved for Option<T> {
    fn save(&self, to: &mut Vec<u8>) {
        self.is_some().save(to);
        self.iter().for_each(|v| v.save(to));
    }
    fn restore(from: &mut Reader<'_>) -> Result<Self, RestoreError> {
        Ok(if bool::restore(from)? { Some(T::restore(from)?) } else { None })
    }
}

impl<T: Saved + Copy + Default, const N: usize> Saved for [T; N] {
    fn save(&self, to: &mut Vec<u8>) {
        self.iter().for_each(|v| v.save(to));
    }
    fn restore(from: &mut Reader<'_>) -> Result<Self, RestoreError> {
        let mut all = [T::default(); N];
        for v in &mut all {
            *v = T::restore(from)?;
        }
        Ok(all)
    }
}

macro_rules! saved_tuples {
    ($(($($name:ident)*))*) => { $(
        impl<$($name: Saved),*> Saved for ($($name),*) {
            #[expect(non_snake_case, reason = "a value is named as its type")]
            fn save(&self, to: &mut Vec<u8>) {
                let ($($name),*) = self;
                $( $name.save(to); )*
            }
            fn restore(from: &mut Reader<'_>) -> Result<Self, RestoreError> {
                Ok(($( $name::restore(from)? ),*))
            }
        }
    )* };
}
saved_tuples!((A B) (A B C));

/// Declares a state: the struct, its value after reset (`Default`), and [`Saved`] with a version.
///
/// A field is `name: type`, with `= value` where reset leaves something other than the type's default.
macro_rules! state {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident version $version:literal {
            $( $(#[$fmeta:meta])* $fvis:vis $field:ident : $type:ty $(= $reset:expr)? ),* $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        $vis struct $name { $( $(#[$fmeta])* $fvis $field: $type ),* }

        impl Default for $name {
            fn default() -> Self {
                $name { $( $field: $crate::snapshot::state!(@reset $($reset)?) ),* }
            }
        }

        impl $crate::snapshot::Saved for $name {
            fn save(&self, to: &mut Vec<u8>) {
                $crate::snapshot::Saved::save(&($version as u32), to);
                $( $crate::snapshot::Saved::save(&self.$field, to); )*
            }
            fn restore(
                from: &mut $crate::snapshot::Reader<'_>,
            ) -> Result<Self, $crate::snapshot::RestoreError> {
                let found = <u32 as $crate::snapshot::Saved>::restore(from)?;
                if found != $version {
                    return Err($crate::snapshot::RestoreError::Version {
                        name: module_path!(),
                        found,
                        known: $version,
                    });
                }
                Ok($name { $( $field: $crate::snapshot::Saved::restore(from)? ),* })
            }
        }
    };
    (@reset) => { Default::default() };
    (@reset $reset:expr) => { $reset };
}
pub(crate) use state;

#[cfg(test)]
mod tests {
    use super::*;

    state! {
        struct Toy version 3 {
            a: u32 = 7,
            b: VecDeque<u8>,
            c: [bool; 2],
            d: Option<u64>,
        }
    }

    #[test]
    fn comes_back_as_it_was() {
        let toy = Toy { b: [1, 2].into(), c: [true, false], d: Some(9), ..Toy::default() };
        assert_eq!(toy.a, 7);
        let mut bytes = Vec::new();
        toy.save(&mut bytes);
        assert_eq!(Toy::restore(&mut Reader::new(&bytes)), Ok(toy));
        for len in 0..bytes.len() {
            assert!(Toy::restore(&mut Reader::new(&bytes[..len])).is_err());
        }
        bytes[0] = 2;
        let wrong = Toy::restore(&mut Reader::new(&bytes)).unwrap_err();
        assert!(matches!(wrong, RestoreError::Version { found: 2, known: 3, .. }), "{wrong}");
    }
}
