"""E, compressed messages (RFC 7692 §6, §7.2)."""

import random
import zlib

from case import Chapter, Wrong
from deflate import bomb, compress, final_block
from frame import BINARY, CLOSE, CONTINUATION, NAMES, PING, PONG, RSV1, TEXT, Frame, binary, close, last, more, ping, text
from session import ANY_STATUS

CHAPTER = Chapter("E", needs=["deflate"])
BROKEN = (1007, 1002)  # data that is no deflate stream: inconsistent with its kind, or a violation
SAMPLE = b"The same words, the same words, the same words again. "
RANDOM = random.Random(7692).randbytes(70_000)


def whole(opcode, payload, **fields):
    """A compressed message in one frame."""
    return Frame(opcode, payload, rsv=RSV1, **fields)


def pieces(opcode, payload, *cuts):
    """A compressed message in fragments, cut at these places."""
    at = [0, *cuts, len(payload)]
    parts = [payload[a:b] for a, b in zip(at, at[1:], strict=False)]
    return [Frame(opcode if n == 0 else CONTINUATION, part, fin=n == len(parts) - 1, rsv=0 if n else RSV1)
            for n, part in enumerate(parts)]


def echoes(name, item, section, rule, *sent, back, needs=(), **setting):
    """The frames are right: these messages come back, compressed or not."""

    def run(lab):
        session = lab.open_deflate(**setting)
        session.send(*sent)
        session.expect_all(back)
        session.finish()

    CHAPTER.add(name, item, f"RFC 7692 {section}", rule, run, needs=needs)


def fails(name, item, section, rule, *sent, codes=(1002,), before=(), needs=(), **setting):
    """The peer must fail the connection with one of the codes."""

    def run(lab):
        session = lab.open_deflate(**setting)
        session.send(*sent)
        session.expect_fail(codes, before)

    CHAPTER.add(name, item, f"RFC 7692 {section}", rule, run, needs=needs)


# 67, what a sender makes.
for opcode in (TEXT, BINARY):
    kind = NAMES[opcode]
    for size in (1, 2, 100, 125, 126, 1000, 65535, 65536, 300_000):
        data = (SAMPLE * (size // len(SAMPLE) + 1))[:size]
        echoes(f"{kind}-of-{size}", 67, "§7.2", f"A compressed {kind} message of {size} bytes comes back.",
               whole(opcode, compress(data)), back=[(kind, data)])
    echoes(f"{kind}-empty", 67, "§7.2.3.6", "An empty message is the one byte 00.", whole(opcode, b"\0"),
           back=[(kind, b"")])
    echoes(f"{kind}-empty-fixed-block", 67, "§7.2.3.6", "An empty message may be an empty block of another kind.",
           whole(opcode, b"\x02\x00"), back=[(kind, b"")])
    echoes(f"{kind}-not-compressed", 68, "§6.1", "A message may be sent uncompressed.", Frame(opcode, SAMPLE),
           back=[(kind, SAMPLE)])
    echoes(f"{kind}-empty-not-compressed", 68, "§6.1", "An empty message may be sent uncompressed.", Frame(opcode),
           back=[(kind, b"")])

# 68, what a receiver must read.
for level in range(10):
    echoes(f"level-{level}", 68, "§7.2.2", f"A stream of zlib's level {level} is read.",
           whole(TEXT, compress(SAMPLE * 200, level=level)), back=[("text", SAMPLE * 200)])
for name, strategy in {"fixed": zlib.Z_FIXED, "huffman": zlib.Z_HUFFMAN_ONLY, "rle": zlib.Z_RLE,
                       "filtered": zlib.Z_FILTERED}.items():
    echoes(f"strategy-{name}", 68, "§7.2.2", f"A stream of the strategy {name} is read.",
           whole(TEXT, compress(SAMPLE * 20, strategy=strategy)), back=[("text", SAMPLE * 20)])
HELLO_BLOCKS = {
    # The examples of RFC 7692 §7.2.3, each of them "Hello".
    "one-block": b"\xf2\x48\xcd\xc9\xc9\x07\x00", "no-compression": b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00",
    "bfinal": b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", "two-blocks": b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
}
for name, payload in HELLO_BLOCKS.items():
    echoes(f"hello-{name}", 68, "§7.2.3", "Each of the RFC's examples is read.", whole(TEXT, payload),
           back=[("text", b"Hello")])
    for cut in range(1, len(payload)):
        echoes(f"hello-{name}-cut-at-{cut}", 69, "§7.2.3.1", "Fragments may part the stream anywhere.",
               *pieces(TEXT, payload, cut), back=[("text", b"Hello")])
echoes("bfinal-then-message", 68, "§7.2.3.4", "A final block ends a message, not the connection.",
       whole(TEXT, final_block(b"one")), whole(TEXT, compress(b"two")), back=[("text", b"one"), ("text", b"two")])
echoes("bfinal-twice", 68, "§7.2.3.4", "Each message may have its final block.",
       whole(TEXT, final_block(SAMPLE)), whole(TEXT, final_block(SAMPLE)), back=[("text", SAMPLE)] * 2)
stream = zlib.compressobj(wbits=-15)
SEVERAL = b"".join(stream.compress(SAMPLE) + stream.flush(zlib.Z_SYNC_FLUSH) for _ in range(20))[:-4]
echoes("twenty-blocks", 68, "§7.2.1", "A message may have several blocks, with the flush marks between.",
       whole(TEXT, SEVERAL), back=[("text", SAMPLE * 20)])
stream = zlib.compressobj(wbits=-15)
FULL = b"".join(stream.compress(SAMPLE) + stream.flush(zlib.Z_FULL_FLUSH) for _ in range(20))[:-4]
echoes("full-flushes", 68, "§7.2.1", "A message may have full flushes in it.", whole(TEXT, FULL),
       back=[("text", SAMPLE * 20)])
echoes("stored-blocks-of-random", 73, "§7.2.3.3", "Bytes that do not compress come in stored blocks.",
       whole(BINARY, compress(RANDOM)), back=[("binary", RANDOM)])
echoes("tail-kept", 68, "§7.2.1", "An empty block at the end, whose mark was kept, adds nothing.",
       whole(TEXT, compress(b"hi") + b"\0\0\xff\xff\0"), back=[("text", b"hi")])

# 69, fragments.
PACKED = compress(SAMPLE)
for name, cuts in {"in-two": (len(PACKED) // 2,), "in-bytes": range(1, len(PACKED)), "empty-first": (0,),
                   "empty-last": (len(PACKED),), "empty-middle": (5, 5, 5)}.items():
    echoes(f"fragments-{name}", 69, "§6.1", "A compressed message may come in any fragments, RSV1 on the first.",
           *pieces(TEXT, PACKED, *cuts), back=[("text", SAMPLE)])
echoes("code-points-parted", 69, "§6.2", "A code point may come out of two fragments.",
       *pieces(TEXT, (p := compress("κόσμε 🌍 世界".encode())), *range(1, len(p))),
       back=[("text", "κόσμε 🌍 世界".encode())])
first, *rest = pieces(TEXT, PACKED, 3, 9)
echoes("pings-between", 70, "§6.1", "Control frames between compressed fragments are not compressed.",
       first, ping(b"1"), rest[0], ping(b"2"), rest[1], back=[("text", SAMPLE)])

# 41 under compression, reserved bits.
for opcode in (PING, PONG, CLOSE):
    fails(f"rsv1-on-{NAMES[opcode]}", 70, "§6.1", f"RSV1 has no meaning on a {NAMES[opcode]} frame.",
          Frame(opcode, b"\x03\xe8" if opcode == CLOSE else b"", rsv=RSV1))
for fin in (False, True):
    kind = "last" if fin else "middle"
    fails(f"rsv1-on-{kind}-fragment", 69, "§6.1", "RSV1 stands on the first fragment only.",
          Frame(TEXT, PACKED[:4], fin=False, rsv=RSV1), Frame(CONTINUATION, PACKED[4:], fin=fin, rsv=RSV1))
    fails(f"rsv1-on-{kind}-fragment-of-plain", 69, "§6.1", "RSV1 cannot begin inside a message.",
          text("a", fin=False), Frame(CONTINUATION, PACKED, fin=fin, rsv=RSV1))
for rsv in (1, 2, 3, 5, 6, 7):
    fails(f"rsv-{rsv:03b}", 68, "§6", "RSV2 and RSV3 have no meaning.", Frame(TEXT, PACKED, rsv=rsv))

# Data that cannot be inflated.
for name, payload in {
    "reserved-block-type": b"\x07\x00", "stored-length": b"\x00\x05\x00\x00\x00hello", "random": RANDOM[:200],
    "distance-too-far": b"\x4b\x04\x62\x00", "bad-code-lengths": b"\x04\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    "gzip": b"\x1f\x8b\x08\x00" + PACKED, "text": b"hello, not compressed",
}.items():
    fails(f"broken-{name}", 68, "§7.2.2", "What is no deflate stream fails the connection.", whole(BINARY, payload),
          codes=BROKEN)
    fails(f"broken-{name}-in-bytes", 68, "§7.2.2", "Fragments do not hide what is no deflate stream.",
          *pieces(BINARY, payload, *range(1, len(payload))), codes=BROKEN)
# zlib does not tell where a block ends, so many receivers take what came of a stream that was cut off.
fails("cut-off", 68, "§7.2.2", "A stream that ends within a block is refused.",
      whole(BINARY, PACKED[: len(PACKED) // 2]), codes=BROKEN, needs=["strict"])
for name, data in {"ff": b"ok \xff", "surrogate": b"\xed\xa0\x80", "truncated": b"ok \xe2\x82"}.items():
    fails(f"inflated-not-utf8-{name}", 47, "§6.2", "Text must be UTF-8 once it is inflated.",
          whole(TEXT, compress(data)), codes=(1007,))
    fails(f"inflated-not-utf8-{name}-in-bytes", 47, "§6.2", "Text must be UTF-8 once it is inflated.",
          *pieces(TEXT, (p := compress(data)), *range(1, len(p))), codes=(1007,))
stream = zlib.compressobj(wbits=-15)
BAD_START = stream.compress(b"\xff" + SAMPLE) + stream.flush(zlib.Z_SYNC_FLUSH)
fails("inflated-not-utf8-at-once", 47, "§6.2", "A bad byte shows in the first fragment: the rest is not awaited.",
      Frame(TEXT, BAD_START, rsv=RSV1, fin=False), codes=(1007,), needs=["strict"])


# 71 and 73, contexts.
def conversation(name, item, rule, messages, **setting):
    """Messages through one connection, in turn compressed and not, each of which must come back."""

    def run(lab):
        session = lab.open_deflate(**setting)
        for n, (opcode, data, compressed) in enumerate(messages):
            session.send(whole(opcode, session.deflater.message(data)) if compressed else Frame(opcode, data))
            try:
                session.expect(NAMES[opcode], data)
            except Wrong as wrong:
                raise Wrong(f"message {n}: {wrong}") from None
        session.finish()

    CHAPTER.add(name, item, "RFC 7692 §7.2", rule, run)


REPEATS = [(TEXT, SAMPLE, True)] * 5
MIXED = [(TEXT, SAMPLE, True), (TEXT, b"plain " + SAMPLE, False), (TEXT, SAMPLE, True), (BINARY, RANDOM[:3000], True),
         (TEXT, b"", True), (BINARY, RANDOM[:3000], False), (BINARY, RANDOM[:3000], True), (TEXT, b"", False),
         (TEXT, SAMPLE * 3, True)]
LONG = [(BINARY, RANDOM[:n] + RANDOM[:n], True) for n in (100, 300, 600, 1500, 5000, 10_000, 20_000, 33_000, 70_000)]
for name, setting in {
    "takeover": {}, "mine-reset": {"mine_takeover": False}, "theirs-reset": {"theirs_takeover": False},
    "both-reset": {"mine_takeover": False, "theirs_takeover": False},
}.items():
    conversation(f"repeats-{name}", 71, "Contexts are kept and reset as was agreed.", REPEATS, **setting)
    conversation(f"mixed-{name}", 71, "Messages that are not compressed stand outside the context.", MIXED, **setting)
    conversation(f"long-{name}", 73, "Bytes that do not compress go through the window.", LONG, **setting)
for bits in range(8, 16):
    conversation(f"mine-{bits}-bits", 64, f"A peer whose sender has a window of {bits} bits is read.", LONG + REPEATS,
                 mine_bits=bits)
    conversation(f"theirs-{bits}-bits", 64, f"An endpoint that was limited to {bits} bits refers back no further.",
                 LONG + REPEATS, theirs_bits=bits)
conversation("both-9-bits-reset", 64, "Small windows and resets go together.", LONG + MIXED, mine_bits=9, theirs_bits=9,
             mine_takeover=False, theirs_takeover=False)


@CHAPTER.case("hundred-messages-at-once", 71, "RFC 7692 §7.2", "A hundred messages share a context, in one segment.")
def at_once(lab):
    session = lab.open_deflate()
    data = [SAMPLE[n % 50:] * (n % 7) for n in range(100)]
    session.send(*(whole(TEXT, session.deflater.message(one)) for one in data))
    session.expect_all([("text", one) for one in data])
    session.finish()


@CHAPTER.case("byte-by-byte", 69, "RFC 7692 §6", "Compressed messages may come byte by byte.")
def byte_by_byte(lab):
    session = lab.open_deflate()
    data = session.encode(*(whole(TEXT, session.deflater.message(SAMPLE)) for _ in range(3)))
    session.wire.send_parts([data[n: n + 1] for n in range(len(data))], pause=0.0005)
    session.expect_all([("text", SAMPLE)] * 3)
    session.finish()


@CHAPTER.case("close-in-compressed-message", 55, "RFC 7692 §6.1", "A Close inside a compressed message is answered.")
def close_inside(lab):
    session = lab.open_deflate()
    session.send(Frame(TEXT, PACKED[:5], rsv=RSV1, fin=False), close(1000))
    session.exit = ANY_STATUS
    session.expect_close((1000,) if lab.options.strict else (1000, 1002))
    session.end()


# 72, the limit holds for what comes out.
@CHAPTER.case("inflated-at-limit", 72, "RFC 7692 §8", "A message that inflates to the limit comes back.",
              needs=["max_message"])
def inflated_at_limit(lab):
    session = lab.open_deflate()
    session.send(whole(BINARY, bomb(lab.options.max_message)))
    session.expect("binary", bytes(lab.options.max_message))
    session.finish()


for name, factor, shards in (("one-past", 0, 1), ("twice", 1, 1), ("twice-in-fragments", 1, 64), ("64-times", 63, 1)):
    def explodes(lab, factor=factor, shards=shards):
        session = lab.open_deflate()
        payload = bomb(lab.options.max_message * (factor + 1) + 1)
        step = len(payload) // shards + 1
        session.send(*pieces(BINARY, payload, *range(step, len(payload), step)))
        session.expect_fail((1009,))

    CHAPTER.add(f"bomb-{name}", 72, "RFC 7692 §8", "A message that inflates past the limit is refused.", explodes,
                needs=["max_message"])
fails("length-past-everything", 72, "§6", "The length of a compressed frame is limited too.",
      binary(rsv=RSV1, length=1 << 40), codes=(1009,))
echoes("plain-fragments-then-compressed", 71, "§6", "A fragmented plain message does not disturb the context.",
       text("a", fin=False), more("b"), last("c"), whole(TEXT, PACKED), back=[("text", b"abc"), ("text", SAMPLE)])
