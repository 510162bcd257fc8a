//! Rust source without comments and literals, enough to look for words in code.

/// The code of a source text; comments and the contents of literals become blanks, lines stay lines.
pub(super) fn code(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text[at..];
        let skip = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(length) = raw_string(rest, at.checked_sub(1).map(|i| bytes[i])) {
            length
        } else if rest.starts_with('"') {
            string(rest)
        } else if rest.starts_with('\'') {
            character(rest)
        } else {
            0
        };
        let kept = rest.chars().next().map_or(1, char::len_utf8);
        if skip > 0 {
            out.extend(rest[..skip].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            at += skip;
        } else {
            out.push_str(&rest[..kept]);
            at += kept;
        }
    }
    out
}

/// Length of a comment that may hold others.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// Length of a raw string that starts here, unless the `r` belongs to a longer word.
fn raw_string(text: &str, before: Option<u8>) -> Option<usize> {
    let rest = text.strip_prefix('r')?;
    if before.is_some_and(|b| b != b'b' && b != b'c' && (b.is_ascii_alphanumeric() || b == b'_')) {
        return None;
    }
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    rest[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let body = 1 + hashes + 1;
    Some(text[body..].find(&end).map_or(text.len(), |i| body + i + end.len()))
}

fn string(text: &str) -> usize {
    let mut escaped = false;
    for (i, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return i + 1,
            _ => {}
        }
    }
    text.len()
}

/// Length of a character literal; zero for a lifetime.
fn character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some(_)) => text[3..].find('\'').map_or(0, |i| i + 4),
        (Some(_), Some((i, '\''))) => i + 1,
        _ => 0,
    }
}

/// Whether `word` occurs and is not part of a longer word.
pub(super) fn has_word(text: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let first = word.starts_with(part);
    let last = word.ends_with(part);
    text.match_indices(word).any(|(i, _)| {
        let before = text[..i].chars().next_back().is_some_and(part);
        let after = text[i + word.len()..].chars().next().is_some_and(part);
        !(first && before || last && after)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_go_and_code_stays() {
        let text =
            "a /* b /* c */ d */ e // f\n\"g \\\" h\" i r#\"j \" k\"# l 'm' '\\'' n<'o> b\"p\"";
        let words: Vec<_> = code(text).split_whitespace().map(str::to_string).collect();
        assert_eq!(words, ["a", "e", "i", "l", "n<'o>", "b"]);
    }

    #[test]
    fn words_are_whole() {
        assert!(has_word("an unsafe thing", "unsafe"));
        assert!(!has_word("unsafe_code", "unsafe"));
        assert!(has_word("x!()", "x!"));
    }
}
