//! With what TLS protects its records.
//!
//! The suites are those of rustls with aws-lc, and everything but the records is done there.
//! aws-lc seals AES-GCM with wide instructions where a processor has AVX-512, and else 16 bytes
//! at a time; `ring` has wide ones for processors without AVX-512 too, twice as fast there. What
//! travels is the same.

use std::sync::{Arc, LazyLock};

use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, Algorithm, LessSafeKey, Nonce, UnboundKey};
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, cipher_suite};
use rustls::crypto::cipher::{
    self, AeadKey, InboundOpaqueMessage, InboundPlainMessage, Iv, MessageDecrypter,
    MessageEncrypter, OutboundOpaqueMessage, OutboundPlainMessage, PrefixedPayload,
    Tls13AeadAlgorithm, UnsupportedOperationError, make_tls13_aad,
};
use rustls::{
    CipherSuiteCommon, ConnectionTrafficSecrets, ContentType, Error, ProtocolVersion,
    SupportedCipherSuite, Tls13CipherSuite,
};

/// What a rustls configuration is made with.
pub(super) fn provider() -> Arc<CryptoProvider> {
    let mut provider = aws_lc_rs::default_provider();
    if ring_is_faster() {
        use_ring(&mut provider);
    }
    Arc::new(provider)
}

#[cfg(target_arch = "x86_64")]
fn ring_is_faster() -> bool {
    let wide = is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("vaes")
        && is_x86_feature_detected!("vpclmulqdq");
    wide && !is_x86_feature_detected!("avx512f")
}

#[cfg(not(target_arch = "x86_64"))]
const fn ring_is_faster() -> bool {
    false
}

/// The same suites in the same order.
fn use_ring(provider: &mut CryptoProvider) {
    for suite in &mut provider.cipher_suites {
        let ours = match suite.suite() {
            rustls::CipherSuite::TLS13_AES_256_GCM_SHA384 => AES_256.as_ref(),
            rustls::CipherSuite::TLS13_AES_128_GCM_SHA256 => AES_128.as_ref(),
            _ => None,
        };
        if let Some(ours) = ours {
            *suite = SupportedCipherSuite::Tls13(ours);
        }
    }
}

static GCM_256: Gcm = Gcm(&AES_256_GCM);
static GCM_128: Gcm = Gcm(&AES_128_GCM);
static AES_256: LazyLock<Option<Tls13CipherSuite>> =
    LazyLock::new(|| with(cipher_suite::TLS13_AES_256_GCM_SHA384, &GCM_256));
static AES_128: LazyLock<Option<Tls13CipherSuite>> =
    LazyLock::new(|| with(cipher_suite::TLS13_AES_128_GCM_SHA256, &GCM_128));

/// A suite whose records are protected by `records`.
fn with(suite: SupportedCipherSuite, records: &'static Gcm) -> Option<Tls13CipherSuite> {
    let suite = suite.tls13()?;
    Some(Tls13CipherSuite {
        common: CipherSuiteCommon {
            suite: suite.common.suite,
            hash_provider: suite.common.hash_provider,
            confidentiality_limit: suite.common.confidentiality_limit,
        },
        hkdf_provider: suite.hkdf_provider,
        aead_alg: records,
        quic: None,
    })
}

/// AES-GCM of `ring`.
struct Gcm(&'static Algorithm);

impl Gcm {
    fn records(&self, key: &AeadKey, iv: Iv) -> Records {
        Records {
            key: UnboundKey::new(self.0, key.as_ref())
                .ok()
                .map(LessSafeKey::new),
            iv,
        }
    }
}

impl Tls13AeadAlgorithm for Gcm {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        Box::new(self.records(&key, iv))
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        Box::new(self.records(&key, iv))
    }

    fn key_len(&self) -> usize {
        self.0.key_len()
    }

    fn extract_keys(
        &self,
        _key: AeadKey,
        _iv: Iv,
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        Err(UnsupportedOperationError)
    }
}

/// One direction of a connection. Each record has a number of its own, which rustls counts and
/// never repeats under a key: that makes the nonces unique.
struct Records {
    /// Absent if rustls gave a key of another length; then nothing is sealed or opened.
    key: Option<LessSafeKey>,
    iv: Iv,
}

impl Records {
    fn nonce(&self, number: u64) -> Nonce {
        Nonce::assume_unique_for_key(cipher::Nonce::new(&self.iv, number).0)
    }
}

/// What a sealed record has beside its payload: the type of what is in it, and the tag.
const ADDED: usize = 1 + 16;

/// Bytes that are copied at a time: see [`crate::copy`].
const STRIDE: usize = crate::copy::STRIDE;

impl MessageEncrypter for Records {
    fn encrypt(
        &mut self,
        message: OutboundPlainMessage<'_>,
        number: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        let key = self.key.as_ref().ok_or(Error::EncryptError)?;
        let length = self.encrypted_payload_len(message.payload.len());
        let mut payload = PrefixedPayload::with_capacity(length);
        let mut rest = message.payload;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(STRIDE.min(rest.len()));
            payload.extend_from_chunks(&now);
            rest = later;
        }
        payload.extend_from_slice(&[message.typ.into()]);
        let about = Aad::from(make_tls13_aad(length));
        key.seal_in_place_append_tag(self.nonce(number), about, &mut payload)
            .map_err(|_| Error::EncryptError)?;
        // TLS 1.3 calls all its records so.
        let kind = (ContentType::ApplicationData, ProtocolVersion::TLSv1_2);
        Ok(OutboundOpaqueMessage::new(kind.0, kind.1, payload))
    }

    fn encrypted_payload_len(&self, length: usize) -> usize {
        length + ADDED
    }
}

impl MessageDecrypter for Records {
    fn decrypt<'a>(
        &mut self,
        mut message: InboundOpaqueMessage<'a>,
        number: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        let key = self.key.as_ref().ok_or(Error::DecryptError)?;
        let payload = &mut message.payload;
        let about = Aad::from(make_tls13_aad(payload.len()));
        // Refuses what is shorter than a tag.
        let length = key
            .open_in_place(self.nonce(number), about, payload)
            .map_err(|_| Error::DecryptError)?
            .len();
        payload.truncate(length);
        message.into_tls13_unpadded_message()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use rustls::{ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection};

    use super::*;

    /// One side with the suites of aws-lc, the other with those of `ring`.
    fn mixed() -> [Arc<CryptoProvider>; 2] {
        let plain = aws_lc_rs::default_provider();
        let mut ours = aws_lc_rs::default_provider();
        use_ring(&mut ours);
        [Arc::new(plain), Arc::new(ours)]
    }

    fn only(provider: &CryptoProvider, suite: rustls::CipherSuite) -> Arc<CryptoProvider> {
        let mut provider = provider.clone();
        provider.cipher_suites.retain(|one| one.suite() == suite);
        Arc::new(provider)
    }

    fn pair(
        client: &CryptoProvider,
        server: &CryptoProvider,
        suite: rustls::CipherSuite,
    ) -> [Connection; 2] {
        let own = rcgen::generate_simple_self_signed(["target".to_owned()]).unwrap();
        let key =
            rustls::pki_types::PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(own.cert.der().clone()).unwrap();
        let server = ServerConfig::builder_with_provider(only(server, suite))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key)
            .unwrap();
        let client = ClientConfig::builder_with_provider(only(client, suite))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = "target".try_into().unwrap();
        [
            ClientConnection::new(Arc::new(client), name)
                .unwrap()
                .into(),
            ServerConnection::new(Arc::new(server)).unwrap().into(),
        ]
    }

    /// What one side has to say goes to the other.
    fn carry(from: &mut Connection, to: &mut Connection) -> Result<(), Error> {
        let mut records = Vec::new();
        while from.wants_write() {
            from.write_tls(&mut records).unwrap();
        }
        let mut rest = records.as_slice();
        while !rest.is_empty() {
            to.read_tls(&mut rest).unwrap();
            to.process_new_packets()?;
        }
        Ok(())
    }

    fn greet([client, server]: &mut [Connection; 2]) {
        while client.is_handshaking() || server.is_handshaking() {
            carry(client, server).unwrap();
            carry(server, client).unwrap();
        }
    }

    #[test]
    fn both_implementations_understand_each_other() {
        let [plain, ours] = mixed();
        for suite in [
            rustls::CipherSuite::TLS13_AES_256_GCM_SHA384,
            rustls::CipherSuite::TLS13_AES_128_GCM_SHA256,
        ] {
            for (client, server) in [(&plain, &ours), (&ours, &plain), (&ours, &ours)] {
                let mut sides = pair(client, server, suite);
                greet(&mut sides);
                let [one, other] = &mut sides;
                // Sizes around the pieces that are copied, and a full record.
                for size in [1, STRIDE - 1, STRIDE, STRIDE + 1, 16 * 1024] {
                    let said = vec![u8::try_from(size % 251).unwrap(); size];
                    for _ in 0..2 {
                        one.writer().write_all(&said).unwrap();
                        carry(one, other).unwrap();
                        let mut heard = vec![0; size];
                        other.reader().read_exact(&mut heard).unwrap();
                        assert!(heard == said, "{suite:?}, {size} bytes");
                        std::mem::swap(one, other);
                    }
                }
            }
        }
    }

    #[test]
    fn a_record_that_was_changed_is_refused() {
        let [_, ours] = mixed();
        let suite = rustls::CipherSuite::TLS13_AES_256_GCM_SHA384;
        // A byte of the header that is authenticated, of the content, and of the tag.
        for place in [4, 5, 30, 5 + 100 + ADDED - 1] {
            let mut sides = pair(&ours, &ours, suite);
            greet(&mut sides);
            let [client, server] = &mut sides;
            client.writer().write_all(&[7; 100]).unwrap();
            let mut record = Vec::new();
            client.write_tls(&mut record).unwrap();
            assert_eq!(record.len(), 5 + 100 + ADDED);
            record[place] ^= 1;
            // Shorter than it says would only be waited for.
            record.extend_from_slice(&[0; 8]);
            server.read_tls(&mut record.as_slice()).unwrap();
            assert_eq!(
                server.process_new_packets().unwrap_err(),
                Error::DecryptError,
                "{place}"
            );
        }
    }

    #[test]
    fn the_suites_and_their_order_stay() {
        let [plain, ours] = mixed();
        let names = |provider: &CryptoProvider| -> Vec<_> {
            provider
                .cipher_suites
                .iter()
                .map(SupportedCipherSuite::suite)
                .collect()
        };
        assert_eq!(names(&plain), names(&ours));
    }
}
