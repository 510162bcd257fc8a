//! Lists of `key=value` as options take them: parts end at commas, two commas are one in a value.

/// A list that was read, from which what is known is taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct List(Vec<(String, String)>);

impl List {
    /// Reads a list. The first part may be a value alone, of the key `implied`; later ones alone are `on`, or `off`
    /// with the prefix `no`.
    ///
    /// # Errors
    /// A sentence.
    pub(super) fn parse(text: &str, implied: Option<&str>) -> Result<List, String> {
        let mut list = List::default();
        for (n, part) in split(text).into_iter().enumerate() {
            let (key, value) = match (part.split_once('='), implied) {
                (Some((key, value)), _) if !key.is_empty() => (key.to_string(), value.to_string()),
                (None, Some(key)) if n == 0 => (key.to_string(), part),
                (None, _) if !part.is_empty() => match part.strip_prefix("no") {
                    Some(key) if !key.is_empty() => (key.to_string(), "off".to_string()),
                    _ => (part, "on".to_string()),
                },
                _ => return Err(format!("'{text}' has an empty part")),
            };
            list.0.push((key, value));
        }
        Ok(list)
    }

    /// Takes the value of a key; the last one counts.
    pub(super) fn take(&mut self, key: &str) -> Option<String> {
        let found = self.0.iter().rev().find(|(k, _)| k == key).map(|(_, v)| v.clone());
        self.0.retain(|(k, _)| k != key);
        found
    }

    /// Takes every value of a key.
    pub(super) fn take_all(&mut self, key: &str) -> Vec<String> {
        let all = self.0.iter().filter(|(k, _)| k == key).map(|(_, v)| v.clone()).collect();
        self.0.retain(|(k, _)| k != key);
        all
    }

    /// Takes a switch.
    ///
    /// # Errors
    /// A sentence, for a value that is neither on nor off.
    pub(super) fn take_switch(&mut self, key: &str) -> Result<Option<bool>, String> {
        match self.take(key).as_deref() {
            None => Ok(None),
            Some("on" | "yes" | "true") => Ok(Some(true)),
            Some("off" | "no" | "false") => Ok(Some(false)),
            Some(other) => Err(format!("'{key}={other}' is neither on nor off")),
        }
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// A sentence naming a key that nobody took.
    pub(super) fn finish(self, of: &str) -> Result<(), String> {
        match self.0.first() {
            None => Ok(()),
            Some((key, _)) => Err(format!("{of} has no property '{key}'")),
        }
    }
}

fn split(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == ',' && chars.peek() != Some(&',') {
            parts.push(String::new());
            continue;
        }
        if c == ',' {
            chars.next();
        }
        if let Some(last) = parts.last_mut() {
            last.push(c);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read() {
        let mut l =
            List::parse("user,id=n0,hostfwd=a,hostfwd=b,file=x,,y=z,snapshot,nowait", Some("type"))
                .expect("a list");
        assert_eq!(l.take("type").as_deref(), Some("user"));
        assert_eq!(l.take_all("hostfwd"), ["a", "b"]);
        assert_eq!(l.take("file").as_deref(), Some("x,y=z"));
        assert_eq!(l.take_switch("snapshot"), Ok(Some(true)));
        assert_eq!(l.take_switch("wait"), Ok(Some(false)));
        assert_eq!(l.clone().finish("netdev").unwrap_err(), "netdev has no property 'id'");
        assert!(l.take_switch("id").is_err());
        assert!(List::parse("a=1,,", None).is_ok_and(|mut l| l.take("a").as_deref() == Some("1,")));
        assert!(List::parse("a=1,=2", None).is_err());
    }
}
