use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;
use vab_format::record::RecordBuffer;

use crate::pool::Buffer;

/// The payload of a [`Block`](crate::Block): bytes that are shared, not copied, by its clones.
///
/// What came over a connection lies in memory of the shape of a record, so that a store can write
/// it from where it was received: [`Payload::into_record`].
#[derive(Clone)]
pub struct Payload(Memory);

#[derive(Clone)]
enum Memory {
    Shared(Bytes),
    Received(Arc<Buffer>),
}

impl Payload {
    pub(crate) fn received(buffer: Buffer) -> Self {
        Self(Memory::Received(Arc::new(buffer)))
    }

    /// The bytes, without a copy.
    pub fn into_bytes(self) -> Bytes {
        match self.0 {
            Memory::Shared(bytes) => bytes,
            Memory::Received(buffer) => match Arc::try_unwrap(buffer) {
                Ok(buffer) => buffer.freeze(),
                Err(shared) => Bytes::from_owner(Self(Memory::Received(shared))),
            },
        }
    }

    /// The payload with room around it for what makes it a record. It is copied if it did not
    /// come over a connection, or has clones.
    pub fn into_record(self) -> impl AsMut<RecordBuffer> + Send + Sync + 'static {
        match self.0 {
            Memory::Received(buffer) => {
                Arc::try_unwrap(buffer).unwrap_or_else(|shared| Buffer::of(shared.bytes()))
            }
            Memory::Shared(bytes) => Buffer::of(&bytes),
        }
    }
}

impl Deref for Payload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Memory::Shared(bytes) => bytes,
            Memory::Received(buffer) => buffer.bytes(),
        }
    }
}

impl AsRef<[u8]> for Payload {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Self(Memory::Shared(bytes))
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<&'static [u8]> for Payload {
    fn from(bytes: &'static [u8]) -> Self {
        Bytes::from_static(bytes).into()
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Payload {}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::Pool;

    fn received() -> Payload {
        let mut buffer = Pool::new(1).take(4);
        buffer.extend(b"rows");
        Payload::received(buffer)
    }

    #[test]
    fn what_was_received_is_written_from_the_same_memory() {
        let payload = received();
        let address = payload.as_ptr();
        let mut record = payload.into_record();
        assert_eq!(record.as_mut().payload(), b"rows");
        assert_eq!(record.as_mut().payload().as_ptr(), address);
    }

    #[test]
    fn what_somebody_else_has_too_is_copied() {
        let payload = received();
        let other = payload.clone();
        let mut record = payload.into_record();
        record.as_mut().growing().extend_from_slice(b" and more");
        assert_eq!(&*other, b"rows");
        let mut record = Payload::from(b"rows".as_slice()).into_record();
        assert_eq!(record.as_mut().payload(), b"rows");
    }

    #[test]
    fn its_bytes_are_not_copied() {
        for payload in [received(), Payload::from(b"rows".to_vec())] {
            let (other, address) = (payload.clone(), payload.as_ptr());
            let shared = payload.into_bytes();
            assert_eq!((shared.as_ptr(), &*shared), (address, b"rows".as_slice()));
            drop(shared);
            assert_eq!(other.into_bytes().as_ptr(), address);
        }
    }
}
