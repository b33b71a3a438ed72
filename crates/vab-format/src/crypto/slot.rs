//! Wrapping the data key, and getting it back.

use aws_lc_rs::aead::{Aad, LessSafeKey, Nonce};
use zeroize::Zeroizing;

use super::CryptoError;
use super::derive::{TAG, cipher, hkdf};
use super::key::{DataKey, Secret, SecretKind, random};
use crate::vab::{Argon2Cost, KeyArea, KeySlot, SlotKind};

/// A key slot that opens with `secret`. A passphrase gets the default cost.
///
/// # Errors
/// When the label is longer than 64 bytes, or the operating system fails.
pub fn wrap(
    data_key: &DataKey,
    secret: &Secret,
    label: impl Into<String>,
) -> Result<KeySlot, CryptoError> {
    wrap_with_cost(data_key, secret, label, Argon2Cost::default())
}

/// The same, with another cost of trying a passphrase.
///
/// # Errors
/// As [`wrap`], and when the cost is out of its range.
pub fn wrap_with_cost(
    data_key: &DataKey,
    secret: &Secret,
    label: impl Into<String>,
    cost: Argon2Cost,
) -> Result<KeySlot, CryptoError> {
    let mut slot = KeySlot {
        kind: match secret.0 {
            SecretKind::Key(_) => SlotKind::Key,
            SecretKind::Passphrase(_) => SlotKind::Passphrase(cost),
        },
        salt: random()?,
        label: label.into(),
        data_key: data_key.id(),
        wrapped: [0; 48],
    };
    let bound = slot.associated_data()?;
    let key = wrapping_key(&slot, secret)?.ok_or(CryptoError::Cipher)?;
    let mut bytes = Zeroizing::new(*data_key.bytes());
    let tag = key
        .seal_in_place_separate_tag(only_nonce(), Aad::from(bound), bytes.as_mut_slice())
        .map_err(|_| CryptoError::Cipher)?;
    let (ciphertext, end) = slot.wrapped.split_at_mut(32);
    ciphertext.copy_from_slice(bytes.as_slice());
    end.copy_from_slice(tag.as_ref());
    Ok(slot)
}

/// The data key, from the first slot that opens with `secret`.
///
/// # Errors
/// When no slot opens with it.
pub fn unlock(area: &KeyArea, secret: &Secret) -> Result<DataKey, CryptoError> {
    if area.slots().next().is_none() {
        return Err(CryptoError::NoSlots);
    }
    let mut tried = 0;
    for (_, slot) in area.slots() {
        if let Some(key) = wrapping_key(slot, secret)? {
            tried += 1;
            if let Some(data_key) = open(slot, &key)? {
                return Ok(data_key);
            }
        }
    }
    Err(CryptoError::WrongSecret { tried })
}

fn open(slot: &KeySlot, key: &LessSafeKey) -> Result<Option<DataKey>, CryptoError> {
    let bound = slot.associated_data()?;
    let mut bytes = Zeroizing::new(slot.wrapped);
    let Ok(opened) = key.open_in_place(only_nonce(), Aad::from(bound), bytes.as_mut_slice()) else {
        return Ok(None);
    };
    let mut data_key = Zeroizing::new([0; 48 - TAG]);
    data_key.copy_from_slice(opened);
    Ok(Some(DataKey::from_parts(slot.data_key, data_key)))
}

/// The key that wraps the data key; `None` when the slot is for another kind of secret.
fn wrapping_key(slot: &KeySlot, secret: &Secret) -> Result<Option<LessSafeKey>, CryptoError> {
    let input = match (slot.kind, &secret.0) {
        (SlotKind::Key, SecretKind::Key(key)) => key.clone(),
        (SlotKind::Passphrase(cost), SecretKind::Passphrase(text)) => {
            stretch(cost, text, &slot.salt)?
        }
        _ => return Ok(None),
    };
    let key = hkdf(&slot.salt, input.as_slice(), &[b"vab 1 slot"]);
    Ok(cipher(&key))
}

fn stretch(
    cost: Argon2Cost,
    text: &str,
    salt: &[u8; 32],
) -> Result<Zeroizing<[u8; 32]>, CryptoError> {
    let failed = |error: argon2::Error| CryptoError::Passphrase {
        reason: error.to_string(),
    };
    let parameters = argon2::Params::new(cost.memory, cost.passes, cost.lanes, Some(32));
    let argon2 = argon2::Argon2::new(
        argon2::Algorithm::Argon2id,
        argon2::Version::V0x13,
        parameters.map_err(failed)?,
    );
    let mut out = Zeroizing::new([0; 32]);
    argon2
        .hash_password_into(text.as_bytes(), salt, out.as_mut_slice())
        .map_err(failed)?;
    Ok(out)
}

/// A wrapping key has a salt of its own and is used once.
fn only_nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Argon2Cost = Argon2Cost {
        memory: 16,
        passes: 1,
        lanes: 1,
    };

    fn area(data_key: &DataKey) -> KeyArea {
        let passphrase = Secret::passphrase("correct horse");
        KeyArea::of([
            wrap(data_key, &Secret::key([7; 32]), "key").unwrap(),
            wrap_with_cost(data_key, &passphrase, "people", CHEAP).unwrap(),
        ])
    }

    #[test]
    fn every_slot_opens_with_its_secret() {
        let data_key = DataKey::random().unwrap();
        let area = area(&data_key);
        for secret in [Secret::key([7; 32]), Secret::passphrase("correct horse")] {
            let opened = unlock(&area, &secret).unwrap();
            assert_eq!(opened.bytes(), data_key.bytes());
            assert_eq!(opened.id(), data_key.id());
        }
    }

    #[test]
    fn another_secret_opens_nothing() {
        let area = area(&DataKey::random().unwrap());
        for secret in [
            Secret::key([8; 32]),
            Secret::passphrase("correct hors"),
            Secret::passphrase(""),
        ] {
            let error = unlock(&area, &secret).unwrap_err();
            assert_eq!(error, CryptoError::WrongSecret { tried: 1 });
        }
    }

    #[test]
    fn an_area_without_slots_says_so() {
        let error = unlock(&KeyArea::default(), &Secret::key([7; 32])).unwrap_err();
        assert_eq!(error, CryptoError::NoSlots);
    }

    #[test]
    fn a_slot_that_was_changed_does_not_open() {
        let data_key = DataKey::random().unwrap();
        let secret = Secret::key([7; 32]);
        let slot = wrap(&data_key, &secret, "key").unwrap();
        let changes: [fn(&mut KeySlot); 4] = [
            |slot| slot.label.push('x'),
            |slot| slot.salt[0] ^= 1,
            |slot| slot.data_key = uuid::Uuid::from_u128(0),
            |slot| slot.wrapped[47] ^= 1,
        ];
        for change in changes {
            let mut slot = slot.clone();
            change(&mut slot);
            assert!(unlock(&KeyArea::of([slot]), &secret).is_err());
        }
    }

    #[test]
    fn the_same_secret_wraps_differently_each_time() {
        let data_key = DataKey::random().unwrap();
        let secret = Secret::key([7; 32]);
        let one = wrap(&data_key, &secret, "").unwrap();
        let two = wrap(&data_key, &secret, "").unwrap();
        assert_ne!(one.wrapped, two.wrapped);
    }
}
