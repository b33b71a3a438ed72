use uuid::Uuid;
use vab_format::block::BlockHeader;
use vab_format::codec::Decoder;
use vab_format::stream::StreamEnd;
use vab_format::vab::KeyArea;

use super::{KeyError, describe};

/// Keys and passphrases that may open what is encrypted; none, as this program was built without
/// encryption (feature `encrypt`).
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Secrets;

impl Secrets {
    #[expect(clippy::unused_self, reason = "as with keys")]
    pub(in crate::source) fn open(&self, area: &KeyArea) -> Result<Opening, KeyError> {
        tracing::warn!(slots = describe(area), "built without encryption");
        Err(KeyError::Unsupported)
    }
}

/// With what a backup is encrypted. There is none, as this program was built without encryption
/// (feature `encrypt`).
#[derive(Clone, Debug)]
pub enum Encryption {}

impl Encryption {
    pub(in crate::source) fn propose(&self) -> Result<Proposal, KeyError> {
        match *self {}
    }

    pub(in crate::source) fn keep(&self, _: Proposal) {
        match *self {}
    }

    pub(in crate::source) fn begin(
        &self,
        _: Proposal,
        _: &KeyArea,
        _: Uuid,
    ) -> Result<Sealing, KeyError> {
        match *self {}
    }
}

pub(in crate::source) enum Proposal {}

impl Proposal {
    pub(in crate::source) fn pack(&self) -> Result<Vec<u8>, KeyError> {
        match *self {}
    }
}

#[derive(Debug)]
pub(in crate::source) enum Sealing {}

impl Sealing {
    pub(in crate::source) fn stream(&mut self, _: u16) -> Result<Sealer, KeyError> {
        match *self {}
    }
}

#[derive(Debug)]
pub(in crate::source) enum Sealer {}

impl Sealer {
    pub(in crate::source) fn seal(
        &mut self,
        _: &BlockHeader,
        _: &mut [u8],
    ) -> Result<BlockHeader, KeyError> {
        match *self {}
    }

    pub(in crate::source) fn end(&self, _: StreamEnd) -> StreamEnd {
        match *self {}
    }
}

#[derive(Clone, Debug)]
pub(in crate::source) enum Opening {}

impl Opening {
    pub(in crate::source) fn decoder(&self) -> Decoder {
        match *self {}
    }

    pub(in crate::source) fn crc(_: &Decoder, _: Uuid, _: StreamEnd) -> Option<u32> {
        None
    }
}
