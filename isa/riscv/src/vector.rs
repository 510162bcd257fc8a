//! Settings of the vector unit ("V", "Vector Extension Programmer's Model"),
//! and the number by which translated code tells them apart.

use crate::state::VECTOR_WORDS;

/// Bytes of a vector register.
pub const VLENB: u64 = 16;
/// `vtype` that no vector instruction works under.
pub const VILL: u64 = 1 << 63;

/// The state slot `vunit` where nothing is known.
pub const ANYTHING: u64 = Unit::ODD as u64;

/// Element width and group size of a legal `vtype`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Config {
    /// log2 of the bytes of an element.
    pub(crate) sew: u8,
    /// log2 of the registers in a group, -3 to 3.
    pub(crate) lmul: i8,
}

impl Config {
    /// Of a `vtype`; `None` if the unit does not support it.
    pub(crate) fn of_vtype(vtype: u64) -> Option<Config> {
        if vtype >> 8 != 0 {
            return None;
        }
        Config::of_fields((vtype >> 3 & 7) as u8, (vtype & 7) as u8)
    }
    fn of_fields(vsew: u8, vlmul: u8) -> Option<Config> {
        let lmul = (vlmul << 5) as i8 >> 5;
        let legal = vsew <= 3 && lmul != -4 && i32::from(vsew) <= 3 + i32::from(lmul.min(0));
        legal.then_some(Config { sew: vsew, lmul })
    }
    /// Elements of a group.
    pub(crate) fn vlmax(self) -> u64 {
        let bytes = if self.lmul < 0 { VLENB >> -self.lmul } else { VLENB << self.lmul };
        bytes >> self.sew
    }
    /// log2 of the group's registers for elements of 2^eew bytes; `None` if
    /// that is no legal size.
    pub(crate) fn emul(self, eew: u8) -> Option<i8> {
        let emul = self.lmul + eew as i8 - self.sew as i8;
        (eew <= 3 && (-3..=3).contains(&emul)).then_some(emul)
    }
    /// Registers that a group of elements of 2^eew bytes takes, where that is legal.
    pub(crate) fn regs(self, eew: u8) -> Option<u8> {
        self.emul(eew).map(|n| 1 << n.max(0))
    }
}

/// What translations know of the unit. As a number, 6 bits of the lift key,
/// which is only a guess there ([`follow`]), and the state slot `vunit`, which is true.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unit {
    /// `vl` is the largest, `vstart` 0.
    Full(Config),
    /// `vstart` is 0.
    Part(Config),
    /// `vstart` may be anything.
    Started(Config),
    /// Nothing is known, not even that `vtype` is legal.
    Odd,
}

impl Unit {
    /// Number of [`Unit::Odd`]: that of a new hart's state.
    pub(crate) const ODD: u32 = 0;
    /// Numbers of the first of the others; with whole groups alone come first.
    const FULL: u32 = 1;
    const PART: u32 = 17;
    const STARTED: u32 = 39;

    /// The number.
    pub(crate) fn code(self) -> u32 {
        // e64 with m1 to m8, then e32 with mf2 to m8, and so on.
        let place = |c: Config| {
            let narrower = 3 - u32::from(c.sew);
            narrower * (narrower + 7) / 2 + (c.lmul + narrower as i8) as u32
        };
        match self {
            Unit::Full(c) if c.lmul >= 0 => Unit::FULL + (u32::from(c.sew) << 2 | c.lmul as u32),
            Unit::Full(c) | Unit::Part(c) => Unit::PART + place(c),
            Unit::Started(c) => Unit::STARTED + place(c),
            Unit::Odd => Unit::ODD,
        }
    }
    /// What a number stands for.
    pub(crate) fn of_code(code: u32) -> Unit {
        let at = |mut n: u32| {
            for narrower in 0..4 {
                if n < 4 + narrower {
                    return Config { sew: 3 - narrower as u8, lmul: n as i8 - narrower as i8 };
                }
                n -= 4 + narrower;
            }
            Config { sew: 0, lmul: 0 }
        };
        match code {
            Unit::FULL..Unit::PART => {
                let n = code - Unit::FULL;
                Unit::Full(Config { sew: (n >> 2) as u8, lmul: (n & 3) as i8 })
            }
            Unit::PART..Unit::STARTED => Unit::Part(at(code - Unit::PART)),
            Unit::STARTED..61 => Unit::Started(at(code - Unit::STARTED)),
            _ => Unit::Odd,
        }
    }
    /// The unit as registers say.
    pub(crate) fn of_registers(vtype: u64, vl: u64, vstart: u64) -> Unit {
        match Config::of_vtype(vtype) {
            Some(c) if vstart != 0 => Unit::Started(c),
            Some(c) if vl == c.vlmax() => Unit::Full(c),
            Some(c) => Unit::Part(c),
            None => Unit::Odd,
        }
    }
}

/// Settings that gave the largest length, in a row, after which translations
/// guess that the next ones will.
pub(crate) const STREAK: u64 = 32;

/// Guess, and so number in the lift key, that most code runs under: nothing is known of the unit
/// before a setting, and settings do not give the largest length.
pub(crate) const HOME: u32 = Unit::ODD;
/// Guess that nothing is known, which is of use to the next instruction.
pub(crate) const UNKNOWN: u32 = 61;
/// Added to a guess that translated code has chosen by itself.
pub(crate) const CHOSEN: u32 = 64;

/// The guess that an instruction needs which nothing is known to.
pub(crate) fn needed(is: Unit) -> u32 {
    if is == Unit::Odd { UNKNOWN } else { is.code() }
}

/// Makes `vunit` what the registers say, and chooses the guess: translated code has left for
/// another key.
///
/// Every key has translations of its own, of code without vectors too. So [`HOME`] is where code
/// runs, and comes back to, but for what has met settings that give the largest length, again and
/// again, and for vector instructions that no setting stands before, up to the next one.
pub(crate) fn follow(state: &mut [u8]) {
    let get = |state: &[u8], at: usize| {
        let bytes = state.get(at..at + 8).and_then(|b| b.try_into().ok());
        bytes.map_or(0, u64::from_le_bytes)
    };
    let [vtype, vl, vstart, _, guess, streak] = VECTOR_WORDS.map(|at| get(state, at));
    let is = Unit::of_registers(vtype, vl, vstart);
    let old = guess as u32;
    let new = match (Unit::of_code(old), is) {
        _ if old & CHOSEN != 0 => old & !CHOSEN,
        (_, Unit::Full(_)) if streak >= STREAK => is.code(),
        _ if old == HOME && vstart != 0 => needed(is),
        // Other settings that give the largest length.
        (Unit::Full(guess), Unit::Full(c)) if guess != c => is.code(),
        _ => HOME,
    };
    let mut put = |at: usize, v: u64| {
        if let Some(to) = state.get_mut(at..at + 8) {
            to.copy_from_slice(&v.to_le_bytes());
        }
    };
    let [.., unit_at, guess_at, streak_at] = VECTOR_WORDS;
    put(unit_at, is.code().into());
    put(guess_at, new.into());
    if new != old || streak >= STREAK {
        put(streak_at, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_tell_units_apart() {
        let mut seen = Vec::new();
        for vtype in 0..64 {
            let Some(c) = Config::of_vtype(vtype) else { continue };
            assert!((1..=128).contains(&c.vlmax()));
            seen.extend([Unit::Part(c), Unit::Started(c)]);
            if c.lmul >= 0 {
                seen.push(Unit::Full(c));
            }
        }
        assert_eq!(seen.len(), 2 * 22 + 16);
        for (n, unit) in seen.iter().enumerate() {
            assert_eq!(Unit::of_code(unit.code()), *unit);
            assert!(
                seen[..n].iter().all(|u| u.code() != unit.code()) && (1..61).contains(&unit.code())
            );
        }
        assert_eq!((Unit::of_code(0), Unit::of_code(63)), (Unit::Odd, Unit::Odd));
    }

    #[test]
    fn guesses_follow_what_turned_out() {
        let mut state = vec![0; size_of::<crate::state::Hart>()];
        let [vtype_at, vl_at, .., unit_at, guess_at, streak_at] = VECTOR_WORDS;
        let mut turn = |vl: u64, guess: Unit, streak: u64| {
            let words = [(vtype_at, 0xd0), (vl_at, vl), (guess_at, guess.code().into())];
            for (at, v) in words.into_iter().chain([(streak_at, streak)]) {
                state[at..at + 8].copy_from_slice(&v.to_le_bytes());
            }
            follow(&mut state);
            (Unit::of_code(state[unit_at].into()), Unit::of_code(state[guess_at].into()))
        };
        let c = Config { sew: 2, lmul: 0 };
        let narrow = Config { sew: 0, lmul: 0 };
        // At home, until the largest lengths come in a row.
        assert_eq!(turn(4, Unit::Odd, 0), (Unit::Full(c), Unit::Odd));
        assert_eq!(turn(3, Unit::Odd, 0), (Unit::Part(c), Unit::Odd));
        assert_eq!(turn(4, Unit::Odd, STREAK), (Unit::Full(c), Unit::Full(c)));
        // Home again after a shorter one, not after another that is the largest.
        assert_eq!(turn(3, Unit::Full(c), 0), (Unit::Part(c), Unit::Odd));
        assert_eq!(turn(4, Unit::Full(narrow), 0), (Unit::Full(c), Unit::Full(c)));
        assert_eq!(turn(4, Unit::Full(c), 0), (Unit::Full(c), Unit::Odd));
        // What was needed in between.
        assert_eq!(turn(3, Unit::Part(c), 0), (Unit::Part(c), Unit::Odd));
    }

    #[test]
    fn chosen_guesses_stay() {
        let mut state = vec![0; size_of::<crate::state::Hart>()];
        let [vtype_at, vl_at, vstart_at, _, guess_at, _] = VECTOR_WORDS;
        let mut turn = |vtype: u64, vstart: u64, guess: u32| {
            let words = [(vtype_at, vtype), (vl_at, 3), (vstart_at, vstart)];
            for (at, v) in words.into_iter().chain([(guess_at, guess.into())]) {
                state[at..at + 8].copy_from_slice(&v.to_le_bytes());
            }
            follow(&mut state);
            u32::from(state[guess_at])
        };
        let c = Config { sew: 2, lmul: 0 };
        let (part, started) = (Unit::Part(c).code(), Unit::Started(c).code());
        assert_eq!(turn(0xd0, 0, part | CHOSEN), part);
        assert_eq!(turn(VILL, 0, UNKNOWN | CHOSEN), UNKNOWN);
        // Whole registers need to know of a start.
        assert_eq!((turn(0xd0, 1, HOME), turn(VILL, 1, HOME)), (started, UNKNOWN));
    }

    #[test]
    fn settings_that_need_wider_registers_are_illegal() {
        // e64 with a fraction, e16 with an eighth, LMUL encoding 4, SEW of 128.
        for vtype in [0x1f, 0x0d, 0x04, 0x20, VILL, 0x100] {
            assert_eq!(Config::of_vtype(vtype), None, "{vtype:#x}");
        }
        assert_eq!(Config::of_vtype(0xd3), Some(Config { sew: 2, lmul: 3 }));
    }
}
