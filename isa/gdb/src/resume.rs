//! How gdb lets threads go on: `vCont` and the packets that it replaced.

use std::ops::Range;

use crate::packet::{ThreadId, number};

/// One action of `vCont`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// The threads that it is for.
    pub who: ThreadId,
    /// One instruction, instead of until something happens.
    pub step: bool,
    /// With this signal, as gdb numbers it; 0 for none.
    pub signal: u8,
    /// Stepping goes on while the thread is in here.
    pub range: Range<u64>,
}

impl Action {
    /// The action in `text`; `None` for one that does not exist.
    pub fn parse(text: &str) -> Option<Action> {
        let (what, who) = text.split_once(':').unwrap_or((text, "-1"));
        let who = ThreadId::parse(who)?;
        let plain = Action { who, step: false, signal: 0, range: 0..0 };
        let signal = || u8::from_str_radix(what.get(1..)?, 16).ok();
        Some(match what.as_bytes().first()? {
            b'c' => plain,
            b's' => Action { step: true, ..plain },
            b'C' => Action { signal: signal()?, ..plain },
            b'S' => Action { signal: signal()?, step: true, ..plain },
            b'r' => {
                let (start, end) = what.get(1..)?.split_once(',')?;
                Action { range: number(start)?..number(end)?, step: true, ..plain }
            }
            _ => return None,
        })
    }

    /// Every action of a `vCont`, without that word.
    pub fn all(text: &str) -> Option<Vec<Action>> {
        text.split(';').filter(|p| !p.is_empty()).map(Action::parse).collect()
    }
}

/// The packets `c`, `s`, `C` and `S`, which are about thread `tid`, as the actions of a `vCont`.
pub fn old(kind: u8, text: &str, tid: i32) -> String {
    let signal = if kind.is_ascii_uppercase() { text.split(';').next().unwrap_or("") } else { "" };
    let kind = char::from(kind);
    let one = format!(";{kind}{signal}:{tid:x}");
    if kind.eq_ignore_ascii_case(&'s') { one } else { format!("{one};c") }
}

/// `ADDR,LENGTH`.
pub fn pair(text: &str) -> Option<(u64, u64)> {
    let (a, b) = text.split_once(',')?;
    Some((number(a)?, number(b)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_say_who_and_how() {
        let a = Action::parse("C1e:p10.11").expect("an action");
        assert_eq!((a.signal, a.step), (0x1e, false));
        assert!(a.who.names(0x10, 0x11) && !a.who.names(0x10, 0x12));
        let a = Action::parse("r1000,1010:p1.-1").expect("an action");
        assert_eq!((a.range, a.step), (0x1000..0x1010, true));
        assert!(Action::parse("c").expect("an action").who.names(7, 8));
        assert!(Action::parse("x").is_none() && Action::parse("C").is_none());
        assert_eq!(Action::all(";s:1;c").map(|all| all.len()), Some(2));
        assert_eq!(Action::all(";s:1;x"), None);
    }

    #[test]
    fn old_packets_are_actions() {
        assert_eq!((old(b's', "", 3).as_str(), old(b'c', "", 3).as_str()), (";s:3", ";c:3;c"));
        assert_eq!(old(b'C', "05;100", 1), ";C05:1;c");
    }
}
