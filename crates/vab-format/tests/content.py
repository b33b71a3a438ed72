"""Raw bytes from the payloads of blocks: FORMAT.md, sections 8 and 9, standard library only.

AES and GHASH are written out here; slow, and of no use for anything but small test files.
"""

import hashlib
import hmac
import struct


def lz4(data, length):
    """One LZ4 block of `length` raw bytes."""
    out, at = bytearray(), 0

    def more(count):
        nonlocal at
        while count >= 15 and data[at] == 255:
            count, at = count + 255, at + 1
        if count >= 15:
            count, at = count + data[at], at + 1
        return count

    while True:
        token = data[at]
        at += 1
        literals = more(token >> 4)
        out += data[at : at + literals]
        at += literals
        if at >= len(data):
            break
        distance = data[at] | data[at + 1] << 8
        at += 2
        for _ in range(more(token & 15) + 4):
            out.append(out[-distance])
    if len(out) != length:
        raise ValueError("LZ4 block of another length")
    return bytes(out)


def hkdf(salt, secret, info, length=32):
    key = hmac.new(salt, secret, hashlib.sha256).digest()
    return hmac.new(key, info + b"\1", hashlib.sha256).digest()[:length]


def double(byte):
    return (byte << 1 ^ (0x1B if byte & 0x80 else 0)) & 0xFF


def make_sbox():
    """Each byte's inverse in GF(2^8), and the affine map of AES."""
    powers, value = [], 1
    for _ in range(255):
        powers.append(value)
        value ^= double(value)
    sbox = []
    for byte in range(256):
        inverse = powers[-powers.index(byte) % 255] if byte else 0
        turned = [(inverse << n | inverse >> (8 - n)) & 0xFF for n in range(5)]
        sbox.append(turned[0] ^ turned[1] ^ turned[2] ^ turned[3] ^ turned[4] ^ 0x63)
    return sbox


SBOX = make_sbox()


class Aes256:
    def __init__(self, key):
        words, constant = [list(key[n : n + 4]) for n in range(0, 32, 4)], 1
        for n in range(8, 60):
            word = list(words[n - 1])
            if n % 8 == 0:
                word = [SBOX[byte] for byte in word[1:] + word[:1]]
                word[0] ^= constant
                constant = double(constant)
            elif n % 8 == 4:
                word = [SBOX[byte] for byte in word]
            words.append([a ^ b for a, b in zip(words[n - 8], word)])
        self.rounds = [sum(words[n : n + 4], []) for n in range(0, 60, 4)]

    def block(self, state):
        state = [a ^ b for a, b in zip(state, self.rounds[0])]
        for number, key in enumerate(self.rounds[1:]):
            state = [SBOX[state[(n + 4 * (n % 4)) % 16]] for n in range(16)]
            if number < 13:
                mixed = []
                for c in range(0, 16, 4):
                    column = state[c : c + 4]
                    every = column[0] ^ column[1] ^ column[2] ^ column[3]
                    for n in range(4):
                        mixed.append(column[n] ^ every ^ double(column[n] ^ column[(n + 1) % 4]))
                state = mixed
            state = [a ^ b for a, b in zip(state, key)]
        return bytes(state)


def times(x, y):
    product = 0
    for bit in range(127, -1, -1):
        if x >> bit & 1:
            product ^= y
        y = y >> 1 ^ (0xE1 << 120 if y & 1 else 0)
    return product


def gcm_open(key, nonce, sealed, bound):
    """AES-256-GCM: the plaintext of ciphertext and tag."""
    aes, text, tag = Aes256(key), sealed[:-16], sealed[-16:]
    h, hashed = int.from_bytes(aes.block(bytes(16)), "big"), 0
    for part in (bound, text):
        for at in range(0, len(part), 16):
            chunk = int.from_bytes(part[at : at + 16].ljust(16, b"\0"), "big")
            hashed = times(hashed ^ chunk, h)
    hashed = times(hashed ^ (len(bound) * 8 << 64 | len(text) * 8), h)
    mask = int.from_bytes(aes.block(nonce + b"\0\0\0\1"), "big")
    if (hashed ^ mask).to_bytes(16, "big") != tag:
        raise ValueError("not authentic")
    stream = b"".join(
        aes.block(nonce + struct.pack(">I", 2 + n)) for n in range(-(-len(text) // 16))
    )
    return bytes(a ^ b for a, b in zip(text, stream))


def data_key(file, key):
    """The data key of a file, from the first slot that the 32 bytes of `key` open."""
    for at in range(4096, 17 * 4096, 4096):
        slot = file[at : at + 4096]
        if slot[:10] == b"VABSLOT\0\1\0":
            wrapping = hkdf(slot[24:56], key, b"vab 1 slot")
            try:
                return gcm_open(wrapping, bytes(12), slot[136:184], slot[:136])
            except ValueError:
                continue
    raise ValueError("no slot opens with this key")


def decrypt(key, head, session, stream, sequence, payload):
    session_key = hkdf(payload[:16], key, b"vab 1 session" + session)
    nonce = struct.pack("<HHQ", stream, 0, sequence)
    return gcm_open(session_key, nonce, payload[16:], head[:52])


def stream_mask(key, session, stream, payload):
    info = b"vab 1 stream" + session + struct.pack("<H", stream)
    return struct.unpack("<I", hkdf(payload[:16], key, info, 4))[0]
