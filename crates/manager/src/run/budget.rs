//! How many streams a run may have open at once.

use std::fmt;
use std::num::NonZeroU16;

use serde::Serialize;

/// What the machine beside the database has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Machine {
    /// Cores that this process may use.
    pub cores: NonZeroU16,
    /// Bytes of memory; `None` when not known.
    pub memory: Option<u64>,
}

/// How many streams may be open at once, and by which rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Budget {
    streams: NonZeroU16,
    rule: Rule,
}

/// What a budget comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Rule {
    /// It was asked for.
    Asked,
    /// Two streams for each core.
    Cores,
    /// Five streams for each GiB of memory.
    Memory,
    /// One stream for each free task slot of the repository.
    Slots,
}

const GIB: u64 = 1 << 30;

impl Budget {
    /// As many as are asked for, whatever the machine is.
    pub const fn asked(streams: NonZeroU16) -> Self {
        Self {
            streams,
            rule: Rule::Asked,
        }
    }

    /// The documented rule: two streams for each core, and not more than five for each GiB of
    /// memory.
    pub fn of_machine(machine: Machine) -> Self {
        let cores = Self {
            streams: machine
                .cores
                .saturating_mul(NonZeroU16::MIN.saturating_add(1)),
            rule: Rule::Cores,
        };
        let memory = machine.memory.map(|bytes| Self {
            streams: at_least_one(u128::from(bytes) * 5 / u128::from(GIB)),
            rule: Rule::Memory,
        });
        memory.map_or(cores, |memory| cores.least(memory))
    }

    /// And not more than the repository has free task slots: one stream takes one.
    #[must_use]
    pub fn within_slots(self, slots: NonZeroU16) -> Self {
        self.least(Self {
            streams: slots,
            rule: Rule::Slots,
        })
    }

    /// Streams that may be open at once.
    pub const fn streams(self) -> NonZeroU16 {
        self.streams
    }

    /// What decided.
    pub const fn rule(self) -> Rule {
        self.rule
    }

    fn least(self, other: Self) -> Self {
        if other.streams < self.streams {
            other
        } else {
            self
        }
    }
}

fn at_least_one(number: u128) -> NonZeroU16 {
    u16::try_from(number)
        .ok()
        .map_or(NonZeroU16::MAX, |number| {
            NonZeroU16::new(number).unwrap_or(NonZeroU16::MIN)
        })
}

impl Machine {
    /// A machine with these cores, and memory that is not known.
    pub const fn with_cores(cores: NonZeroU16) -> Self {
        Self {
            cores,
            memory: None,
        }
    }

    /// This machine. Its memory is known on Linux only.
    pub fn this() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let cores = u16::try_from(cores).unwrap_or(u16::MAX);
        Self {
            cores: NonZeroU16::new(cores).unwrap_or(NonZeroU16::MIN),
            memory: std::fs::read_to_string("/proc/meminfo")
                .ok()
                .and_then(|text| memory_of(&text)),
        }
    }
}

/// The line `MemTotal:  16303412 kB`.
fn memory_of(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    kib.checked_mul(1024)
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let streams = self.streams;
        match self.rule {
            Rule::Asked => write!(f, "{streams} streams at once, as asked for"),
            Rule::Cores => write!(f, "{streams} streams at once: two for each core"),
            Rule::Memory => write!(f, "{streams} streams at once: five for each GiB of memory"),
            Rule::Slots => write!(
                f,
                "{streams} streams at once: the free task slots of the repository"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(number: u16) -> NonZeroU16 {
        NonZeroU16::new(number).unwrap()
    }

    fn machine(cores: u16, memory: u64) -> Machine {
        Machine {
            cores: number(cores),
            memory: Some(memory),
        }
    }

    #[test]
    fn the_scarcest_decides() {
        let of = |machine| {
            let budget = Budget::of_machine(machine);
            (budget.streams().get(), budget.rule())
        };
        assert_eq!(of(machine(4, 16 * GIB)), (8, Rule::Cores));
        assert_eq!(of(machine(16, 4 * GIB)), (20, Rule::Memory));
        assert_eq!(of(machine(1, GIB / 100)), (1, Rule::Memory));
        assert_eq!(of(Machine::with_cores(number(3))), (6, Rule::Cores));
    }

    #[test]
    fn task_slots_bound_what_is_asked_for_too() {
        let budget = Budget::asked(number(8)).within_slots(number(3));
        assert_eq!((budget.streams(), budget.rule()), (number(3), Rule::Slots));
        let budget = Budget::asked(number(8)).within_slots(number(9));
        assert_eq!((budget.streams(), budget.rule()), (number(8), Rule::Asked));
    }

    #[test]
    fn the_memory_of_linux_is_read() {
        let text = "MemFree: 1 kB\nMemTotal:       2048 kB\n";
        assert_eq!(memory_of(text), Some(2 << 20));
        assert_eq!(memory_of("MemTotal: much"), None);
    }
}
