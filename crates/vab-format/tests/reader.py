#!/usr/bin/env python3
"""Reads .VAB, .VASM and .VACM files, written from FORMAT.md alone.

usage: reader.py FILE                  lists what the file holds, and checks every byte of it
       reader.py FILE.VAB DIR [KEY]    also writes every stream as DIR/<ordinal>-<stream>.raw,
                                       but those compressed with Zstandard; KEY is the key of an
                                       encrypted file, in hexadecimal digits
"""

import struct
import sys
import uuid

import content

ALIGN, FRAME, TRAILER = 4096, 128, 64
KINDS = {0: "unknown", 1: "full", 2: "diff", 3: "log"}


def crc_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


TABLE = crc_table()


def crc32c(data, crc=0):
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


class Damage(Exception):
    pass


def need(condition, what):
    if not condition:
        raise Damage(what)


def u32(data):
    return struct.unpack("<I", data)[0]


class Fields:
    """Fields one after the other."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, length):
        taken = self.data[self.at : self.at + length]
        need(len(taken) == length, "cut short")
        self.at += length
        return taken

    def unpack(self, layout):
        values = struct.unpack("<" + layout, self.take(struct.calcsize("<" + layout)))
        return values if len(values) > 1 else values[0]

    def uuid(self):
        return uuid.UUID(bytes=self.take(16))

    def name(self):
        length = self.unpack("H")
        need(length <= 1024, "name too long")
        return self.take(length).decode("utf-8")

    def finish(self):
        need(self.at == len(self.data), "bytes left over")


def features(compatible, read_only, incompatible):
    need(incompatible & ~1 == 0, f"unknown incompatible features {incompatible:#x}")


def lsn(parts):
    vlf, block, slot = parts
    return (vlf * 10**10 + block) * 10**5 + slot


def session_record(data):
    f = Fields(data)
    revision, flags = f.unpack("HH")
    need(revision == 1, "later revision of a session record")
    record = {"id": f.uuid()}
    f.unpack("qq")
    record["job"], record["database"], record["server"] = f.name(), f.name(), f.name()
    record["lsns"] = "-"
    if flags & 4:
        kind = f.unpack("B")
        f.take(1 + 2 + 2 + 2 + 16)
        positions = [f.unpack("IIH") for _ in range(6)]
        f.take(5 * 16 + 2 * 8)
        record["lsns"] = f"{lsn(positions[0])}..{lsn(positions[1])}"
    else:
        kind = f.unpack("B")
    record["kind"] = KINDS[kind]
    record["streams"] = []
    for number in range(f.unpack("I")):
        stream, zero, blocks, size, stored, crc = f.unpack("H6sQQQI")
        need(stream == number and zero == bytes(6), "stream end")
        record["streams"].append((blocks, size, stored, crc))
    record["names"] = [f.name() for _ in range(f.unpack("I"))]
    f.finish()
    return record


class Vab:
    def __init__(self, data):
        self.data = data
        head = data[:ALIGN]
        need(len(head) == ALIGN and head[:8] == b"\x89VAB\r\n\x1a\n", "not a .VAB")
        need(u32(head[-4:]) == crc32c(head[:-4]), "header checksum")
        f = Fields(head)
        f.take(8)
        version, _, length = f.unpack("HHI")
        need(version == 1 and length == ALIGN, "format version")
        self.flags = f.unpack("QQQ")
        features(*self.flags)
        self.file, self.job_id = f.uuid(), f.uuid()
        self.created, self.data_start = f.unpack("qQ")
        self.job, self.database = f.name(), f.name()

    def record(self, offset, ordinal):
        """Checks the record at `offset`; gives magic, header fields, payload and length."""
        frame = self.data[offset : offset + FRAME]
        need(len(frame) == FRAME, "end of file")
        head, place = frame[:64], frame[64:]
        need(u32(head[60:]) == crc32c(head[:60]), f"header checksum at {offset}")
        need(u32(place[60:]) == crc32c(place[:60], crc32c(head)), f"placement at {offset}")
        file, own, length, number = struct.unpack("<16sQQQ", place[:40])
        need(file == self.file.bytes, f"foreign record at {offset}")
        need(own == offset, f"misplaced record at {offset}")
        need(number == ordinal, f"stale record at {offset}")
        magic = head[:4]
        codec, _, flags, session, stream, _, raw, sequence, start, stored, crc, raw_crc = (
            struct.unpack("<BBH16sHHIQQIII", head[4:60])
        )
        extra = TRAILER if magic == b"VCMT" else 0
        need(length == -(-(FRAME + stored + extra) // ALIGN) * ALIGN, f"length at {offset}")
        body = self.data[offset + FRAME : offset + length]
        need(len(body) == length - FRAME, "end of file")
        payload, padding = body[:stored], body[stored : len(body) - extra]
        need(crc32c(payload) == crc, f"payload checksum at {offset}")
        need(not any(padding), f"padding at {offset}")
        if extra:
            tail = body[-TRAILER:]
            due = struct.pack("<8s16sQQQI8x", b"VABTAIL\0", file, own, length, number, crc)
            need(tail == due + struct.pack("<I", crc32c(due)), f"trailer at {offset}")
        fields = dict(codec=codec, flags=flags, session=session, stream=stream, raw=raw)
        fields.update(head=head, sequence=sequence, start=start, raw_crc=raw_crc, own_crc=u32(head[60:]))
        return magic, fields, payload, length

    def sessions(self):
        """Walks forward; what is not followed by a commit is not part of the file."""
        offset, ordinal = self.data_start, 1
        while True:
            start, blocks, current = offset, {}, None
            try:
                while True:
                    magic, fields, payload, length = self.record(offset, ordinal)
                    need(current in (None, fields["session"]), "record of another session")
                    current = fields["session"]
                    if magic == b"VCMT":
                        commit = self.commit(payload, start, blocks, current)
                        break
                    if magic == b"VBLK":
                        stream = blocks.setdefault(fields["stream"], [])
                        need(fields["sequence"] == len(stream), "block out of sequence")
                        stream.append((offset, fields, payload))
                    else:
                        need(magic == b"VIDX", "unknown record")
                    offset += length
            except Damage as damage:
                self.end, self.why = start, damage
                return
            yield ordinal, commit, blocks
            offset, ordinal = offset + length, ordinal + 1

    def commit(self, payload, start, blocks, session):
        f = Fields(payload)
        need(f.unpack("Q") == start, "start of the session")
        f.take(8 * f.unpack("I"))
        record = session_record(f.take(f.unpack("I")))
        need(record["id"].bytes == session, "commit of another session")
        need(f.unpack("I") == len(record["streams"]), "streams")
        need(all(stream < len(record["streams"]) for stream in blocks), "stream")
        for number, end in enumerate(record["streams"]):
            self.index(f, blocks.get(number, []))
            self.totals(blocks.get(number, []), end)
        f.finish()
        return record

    def index(self, f, blocks):
        segments, entries = f.unpack("II")
        covered = 0
        for _ in range(segments):
            sequence, _, _, count, _ = f.unpack("QQQII")
            need(sequence == covered, "segment")
            covered += count
        for offset, fields, payload in blocks[covered:]:
            due = (fields["start"], offset, fields["raw"], len(payload), fields["own_crc"], 0)
            need(f.unpack("QQIIII") == due, "index entry")
        need(covered + entries == len(blocks), "index")

    def totals(self, blocks, end):
        size = sum(fields["raw"] for _, fields, _ in blocks)
        stored = sum(len(payload) for _, _, payload in blocks)
        need((len(blocks), size, stored) == end[:3], "stream totals")
        if all(fields["codec"] == 0 and fields["flags"] == 0 for _, fields, _ in blocks):
            crc = 0
            for _, fields, payload in blocks:
                need(fields["raw"] == len(payload), "length of a raw block")
                crc = crc32c(payload, crc)
            need(crc == end[3], "stream checksum")


def envelope(data, magic):
    need(data[:8] == magic and len(data) >= 52, "magic")
    version, length, *flags = struct.unpack("<H6xQQQQ", data[8:48])
    need(length == len(data), "cut short")
    need(u32(data[-4:]) == crc32c(data[:-4]), "checksum")
    need(version == 1, "format version")
    features(*flags)
    return Fields(data[48:-4])


def raw_bytes(key, fields, payload):
    if fields["flags"] & 1:
        need(key, "the file is encrypted: a key is needed")
        place = fields["session"], fields["stream"], fields["sequence"]
        payload = content.decrypt(key, fields["head"], *place, payload)
    if fields["codec"] == 1:
        payload = content.lz4(payload, fields["raw"])
    need(len(payload) == fields["raw"], "length of a block")
    return payload


def extract(path, key, blocks, end):
    """Writes the raw bytes of a stream, and checks them from end to end."""
    if any(fields["codec"] == 2 for _, fields, _ in blocks):
        return
    raw = b"".join(raw_bytes(key, fields, payload) for _, fields, payload in blocks)
    crc = end[3]
    if blocks and blocks[0][1]["flags"] & 1:
        _, fields, payload = blocks[0]
        crc ^= content.stream_mask(key, fields["session"], fields["stream"], payload)
    need(crc32c(raw) == crc, "stream checksum")
    with open(path, "wb") as out:
        out.write(raw)


def list_vab(data, folder, key):
    vab = Vab(data)
    encrypted = vab.flags[2] & 1
    key = content.data_key(data, bytes.fromhex(key)) if encrypted and key else None
    print(f"file {vab.file} job {vab.job!r} database {vab.database!r}")
    for ordinal, record, blocks in vab.sessions():
        show_session(ordinal, record)
        for number, end in enumerate(record["streams"]) if folder else ():
            extract(f"{folder}/{ordinal}-{number}.raw", key, blocks.get(number, []), end)
    print(f"committed {vab.end} of {len(data)}")


def show_session(ordinal, record):
    print(f"session {ordinal} {record['id']} {record['kind']} lsn {record['lsns']}")
    for number, (blocks, size, stored, crc) in enumerate(record["streams"]):
        print(f"  stream {number} blocks {blocks} bytes {size} stored {stored} crc {crc:08x}")


def list_vasm(data):
    f = envelope(data, b"\x89VASM\r\n\x1a")
    file, _ = f.uuid(), f.uuid()
    _, _, committed = f.unpack("qQQ")
    job, database = f.name(), f.name()
    print(f"file {file} job {job!r} database {database!r}")
    for ordinal in range(1, f.unpack("I") + 1):
        f.unpack("QQ")
        show_session(ordinal, session_record(f.take(f.unpack("I"))))
    f.finish()
    print(f"committed {committed}")


def list_vacm(data):
    f = envelope(data, b"\x89VACM\r\n\x1a")
    print(f"job {f.uuid()} {f.name()!r}")
    for _ in range(f.unpack("I")):
        file, (_, committed, sessions, _, _) = f.uuid(), f.unpack("qQQHH")
        print(f"file {file} {f.name()!r} {f.name()!r} sessions {sessions} committed {committed}")
    f.finish()


def main(path, folder=None, key=None):
    with open(path, "rb") as file:
        data = file.read()
    if data[:5] == b"\x89VASM":
        list_vasm(data)
    elif data[:5] == b"\x89VACM":
        list_vacm(data)
    else:
        list_vab(data, folder, key)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3, 4):
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except (Damage, ValueError, IndexError) as damage:
        sys.exit(f"{sys.argv[1]}: {damage}")
