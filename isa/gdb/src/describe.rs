//! Objects that gdb reads piece by piece: target descriptions, lists of threads.

use std::fmt::Write;

use crate::resume::pair;

/// One of gdb's features: its name, the types that its registers name as XML, and name, bits and type of each register.
pub type Feature<'a> = (&'a str, &'a str, Vec<(&'a str, u32, &'a str)>);

/// The target description ("Target Descriptions" in gdb's manual) of an architecture, with the operating system whose
/// programs are debugged, if it is programs.
pub fn description<'a>(
    arch: &str,
    osabi: Option<&str>,
    features: impl IntoIterator<Item = Feature<'a>>,
) -> String {
    // Writing to a string cannot fail.
    let mut out = format!(
        "<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n<target>\n\
         <architecture>{arch}</architecture>\n"
    );
    if let Some(osabi) = osabi {
        let _ = writeln!(out, "<osabi>{osabi}</osabi>");
    }
    for (name, types, regs) in features {
        let _ = writeln!(out, "<feature name=\"{name}\">\n{types}");
        for (name, bits, ty) in regs {
            let _ = writeln!(out, "<reg name=\"{name}\" bitsize=\"{bits}\" type=\"{ty}\"/>");
        }
        out.push_str("</feature>\n");
    }
    out + "</target>\n"
}

/// A list of threads: the name of each for the protocol and for people.
pub fn threads(all: impl IntoIterator<Item = (String, String)>) -> String {
    let mut out = "<?xml version=\"1.0\"?>\n<threads>\n".to_owned();
    for (id, name) in all {
        let _ = writeln!(out, "<thread id=\"{id}\" name=\"{}\"/>", xml_text(&name));
    }
    out + "</threads>\n"
}

/// What a `qXfer` that reads asks for: the object, its annex, an offset and a length; `None` for any other.
pub fn wanted(args: &str) -> Option<(&str, &str, u64, u64)> {
    let mut parts = args.splitn(4, ':');
    let mut part = || parts.next().unwrap_or("");
    let (object, way, annex, rest) = (part(), part(), part(), part());
    let (offset, len) = pair(rest).filter(|_| way == "read")?;
    Some((object, annex, offset, len))
}

/// The answer to a `qXfer` that reads `len` bytes of an object from `offset` on.
pub fn piece(content: &[u8], offset: u64, len: u64) -> Vec<u8> {
    let at = |n: u64| usize::try_from(n).unwrap_or(usize::MAX).min(content.len());
    let (from, to) = (at(offset), at(offset.saturating_add(len)));
    let mut answer = vec![if to == content.len() { b'l' } else { b'm' }];
    answer.extend(&content[from..to]);
    answer
}

/// Text inside an attribute.
fn xml_text(text: &str) -> String {
    let escape = |c: char| match c {
        '<' => "&lt;".into(),
        '>' => "&gt;".into(),
        '&' => "&amp;".into(),
        '"' => "&quot;".into(),
        c if c.is_control() => "?".into(),
        c => c.to_string(),
    };
    text.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_come_in_pieces() {
        assert_eq!(piece(b"object", 0, 4), b"mobje");
        assert_eq!(piece(b"object", 4, 4), b"lct");
        assert_eq!(piece(b"object", 9, u64::MAX), b"l");
    }

    #[test]
    fn only_reading_is_wanted() {
        assert_eq!(wanted("auxv:read::10,ff"), Some(("auxv", "", 0x10, 0xff)));
        assert_eq!(wanted("features:read:target.xml:0,4"), Some(("features", "target.xml", 0, 4)));
        assert_eq!(wanted("auxv:write::0,4"), None);
        assert_eq!(wanted("auxv:read"), None);
    }

    #[test]
    fn names_are_escaped() {
        let text = threads([("1".into(), "a<b>".into())]);
        assert!(text.contains("<thread id=\"1\" name=\"a&lt;b&gt;\"/>"), "{text}");
    }

    #[test]
    fn descriptions_name_every_register() {
        let text = description("toy", None, [("org.toy", "", vec![("r0", 64, "int")])]);
        assert!(text.contains("<reg name=\"r0\" bitsize=\"64\" type=\"int\"/>"), "{text}");
        assert!(!text.contains("osabi"));
    }
}
