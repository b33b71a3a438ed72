//! Both movers over real sockets, with virtual devices and a store in memory.

#[cfg(test)]
mod encoded;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod resume;
#[cfg(test)]
mod road;
#[cfg(test)]
#[cfg(feature = "tls")]
mod security;
#[cfg(test)]
mod sharing;
#[cfg(test)]
mod support;
#[cfg(test)]
mod watching;
