//! Both ends of the protocol in one process, with virtual time and a seeded network.
//!
//! Each run is made of its seed alone: the streams, the speeds, the delays, where connections are
//! cut, which end notices, which end stops reading, what arrives late and twice, when either
//! process dies and what of the disk survives, how the clocks jump. `VAB_EFFORT=10` makes ten times
//! as many runs, from `VAB_FIRST_SEED` on; `VAB_SEED=n` makes one run, and prints what happens in
//! it.

#[cfg(test)]
mod backup;
#[cfg(test)]
mod disk;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod net;
#[cfg(test)]
mod random;
#[cfg(test)]
mod restore;
#[cfg(test)]
mod runs;
#[cfg(test)]
mod tally;
