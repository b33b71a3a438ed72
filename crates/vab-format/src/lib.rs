//! Codec of the .VAB, .VASM and .VACM backup container files: bytes in, bytes out.

#![forbid(unsafe_code)]
