//! The intermediate representation: ops, builder, interpreter, textual form.
