//! How the two sides get to know each other.
//!
//! The engine connects and says what it wants; the client answers. A message is a length (u32,
//! at most [`MAX_MESSAGE`]) and that many bytes; numbers are little-endian, a name is its length
//! in bytes (u16) and its UTF-8.

use std::time::Duration;

use crate::code::Features;
use crate::config::MAX_DEVICES;
use crate::configuration::Direction;
use crate::engine::OpenSetRequest;
use crate::error::EngineError;
use crate::geometry::Geometry;
use crate::name::DeviceName;
use crate::pipe::memory::Shape;

/// The most bytes of one message: 64 names of 127 characters fit.
pub(super) const MAX_MESSAGE: usize = 64 << 10;

pub(super) const MAGIC: &[u8; 8] = b"VABVDI\x02\x00";

/// Ties the connections of one engine together. Who may connect is not decided by it.
pub(super) type Token = [u8; 16];

/// What an engine says first on a connection.
#[derive(Debug)]
pub(super) enum Hello {
    /// The set's own connection; whether the engine offers memory for the data.
    Set(OpenSetRequest, bool),
    /// A device's connection.
    Device { token: Token, index: u16 },
}

/// What a client answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// If memory is wanted, the engine sends it next.
    Welcome {
        token: Token,
        features: Features,
        memory: bool,
    },
    Busy,
    OtherSet,
    DeviceCount {
        actual: u16,
    },
    UnknownDevice {
        index: u16,
    },
    Malformed,
}

impl Hello {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        match self {
            Self::Device { token, index } => {
                out.push(2);
                out.extend_from_slice(token);
                out.extend_from_slice(&index.to_le_bytes());
            }
            Self::Set(request, memory) => {
                out.push(1);
                out.push(u8::from(*memory));
                out.push(match request.direction {
                    Direction::Backup => 1,
                    Direction::Restore => 2,
                });
                out.push(u8::from(request.request_complete));
                let numbers = [
                    request.geometry.block_size(),
                    request.geometry.max_transfer(),
                    u32::try_from(request.buffer_count).unwrap_or(u32::MAX),
                    u32::try_from(request.depth).unwrap_or(u32::MAX),
                ];
                out.extend(numbers.into_iter().flat_map(u32::to_le_bytes));
                let count = u16::try_from(request.device_names.len()).unwrap_or(u16::MAX);
                out.extend_from_slice(&count.to_le_bytes());
                for name in &request.device_names {
                    let name = name.as_str().as_bytes();
                    let length = u16::try_from(name.len()).unwrap_or(u16::MAX);
                    out.extend_from_slice(&length.to_le_bytes());
                    out.extend_from_slice(name);
                }
            }
        }
        out
    }

    /// `None` when the bytes are no hello.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut input = Input(bytes);
        if input.array()? != *MAGIC {
            return None;
        }
        let hello = match input.array()? {
            [1] => {
                let memory = input.flag()?;
                Self::Set(input.request()?, memory)
            }
            [2] => Self::Device {
                token: input.array()?,
                index: u16::from_le_bytes(input.array()?),
            },
            _ => return None,
        };
        input.0.is_empty().then_some(hello)
    }
}

impl Answer {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        let (kind, number) = match self {
            Self::Welcome { .. } => (0, 0),
            Self::Busy => (1, 0),
            Self::OtherSet => (2, 0),
            Self::DeviceCount { actual } => (3, *actual),
            Self::UnknownDevice { index } => (4, *index),
            Self::Malformed => (5, 0),
        };
        out.push(kind);
        out.extend_from_slice(&number.to_le_bytes());
        if let Self::Welcome {
            token,
            features,
            memory,
        } = self
        {
            out.extend_from_slice(token);
            out.extend_from_slice(&features.bits().to_le_bytes());
            out.push(u8::from(*memory));
        }
        out
    }

    /// `None` when the bytes are no answer.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut input = Input(bytes);
        if input.array()? != *MAGIC {
            return None;
        }
        let [kind] = input.array()?;
        let number = u16::from_le_bytes(input.array()?);
        let answer = match kind {
            0 => Self::Welcome {
                token: input.array()?,
                features: Features::from_bits(input.number()?),
                memory: input.flag()?,
            },
            1 => Self::Busy,
            2 => Self::OtherSet,
            3 => Self::DeviceCount { actual: number },
            4 => Self::UnknownDevice { index: number },
            5 => Self::Malformed,
            _ => return None,
        };
        input.0.is_empty().then_some(answer)
    }

    /// Whether this is the welcome with that token.
    pub(super) fn has(&self, wanted: &Token) -> bool {
        matches!(self, Self::Welcome { token, .. } if token == wanted)
    }

    /// The answer that says what is wrong with a request.
    pub(super) fn refusal(error: &EngineError, request: &OpenSetRequest) -> Self {
        match error {
            EngineError::DeviceCount { actual, .. } => Self::DeviceCount {
                actual: u16::try_from(*actual).unwrap_or(u16::MAX),
            },
            EngineError::UnknownDevice { device, .. } => {
                let mut names = request.device_names.iter();
                let index = names.position(|name| name == device).unwrap_or_default();
                Self::UnknownDevice {
                    index: u16::try_from(index).unwrap_or(u16::MAX),
                }
            }
            _ => Self::Malformed,
        }
    }

    /// What the answer means to the engine, for the set `name`.
    pub(super) fn into_error(
        self,
        name: DeviceName,
        request: &OpenSetRequest,
        waited: Duration,
    ) -> EngineError {
        match self {
            Self::Busy => EngineError::Busy { name },
            Self::OtherSet => EngineError::NoSuchSet { name, waited },
            Self::DeviceCount { actual } => EngineError::DeviceCount {
                name,
                wanted: request.device_names.len(),
                actual: actual.into(),
            },
            Self::UnknownDevice { index } => EngineError::UnknownDevice {
                device: request
                    .device_names
                    .get(usize::from(index))
                    .unwrap_or(&name)
                    .clone(),
                set: name,
            },
            Self::Welcome { .. } | Self::Malformed => EngineError::Protocol {
                reason: "it does not understand the request".into(),
            },
        }
    }
}

impl OpenSetRequest {
    /// The memory that both sides derive from the request.
    pub(super) fn shape(&self) -> Shape {
        Shape {
            devices: self.device_names.len(),
            slots: self.depth,
            slot: self.geometry.max_len(),
        }
    }
}

/// What is left to decode.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (first, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(first)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    fn number(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.array()?))
    }

    fn flag(&mut self) -> Option<bool> {
        match self.array()? {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }

    fn name(&mut self) -> Option<DeviceName> {
        let length = u16::from_le_bytes(self.array()?);
        let name = std::str::from_utf8(self.bytes(length.into())?).ok()?;
        DeviceName::new(name).ok()
    }

    fn request(&mut self) -> Option<OpenSetRequest> {
        let direction = match self.array()? {
            [1] => Direction::Backup,
            [2] => Direction::Restore,
            _ => return None,
        };
        let request_complete = self.flag()?;
        let geometry = Geometry::new(self.number()?, self.number()?).ok()?;
        let buffer_count = usize::try_from(self.number()?).ok()?;
        let depth = usize::try_from(self.number()?).ok()?;
        let count = usize::from(u16::from_le_bytes(self.array()?));
        if !(1..=MAX_DEVICES).contains(&count) {
            return None;
        }
        let names = (0..count).map(|_| self.name()).collect::<Option<_>>()?;
        let mut request = OpenSetRequest::new(names, direction, geometry);
        request.request_complete = request_complete;
        request.buffer_count = buffer_count;
        request.depth = depth;
        Some(request.with_own_buffers())
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::effort::{cases, length};

    proptest! {
        #![proptest_config(cases())]

        #[test]
        fn any_bytes_are_a_message_or_none(mut bytes in vec(any::<u8>(), 0..length(200, 40)), magic: bool) {
            if magic {
                bytes.splice(0..0, MAGIC.iter().copied());
            }
            if let Some(answer) = Answer::decode(&bytes) {
                prop_assert_eq!(Answer::decode(&answer.encode()), Some(answer));
            }
            let _ = Hello::decode(&bytes);
        }

        #[test]
        fn a_damaged_request_is_never_beyond_the_limits(at in 0_usize..60, to: u8) {
            let mut bytes = Hello::Set(request(3), true).encode();
            let last = bytes.len() - 1;
            bytes[at.min(last)] = to;
            if let Some(Hello::Set(request, _)) = Hello::decode(&bytes) {
                prop_assert!(request.depth <= OpenSetRequest::MAX_DEPTH);
                prop_assert!(request.buffer_count <= OpenSetRequest::MAX_BUFFERS);
                prop_assert!(request.device_names.len() <= MAX_DEVICES);
            }
        }
    }

    fn request(devices: usize) -> OpenSetRequest {
        let name = |n| DeviceName::new(format!("{}{n}", "é".repeat(120))).unwrap();
        let names = (0..devices).map(name).collect();
        OpenSetRequest::new(
            names,
            Direction::Restore,
            Geometry::new(4096, 65_536).unwrap(),
        )
    }

    #[test]
    fn a_request_of_64_long_names_fits_and_comes_back() {
        let all = length(64, 3);
        let bytes = Hello::Set(request(all), true).encode();
        assert!(bytes.len() <= MAX_MESSAGE);
        let Some(Hello::Set(back, true)) = Hello::decode(&bytes) else {
            panic!("a request")
        };
        assert_eq!(back.device_names, request(all).device_names);
        assert_eq!(back.geometry, request(all).geometry);
        assert_eq!(back.direction, Direction::Restore);
    }

    #[test]
    fn a_cut_or_longer_request_is_refused() {
        let bytes = Hello::Set(request(2), false).encode();
        for cut in (0..bytes.len()).step_by(length(1, 41)) {
            assert!(Hello::decode(&bytes[..cut]).is_none());
        }
        assert!(Hello::decode(&[&bytes[..], b"x"].concat()).is_none());
    }
}
