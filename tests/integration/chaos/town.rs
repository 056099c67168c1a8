//! The town that is called: ten thousand numbers whose owners, and the networks before them, behave at random.

use std::sync::{Arc, Mutex};

use govorun::rehearsal::asterisk::{FarEnd, Refusal, Step};

use crate::app::word;

/// A generator that a seed repeats (xorshift64*).
#[derive(Clone, Debug)]
pub struct Dice(Arc<Mutex<u64>>);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(seed | 1)))
    }

    /// A number below `end`.
    pub fn below(&self, end: u64) -> u64 {
        let mut state = self.0.lock().unwrap();
        *state ^= *state >> 12;
        *state ^= *state << 25;
        *state ^= *state >> 27;
        (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % end
    }

    pub fn between(&self, from: u64, to: u64) -> u64 {
        from + self.below(to - from)
    }
}

/// Which dialog calls order `n`: mostly by keys; one in ten is bounded on its own; one in twenty is by words.
pub fn dialog(n: usize) -> &'static str {
    match n % 20 {
        3 | 13 => "few",
        7 => "words",
        _ => "keys",
    }
}

/// The number of order `n`; one in eight goes by a trunk of its own.
pub fn phone(n: usize) -> String {
    let code = if n.is_multiple_of(8) { 901 } else { 900 };
    format!("+7{code}{n:07}")
}

/// The order that a dialed number belongs to, and the digit of the trunk before it.
pub fn whose(dialed: &str) -> (char, usize) {
    let trunk = dialed.chars().next().unwrap();
    (trunk, dialed[dialed.len() - 7..].parse().unwrap())
}

/// The person at a dialed number: another one each time.
pub fn person(dice: &Dice, dialed: &str) -> FarEnd {
    let (trunk, n) = whose(dialed);
    let answers = || FarEnd::answers_after(dice.between(5, 120));
    let before = |refusal| {
        let ring = Step::Ring(dice.between(0, 200));
        FarEnd::default().then(ring).then(Step::Fail(refusal))
    };
    // One trunk is worse than the others.
    let congested = if trunk == '1' { 12 } else { 4 };
    match dice.below(100) {
        roll if roll < congested => FarEnd::fails(Refusal::Congestion),
        12..22 => before(Refusal::Busy),
        22..26 => FarEnd::rings(),
        26..28 => before(Refusal::Unallocated),
        28..31 => before(Refusal::Rejected),
        31..34 => before(Refusal::Unavailable),
        34..42 => answers().wait(dice.between(0, 300)).hang_up(),
        42..48 => answers().wait(60_000),
        48..52 => answers().begin_to_say(&word("нет")).wait(60_000),
        _ if dialog(n) == "words" => answers()
            .until_prompt_ends()
            .wait(50)
            .say(&word("да"))
            .wait(60_000),
        _ => answers()
            .until_prompt_starts()
            .wait(dice.between(10, 150))
            .digit('1')
            .wait(60_000),
    }
}
