//! Data movers: carry backup streams from virtual devices to a repository and back over a network.

#![forbid(unsafe_code)]
