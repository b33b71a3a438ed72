//! Both ends of the protocol in one process, with virtual time and a seeded network.
//!
//! Each run is made of its seed alone: the streams, the speeds, the delays, where connections are
//! cut, which end notices, when the target dies and what of its disk survives. `VAB_EFFORT=10`
//! makes ten times as many runs; `VAB_SEED=n` makes one run, and prints what happens in it.

#[cfg(test)]
mod backup;
#[cfg(test)]
mod disk;
#[cfg(test)]
mod net;
#[cfg(test)]
mod random;
#[cfg(test)]
mod restore;
#[cfg(test)]
mod runs;
